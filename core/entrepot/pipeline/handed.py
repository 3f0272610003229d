"""What is handed to scanners besides the package: what comes in with it, and a folder to write to."""

from __future__ import annotations

import os
import pickle
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from entrepot.isolation import Case, Together
from entrepot.models import PackageInfo


class Parcel:
    """Cases as they are sent to workers, made when the first of them needs it."""

    def __init__(self, cases: Sequence[Case]) -> None:
        self._cases = cases

    @cached_property
    def _data(self) -> bytes:
        return pickle.dumps(self._cases, pickle.HIGHEST_PROTOCOL)

    def data(self) -> bytes:
        """The pickle."""
        return self._data


class Companions:
    """The packages of a batch that come in, and those that are held back.

    Workers read them from a file that is written for the first that asks.
    """

    def __init__(self, packages: Sequence[PackageInfo], folder: Path, held: Sequence[PackageInfo] = ()) -> None:
        self.together = Together(list(packages), list(held))
        self._folder = folder

    @cached_property
    def file(self) -> Path:
        """The pickle of both."""
        handle, name = tempfile.mkstemp(dir=self._folder, prefix="batch-")
        with open(handle, "wb") as file:
            pickle.dump(self.together, file, pickle.HIGHEST_PROTOCOL)
        return Path(name)


class Folders:
    """Empty private folders for scanners. One that is left empty is handed out again.

    Few scanners ever write, and making and removing a folder costs as much as reading a small package.
    """

    def __init__(self, parent: Path) -> None:
        self._parent = parent
        self._free: list[Path] = []

    @contextmanager
    def one(self) -> Iterator[Path]:
        """A folder that nobody else has before the end of the context; what is left in it is removed."""
        try:
            folder = self._free.pop()
        except IndexError:
            folder = Path(tempfile.mkdtemp(dir=self._parent))
        yield folder
        if os.listdir(folder):
            shutil.rmtree(folder, ignore_errors=True)
        else:
            self._free.append(folder)
