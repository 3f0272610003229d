"""Lists of packages in files beside the settings: a glob in each line."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from entrepot.errors import SettingsError
from entrepot.policies.table import Table

MAX_BYTES = 4 << 20
MAX_GLOB = 300
"""Characters of one line's glob."""
_WILD = frozenset("*?[")


class Line(NamedTuple):
    """A line that says something: its number from 1, the glob, and what stands behind ``#``."""

    number: int
    glob: str
    comment: str


@dataclass(frozen=True, slots=True)
class GlobFile:
    """The lines of a list. Names without wildcards are looked up: lists of malware have thousands of them."""

    path: str
    """As the settings have it."""
    names: Mapping[str, Line]
    globs: tuple[Line, ...]

    def __len__(self) -> int:
        return len(self.names) + len(self.globs)

    def line_for(self, name: str) -> Line | None:
        """The line that fits a package: the one with its very name, else the first glob."""
        found = self.names.get(name)
        return found or next((line for line in self.globs if fnmatchcase(name, line.glob)), None)


def read_globs(table: Table, name: str | int, path: str) -> GlobFile:
    """The list that a value of the settings names, by a path in the workspace.

    ``SettingsError`` names the line of the settings if the file cannot be had, and its own line if that is no glob.
    """
    full = table.file.folder / path
    try:
        text = _content(table.file.folder, path).decode()
    except UnicodeDecodeError as error:
        raise table.error(name, f"names {path}, which is not UTF-8") from error
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise table.error(name, f"names {path}, which cannot be used: {why}") from error
    names: dict[str, Line] = {}
    globs = []
    for number, line in enumerate(text.split("\n"), 1):
        glob, _, comment = (part.strip() for part in line.partition("#"))
        if not glob:
            continue
        if len(glob) > MAX_GLOB or not glob.isprintable() or " " in glob:
            message = f"a line has one glob of a package's name, of at most {MAX_GLOB} characters, and no spaces"
            raise SettingsError(f"{full}:{number}: {message}", path=str(full), line=number)
        if _WILD.isdisjoint(glob):
            names.setdefault(glob, Line(number, glob, comment))
        else:
            globs.append(Line(number, glob, comment))
    if not names and not globs:
        # A download that failed must not let everything through.
        raise table.error(name, f"names {path}, which has no entry")
    return GlobFile(path, names, tuple(globs))


def _content(home: Path, path: str) -> bytes:
    """The bytes of a regular file in the workspace, wherever links lead."""
    full = (home / path).resolve(strict=True)
    if not full.is_relative_to(home.resolve()):
        raise ValueError("it is not in the workspace")
    # A pipe would be waited for.
    with open(os.open(full, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("it is no file")
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES} bytes")
    return content
