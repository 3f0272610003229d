"""Asks the program clamscan, which loads all signatures for every call: so it is called for many files at once."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from entrepot_plugins.scanners.clamav.engine import (
    ClamavError,
    Found,
    Piece,
    Tally,
    Version,
    parse_version,
    shortened,
    verdict_of,
)

BATCH_BYTES = 256 << 20
BATCH_FILES = 5000
"""What is written to the disk for one call."""
_CLEAN, _INFECTED = 0, 1


class Clamscan:
    """The program, with the signatures of ``database``; files are kept in ``folder``."""

    tool = "clamscan"

    def __init__(self, program: str, database: Path, timeout: float, folder: Path, limit: int) -> None:
        self.reached = program
        self._database = [f"--database={database}"]
        self._timeout = timeout
        self._folder = folder
        self._limit = limit

    def version(self) -> Version:
        """What ``--version`` says."""
        code, out, err = self._run(["--version", *self._database])
        if code != _CLEAN:
            raise ClamavError(f"it ended with {code}: {_last(err)}")
        return parse_version(out.strip())

    def look(self, pieces: Iterable[Piece], tally: Tally) -> Iterator[Found]:
        """Every piece as a file under a name of our own."""
        ahead = iter(pieces)
        more = True
        while more:
            with tempfile.TemporaryDirectory(prefix="clamscan-", dir=self._folder) as name:
                folder = Path(name)
                written: dict[str, str] = {}
                size, more = 0, False
                for piece in ahead:
                    tally.files += 1
                    path = folder / f"{len(written):06}"
                    with path.open("wb") as file:
                        size += sum(file.write(chunk) for chunk in piece.chunks)
                    written[path.name] = piece.where
                    if size >= BATCH_BYTES or len(written) >= BATCH_FILES:
                        more = True
                        break
                tally.bytes += size
                if written:
                    tally.requests += 1
                    yield from self._scan(folder, written)

    def _scan(self, folder: Path, written: Mapping[str, str]) -> Iterator[Found]:
        largest = 2 * self._limit
        options = [
            *("--no-summary", "--stdout", "--recursive", "--alert-exceeds-max=yes", "--alert-encrypted=yes"),
            *(f"--max-filesize={largest}", f"--max-scansize={4 * largest}"),
        ]
        code, out, err = self._run([*options, *self._database, str(folder)])
        if code not in (_CLEAN, _INFECTED):
            raise ClamavError(f"it ended with {code}: {_last(err) or _last(out)}")
        left = dict(written)
        infected = False
        for line in out.splitlines():
            path, colon, text = line.removeprefix(f"{folder}/").partition(": ")
            where = left.pop(path, None) if colon else None
            if where is None:
                raise ClamavError(f"it wrote {shortened(line)}")
            if text == "Empty file":
                continue
            if found := verdict_of(text, where):
                infected = True
                yield found
        if left:
            raise ClamavError(f"it said nothing about {next(iter(left.values()))}")
        if infected != (code == _INFECTED):
            raise ClamavError(f"it ended with {code}, which is not what it wrote")

    def _run(self, arguments: Sequence[str]) -> tuple[int, str, str]:
        try:
            done = subprocess.run(
                [self.reached, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=self._timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ClamavError(f"it did not end within {self._timeout:g} seconds") from error
        except OSError as error:
            raise ClamavError(f"it cannot be started: {error.strerror}") from error
        return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")


def _last(text: str) -> str:
    lines = text.strip().splitlines()
    return shortened(lines[-1]) if lines else ""
