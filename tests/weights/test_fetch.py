"""Fetching checkpoints: local paths, URLs with their cache, digests."""

import hashlib
import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
from safetensors.torch import save_file

from slowfast.utils.errors import UserError
from slowfast.weights import read_state_dict
from slowfast.weights.fetch import fetch

CONTENT = b"weights of a model"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        """Requests are counted, not printed."""
        self.server.requested.append(self.path)


@pytest.fixture
def server(tmp_path):
    """A web server over tmp_path/remote: its URL, the folder, and what was asked for."""
    folder = tmp_path / "remote"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder))
    server.requested, server.folder = [], folder
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def test_local_paths(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(CONTENT)
    assert fetch(path) == fetch(str(path), sha256=DIGEST) == fetch(path, sha256=DIGEST.upper()) == path


def test_no_file(tmp_path):
    with pytest.raises(UserError, match=r"nothing.pyth does not exist"):
        fetch(tmp_path / "nothing.pyth")
    (tmp_path / "folder.pt").mkdir()
    with pytest.raises(UserError, match="is a folder"):
        fetch(tmp_path / "folder.pt")


def test_another_digest(tmp_path):
    (tmp_path / "weights.pth").write_bytes(CONTENT)
    with pytest.raises(UserError, match=rf"has SHA-256 {DIGEST}, expected {'0' * 64}. Copy or download it again"):
        fetch(tmp_path / "weights.pth", sha256="0" * 64)


def test_urls_are_downloaded_once(server, tmp_path):
    (server.folder / "weights.pth").write_bytes(CONTENT)
    cache = tmp_path / "cache"
    for _ in range(2):
        path = fetch(f"{server.url}/weights.pth", cache_dir=cache, sha256=DIGEST)
        assert path.read_bytes() == CONTENT
        assert cache in path.parents
    assert server.requested == ["/weights.pth"]


def test_a_damaged_download_says_what_to_delete(server, tmp_path):
    (server.folder / "weights.pth").write_bytes(CONTENT[:-1])
    with pytest.raises(UserError, match=r"Delete .*weights.pth to download it again") as error:
        fetch(f"{server.url}/weights.pth", cache_dir=tmp_path / "cache", sha256=DIGEST)
    assert server.url in str(error.value)


@pytest.mark.parametrize("location", ["{url}/absent.pth", "http://127.0.0.1:1/weights.pth", "http:///weights.pth"])
def test_what_cannot_be_downloaded(server, tmp_path, location):
    with pytest.raises(UserError, match=r"cannot be downloaded: .*Check the URL"):
        fetch(location.format(url=server.url), cache_dir=tmp_path / "cache")
    assert not [path for path in (tmp_path / "cache").rglob("*.pth") if path.is_file()]


def test_an_index_brings_its_parts(server, tmp_path):
    (server.folder / "repo").mkdir()
    save_file({"a": torch.ones(2)}, server.folder / "repo" / "one.safetensors")
    torch.save({"b": torch.zeros(3)}, server.folder / "repo" / "two.bin")
    index = {"weight_map": {"a": "one.safetensors", "b": "two.bin"}}
    (server.folder / "repo" / "model.safetensors.index.json").write_text(json.dumps(index))
    state = read_state_dict(f"{server.url}/repo/model.safetensors.index.json", cache_dir=tmp_path / "cache")
    assert sorted(state) == ["a", "b"]
    assert len(server.requested) == 3
