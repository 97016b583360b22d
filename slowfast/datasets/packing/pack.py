"""Lists of videos -> HDF5 shards, a manifest, new lists; files of single videos on the way."""

import hashlib
import json
import os
from pathlib import Path
from urllib.parse import quote

import h5py
from tqdm import tqdm

from slowfast.datasets.packing.encode import FRAMES, LIBVER, encode_video
from slowfast.datasets.packing.jobs import (
    keep_options,
    output_folder,
    run_guarded,
    whole_file,
    write_list,
    write_unreadable,
)
from slowfast.datasets.readers import hdf5, open_reader
from slowfast.utils.errors import ReadError, UserError
from slowfast.utils.io import atomic_write_text, sha256_file
from slowfast.utils.logging import get_logger

MANIFEST = "manifest.json"
OPTIONS = "pack.json"
PARTS = ".parts"  # folder of finished videos that are in no shard yet
LAYOUTS = ("shards", "single", "per_video")


class Packer:
    """Packs videos into a folder; a killed run goes on where it was.

    A video is first a file of its own, then part of a shard; both appear whole or not at all. The manifest names a
    shard's videos once the shard is there.

    Args:
        out: the folder.
        layout: "shards" of about `shard_bytes`; "single": one file; "per_video": a file each, as XViT reads them.
        short_side, quality, fps: see `encode_video`.
    """

    def __init__(self, out, *, layout, shard_bytes, short_side, quality, fps):
        self.out = Path(out)
        self.layout = layout
        self.shard_bytes = shard_bytes if layout == "shards" else float("inf")
        self.encoding = {"short_side": short_side, "quality": quality, "fps": fps}
        keep_options(self.out / OPTIONS, {"layout": layout, **self.encoding})
        self.shards = self._load_manifest()
        self.done = {video["source"]: video for shard in self.shards for video in shard["videos"]}
        self.waiting = []  # (part, video): encoded, in no shard yet

    def pack(self, names, workers):
        """Args: names: dict path of a video -> what it is called in its list, unique; workers: processes.

        Returns: list of (path, reason) of what could not be read.
        """
        tasks, unreadable = [], []
        for path, name in names.items():
            key = quote(name, safe="")
            part = self.out / f"{Path(name).with_suffix('')}.h5" if self.layout == "per_video" else self._part(key)
            if path not in self.done and not self._adopt(part, path, key):
                tasks.append({"path": path, "part": str(part), "key": key, **self.encoding})
        for task, video, reason in run_guarded(encode_video, tasks, workers=workers, title="packing"):
            if video is None:
                unreadable.append((task["path"], reason))
                continue
            self._remember(Path(task["part"]), {"source": task["path"], "key": task["key"], **video})
        self._finish_shard()
        return unreadable

    def _part(self, key):
        return self.out / PARTS / f"{hashlib.sha256(key.encode(errors='surrogateescape')).hexdigest()[:32]}.h5"

    def _adopt(self, part, path, key):
        """Take over what a killed run has finished of this video; False if there is nothing."""
        if not part.is_file() or os.path.getmtime(part) < os.path.getmtime(path):
            return False
        with h5py.File(part, "r") as file:
            frames = file[FRAMES]
            height, width = _first_size(part)
            video = {"frames": len(frames), "fps": frames.attrs.get("fps"), "width": width, "height": height}
            digest = hashlib.sha256()
            for frame in frames:
                digest.update(frame)
        self._remember(part, {"source": path, "key": key, **video, "sha256": digest.hexdigest()})
        return True

    def _remember(self, part, video):
        if self.layout == "per_video":
            name = str(part.relative_to(self.out))
            self.shards.append({"file": name, "bytes": part.stat().st_size, "sha256": sha256_file(part)})
            self.shards[-1]["videos"] = [video | {"path": name}]
            self.done[video["source"]] = self.shards[-1]["videos"][0]
            return
        self.waiting.append((part, video))
        if sum(part.stat().st_size for part, _ in self.waiting) >= self.shard_bytes:
            self._finish_shard()

    def _finish_shard(self):
        """Put the waiting videos into a file of their own, say so in the manifest, and only then drop the parts."""
        if self.waiting:
            number = len(self.shards)
            name = "pack.h5" if self.layout == "single" else f"shard_{number:05d}.h5"
            with whole_file(self.out / name) as temporary:
                with h5py.File(temporary, "w", libver=LIBVER) as shard:
                    for part, video in self._of_single(name) + self.waiting:
                        with h5py.File(part, "r") as file:
                            file.copy(video.get("was", FRAMES), shard, name=video["key"])
            videos = [*(self.shards.pop()["videos"] if self._of_single(name) else []), *(v for _, v in self.waiting)]
            for video in videos:
                video["path"] = f"{name}/{video['key']}"
            path = self.out / name
            self.shards.append(
                {"file": name, "bytes": path.stat().st_size, "sha256": sha256_file(path), "videos": videos}
            )
            self.done |= {video["source"]: video for video in videos}
        self._write_manifest()
        for part, _ in self.waiting:
            part.unlink()
        self.waiting = []
        parts = self.out / PARTS
        if parts.is_dir() and not any(parts.iterdir()):
            parts.rmdir()

    def _of_single(self, name):
        """What the one file of layout "single" held before, to be copied again into the new one."""
        if self.layout != "single" or not self.shards:
            return []
        return [(self.out / name, video | {"was": video["key"]}) for video in self.shards[0]["videos"]]

    def _load_manifest(self):
        path = self.out / MANIFEST
        if not path.exists():
            return []
        shards = json.loads(path.read_text())["shards"]
        for shard in shards:
            file = self.out / shard["file"]
            if not file.is_file() or file.stat().st_size != shard["bytes"]:
                raise UserError(f"{file} is not as {path} says; restore it, or pack into another folder")
        return shards

    def _write_manifest(self):
        content = {
            "options": {"layout": self.layout, **self.encoding},
            "num_videos": sum(len(shard["videos"]) for shard in self.shards),
            "num_frames": sum(video["frames"] for shard in self.shards for video in shard["videos"]),
            "shards": self.shards,
        }
        atomic_write_text(self.out / MANIFEST, json.dumps(content, indent=1) + "\n")


