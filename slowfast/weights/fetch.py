"""Where a checkpoint lies: a local path, or a URL that is downloaded once; its SHA-256 is checked when it is known."""

import json
from pathlib import Path
from urllib.parse import urlparse

from iopath.common.file_io import HTTPURLHandler, PathManager, get_cache_dir

from slowfast.utils.errors import UserError
from slowfast.utils.io import sha256_file
from slowfast.weights.pages import refuse_pages

URL_SCHEMES = ("http", "https", "ftp")
INDEX_SUFFIX = ".index.json"  # of checkpoints cut into several files


def fetch(location, *, sha256="", cache_dir=""):
    """Local path of a checkpoint file; what is not local yet is downloaded, with the parts that an index names.

    Args:
        location: local path, or http, https or ftp URL.
        sha256: hex digest that the file must have; "" = any. Of an index, the index alone is checked.
        cache_dir: folder for downloads, which lie there by host and path; "" = iopath's, ~/.torch/iopath_cache.
    Returns:
        Path of an existing file.
    Raises:
        UserError: there is no such file, it cannot be downloaded, or its digest is another one.
    """
    remote = urlparse(str(location)).scheme in URL_SCHEMES
    path = _download(str(location), cache_dir) if remote else Path(location).expanduser()
    if not path.is_file():
        raise UserError(f"checkpoint {path} {'is a folder' if path.is_dir() else 'does not exist'}; name a file.")
    if sha256 and (found := sha256_file(path)) != sha256.lower():
        again = f"Delete {path} to download it again" if remote else "Copy or download it again"
        raise UserError(f"checkpoint {location} has SHA-256 {found}, expected {sha256}. {again}, or mend the digest.")
    if remote and path.name.endswith(INDEX_SUFFIX):
        for part in sorted(set(read_index(path).values())):
            _download(f"{str(location).rpartition('/')[0]}/{part}", cache_dir)
    return path


def read_index(path):
    """What an index says: name of each tensor -> name of the file beside the index that holds it.

    Raises: UserError: it is no index, or names a file elsewhere.
    """
    refuse_pages(path)
    try:
        files = json.loads(Path(path).read_text())["weight_map"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"checkpoint {path} is damaged or no index of a checkpoint's parts: {error!r}.") from error
    if not isinstance(files, dict) or not files:
        raise UserError(f"checkpoint {path} is damaged or no index of a checkpoint's parts: weight_map {files!r}.")
    for part in files.values():
        if not isinstance(part, str) or not part or Path(part).name != part:
            raise UserError(f"checkpoint {path} names the part {part!r}; parts must lie in the index's own folder.")
    return files


def _download(url, cache_dir):
    """Local path of a URL's content, from the cache if it was there before."""
    folder = Path(get_cache_dir(str(Path(cache_dir).expanduser()) if cache_dir else None)) / urlparse(url).netloc
    manager = PathManager()
    manager.register_handler(HTTPURLHandler())
    try:
        return Path(manager.get_local_path(url, cache_dir=str(folder)))
    except (OSError, ValueError) as error:  # urllib's errors are OSErrors; ValueError: a URL without a host, say
        raise UserError(f"checkpoint {url} cannot be downloaded: {error}. Check the URL and the network.") from error
