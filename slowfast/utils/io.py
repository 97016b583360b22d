"""Files are replaced whole: a reader sees the old file or the complete new one, never a part."""

import hashlib
import os
import tempfile
from pathlib import Path


def atomic_write(path, write):
    """Call write(file) so that `path` is only ever the old file or the complete new one.

    Args:
        path: where the file goes; its folder is made if it is missing.
        write: function of a binary file object.
    Raises: whatever `write` or the file system raises; the temporary file is removed and `path` untouched.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None:
            error.filename = str(path)  # a failed write names none, a failed rename the temporary one
        raise
    _sync_folder(path.parent)


def atomic_write_text(path, text):
    atomic_write(path, lambda file: file.write(text.encode()))


def sha256_file(path):
    """Hex SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder):
    """Make the rename itself survive a power cut, where the file system can do that."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)