def _first_size(part):
    with open_reader(part, "hdf5") as reader:
        width, height = reader.size
    hdf5.close_packs()  # the part is removed soon
    return height, width


def pack_lists(lists, out, *, workers, verify, **options):
    """Pack all videos of some lists into folder `out`, and write the same lists for the packs.

    Args:
        lists: list of (name of the list, list of Record, names of the records within their list).
        workers, verify: processes; whether to read everything again.
        options: of `Packer`.
    Returns: number of videos that could not be read, or that verification found wrong.
    Raises: UserError: unusable folder, or two videos of one name.
    """
    with output_folder(out) as folder:
        names = {}
        for _, records, listed in lists:
            names |= {record.path: name for record, name in zip(records, listed)}
        twice = {name for name in names.values() if list(names.values()).count(name) > 1} if _clash(names) else set()
        if twice:
            raise UserError(f"{min(twice)} names two different videos; pack these lists into folders of their own")
        packer = Packer(folder, **options)
        unreadable = packer.pack(names, workers)
        for name, records, _ in lists:
            rows = [(packer.done[r.path]["path"], r.label) for r in records if r.path in packer.done]
            write_list(folder / name, rows)
        if verify:
            unreadable += verify_packs(folder, packer.shards)
        write_unreadable(folder / "unreadable.csv", unreadable)
        for path, reason in unreadable:
            get_logger().error(f"{path}: {reason}")
        get_logger().info(
            f"{len(packer.done)} videos in {len(packer.shards)} file(s) of {folder}, {len(unreadable)} lost"
            f"{f', named in {folder}/unreadable.csv' if unreadable else ''}"
        )
        return len(unreadable)


def _clash(names):
    return len(set(names.values())) < len(names)


def verify_packs(folder, shards):
    """Read every packed frame again. Returns: list of (path, reason): checksums that differ, frames that fail."""
    wrong = []
    videos = [video for shard in shards for video in shard["videos"]]
    for video in tqdm(videos, desc="verifying", unit="video", dynamic_ncols=True):
        path = str(folder / video["path"])
        try:
            with open_reader(path, "hdf5") as reader:
                digest = hashlib.sha256()
                for number in range(len(reader)):
                    digest.update(reader.encoded([number])[0])
                    reader.get([number])
                if len(reader) != video["frames"] or digest.hexdigest() != video["sha256"]:
                    wrong.append((path, "its frames are not those that were packed"))
        except ReadError as error:
            wrong.append((path, error.reason))
    return wrong
