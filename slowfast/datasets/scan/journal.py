"""What has been found so far, a line a file: a scan that was killed, or is run again, looks at changed files only."""

import json
from pathlib import Path

from slowfast.datasets.scan.probe import Finding
from slowfast.utils.errors import UserError


class Journal:
    """Findings and content hashes, kept in a file that only grows.

    A torn last line, left by a kill, is skipped. What was found under other options counts for nothing.

    Args:
        path: of the file; None: keep nothing.
        options: dict of all that findings depend on, beside the videos themselves.
    Raises: UserError: the file cannot be written.
    """

    def __init__(self, path, options):
        self.options = options
        self._findings, self._hashes = {}, {}
        self._file = None
        if path is None:
            return
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            self._load(path)
            self._file = open(path, "a+b")
        except OSError as error:
            raise UserError(f"--out: cannot write {path} ({error.strerror or error}); choose another folder") from error
        self._end_torn_line()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._file is not None:
            self._file.close()

    def finding(self, path):
        """Finding of a video, whatever has become of it since, or None."""
        return self._findings.get(path)

    def hash(self, path, finding):
        """Hex SHA-256 of a file in the state of its finding, or None."""
        return self._hashes.get((path, finding.bytes, finding.mtime_ns))

    def add_finding(self, path, finding):
        self._findings[path] = finding
        self._write({"path": path, "options": self.options, "finding": finding.as_dict()})

    def add_hash(self, path, finding, digest):
        self._hashes[path, finding.bytes, finding.mtime_ns] = digest
        self._write({"path": path, "bytes": finding.bytes, "mtime_ns": finding.mtime_ns, "sha256": digest})

    def _load(self, path):
        if not Path(path).exists():
            return
        for line in Path(path).read_bytes().splitlines():
            try:
                entry = json.loads(line)
                if "sha256" in entry:
                    self._hashes[entry["path"], entry["bytes"], entry["mtime_ns"]] = entry["sha256"]
                elif entry["options"] == self.options:
                    self._findings[entry["path"]] = Finding(**entry["finding"])
            except (ValueError, KeyError, TypeError):
                continue

    def _end_torn_line(self):
        if self._file.tell() == 0:
            return
        self._file.seek(-1, 2)
        if self._file.read(1) != b"\n":
            self._file.write(b"\n")

    def _write(self, entry):
        if self._file is not None:
            self._file.write(json.dumps(entry).encode() + b"\n")
            self._file.flush()
