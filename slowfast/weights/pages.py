"""Files that stand where a checkpoint should, and are none: what gated downloads leave behind."""

from slowfast.utils.errors import UserError

PAGES = {  # how files begin that are no checkpoint, in small letters -> what they are
    b"<!doctype html": "a web page",
    b"<html": "a web page",
    b"<?xml": "a web page or an error message of a server",
    b"version https://git-lfs": "a pointer that git LFS left in place of the file",
}
HOW_TO_GET = "Download the file itself, a gated one after accepting its licence and logging in"


def refuse_pages(path):
    """Raises: UserError: the file is a web page or a pointer, as gated downloads leave them; or cannot be opened."""
    try:
        with open(path, "rb") as file:
            start = file.read(256).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    except OSError as error:
        raise UserError(f"checkpoint {path} cannot be opened: {error.strerror}.") from error
    for beginning, what in PAGES.items():
        if start.startswith(beginning):
            raise UserError(f"checkpoint {path} is {what}, not weights. {HOW_TO_GET}.")
