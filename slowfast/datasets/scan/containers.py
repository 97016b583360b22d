"""What a file's bytes say of it without decoding: how long it ought to be, and what it is if it is no video."""

import os
import struct

_HEAD_BYTES = 4096
_SPARE_BYTES = 8  # that may be missing at the end: padding
_MAX_BOXES = 100_000  # a top level with more boxes is no longer a plain file
_MAX_INDEX_BYTES = 64 << 20  # of an mp4's index that is searched for encryption
_MP4_FIRST_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"styp", b"pnot")
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"  # ids that start Matroska files and their one big part


def explain(path, reason, *, opened=False):
    """A reader's reason, with the next step or a plainer cause where the file's bytes tell one.

    Args: opened: the reader found a video in the file, at least.
    """
    if not os.path.isfile(path):
        return reason
    if is_encrypted(path):
        return "encrypted (DRM): its frames cannot be decoded without the key; get a copy that is not"
    other = what_else(path)
    if other:
        return other
    if not opened and lacks_index(path):
        cut = cut_short(path) or "incomplete"
        return f"{cut}, and its index (moov), which comes at the end, is missing; download it again"
    if reason.startswith("no video stream"):
        return f"{reason}: it has sound or data, but nothing to see; download it again or take it out of the list"
    return f"{reason}; download or encode it again"


def cut_short(path):
    """Text where a file lacks bytes at its end, else ""."""
    promised = bytes_promised(path) if os.path.isfile(path) else None
    if promised is None:
        return "cut short: the end mark is missing" if _lacks_end_mark(path) else ""
    size = os.path.getsize(path)
    return f"cut short: {size:,} of {promised:,} bytes are there" if promised - size > _SPARE_BYTES else ""


def bytes_promised(path):
    """Bytes that the container says it has; None where it says nothing of the kind.

    A file with fewer was cut short: a copy or a download that stopped. Understood are MP4 and MOV (ISO/IEC 14496-12,
    4.2), AVI (RIFF) and Matroska and WebM (RFC 8794 and 9559).
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(_HEAD_BYTES)
        if head[4:8] in _MP4_FIRST_BOXES:
            boxes = list(_top_level_boxes(file, size))
            return boxes[-1][2] if boxes else None
    if head[:4] == b"RIFF" and len(head) >= 12:
        promised = struct.unpack("<I", head[4:8])[0]
        return promised + 8 if promised not in (0, 0xFFFFFFFF) else None
    if head[:4] == _EBML:
        return _matroska_bytes(head)
    return None


def is_encrypted(path):
    """Does an MP4 say that its samples are encrypted (ISO/IEC 23001-7: sample entries `encv`, `enca`)?"""
    with open(path, "rb") as file:
        if file.read(8)[4:8] not in _MP4_FIRST_BOXES:
            return False
        for kind, start, end in _top_level_boxes(file, os.fstat(file.fileno()).st_size):
            if kind == b"moov":
                file.seek(start)
                return b"encv" in file.read(min(end - start, _MAX_INDEX_BYTES))
    return False


def lacks_index(path):
    """Is it an MP4 without its index (`moov`), which many writers put at the end?"""
    with open(path, "rb") as file:
        if file.read(8)[4:8] not in _MP4_FIRST_BOXES:
            return False
        size = os.fstat(file.fileno()).st_size
        return all(kind != b"moov" or end > size for kind, _, end in _top_level_boxes(file, size))


def what_else(path):
    """What a file is that is no video, in words with the next step; "" where its first bytes tell nothing."""
    with open(path, "rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head:
        return "the file is empty (0 bytes); download it again"
    if not head.strip(b"\0"):
        return "the file starts with nothing but zeros: its space was reserved and never written; download it again"
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the video itself; run `git lfs pull`"
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<script")):
        return "a web page (HTML), not a video: the download was refused; open the link in a browser to see why"
    for magic, name in ((b"%PDF", "a PDF"), (b"PK\3\4", "a zip archive"), (b"\x1f\x8b", "a gzip archive")):
        if head.startswith(magic):
            return f"{name}, not a video; unpack it or download the video again"
    if _is_text(head):
        return "text, not a video; look into it: a refused download often leaves its message there"
    return ""


def _lacks_end_mark(path):
    """Is it a GIF that does not end as one does?"""
    if not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        if file.read(4) != b"GIF8":
            return False
        file.seek(-min(os.path.getsize(path), _SPARE_BYTES), os.SEEK_END)
        return b";" not in file.read()


def _top_level_boxes(file, size):
    """(type, start, end) of the boxes of an MP4's top level; the last one's end is where the file ought to end."""
    start = 0
    for _ in range(_MAX_BOXES):
        file.seek(start)
        header = file.read(16)
        if len(header) < 8:
            return
        length, kind = struct.unpack(">I4s", header[:8])
        if length == 1 and len(header) == 16:
            length = struct.unpack(">Q", header[8:])[0]
        elif length == 0:  # up to the end of the file
            length = size - start
        if length < 8 or not all(32 <= byte < 127 or byte == 0xA9 for byte in kind):
            return  # what follows the last box is not a box
        yield kind, start, start + length
        start += length


def _matroska_bytes(head):
    """Where the Segment ends; None where its size was left open, as live recordings do."""
    at = 4
    size, width = _ebml_number(head, at)
    if size is None:
        return None
    at += width + size
    if head[at : at + 4] != _SEGMENT:
        return None
    size, width = _ebml_number(head, at + 4)
    return None if size is None else at + 4 + width + size


def _ebml_number(data, at):
    """(value, bytes it takes) of a variable-length size; value None for "unknown" and where `data` ends before."""
    if at >= len(data) or data[at] == 0:
        return None, 0
    width = 9 - data[at].bit_length()
    if at + width > len(data):
        return None, 0
    value = int.from_bytes(data[at : at + width], "big") & ((1 << 7 * width) - 1)
    return (None if value == (1 << 7 * width) - 1 else value), width


def _is_text(head):
    try:
        text = head.decode("utf-8", errors="strict" if len(head) < _HEAD_BYTES else "ignore")
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character in "\t\r\n" for character in text)
