"""Web pages and pointers in place of checkpoints."""

import pytest

from slowfast.utils.errors import UserError
from slowfast.weights import read_state_dict
from slowfast.weights.fetch import read_index

PAGES = [
    (b"<html>not found</html>", "a web page"),
    (b"\xef\xbb\xbf\r\n<!DOCTYPE HTML PUBLIC>", "a web page"),
    (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "an error message of a server"),
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n", "a pointer that git LFS left"),
]


@pytest.mark.parametrize("content, what", PAGES)
@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors", "weights.npz", "model.safetensors.index.json"])
def test_pages_are_told(tmp_path, name, content, what):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"{name} is .*{what}.*not weights\. Download the file itself, a gated one"):
        read_state_dict(path)
    with pytest.raises(UserError, match=what):
        read_index(path)
