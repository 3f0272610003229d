"""``kind = "jsonl"``: a file to which every event is added as a line of JSON."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entrepot.errors import DeliveryError
from entrepot_plugins.notifiers.table import Table

if TYPE_CHECKING:
    from entrepot.contracts import Notice


class JsonLines:
    """Adds to one file. Whole lines only, on disk before it is believed; who else does that is waited for."""

    together = 1000

    def __init__(self, path: Path) -> None:
        self._path = path

    def deliver(self, notices: Sequence[Notice], seconds: float) -> None:
        """See ``contracts.Notifier``."""
        lines = [json.dumps(dict(notice.document), sort_keys=True, ensure_ascii=False) for notice in notices]
        data = "".join(f"{line}\n" for line in lines).encode()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
            with os.fdopen(descriptor, "r+b", buffering=0) as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                size = file.seek(0, os.SEEK_END)
                try:
                    left = memoryview(self._cut_line(file, size) + data)
                    while left:
                        # Of what does not fit on the disk the system takes a part, and fails only at the next.
                        left = left[file.write(left) :]
                    os.fsync(file)
                except OSError:
                    # A full disk: half a line helps nobody.
                    file.truncate(size)
                    raise
        except OSError as error:
            raise DeliveryError(f"{self._path} cannot be written: {error.strerror}") from error

    def _cut_line(self, file: Any, size: int) -> bytes:
        """A newline where somebody died within a line."""
        if not size:
            return b""
        file.seek(size - 1)
        return b"" if file.read(1) == b"\n" else b"\n"


class JsonLinesFactory:
    """``path``: the file, below the workspace unless it is absolute."""

    kind = "jsonl"
    hears: Collection[str] = ()

    @contextmanager
    def open(self, name: str, settings: Mapping[str, Any], home: Path) -> Iterator[JsonLines]:
        """See ``contracts.NotifierFactory``."""
        table = Table(name, settings)
        path = home / Path(table.get("path", str)).expanduser()
        table.done()
        yield JsonLines(path)
