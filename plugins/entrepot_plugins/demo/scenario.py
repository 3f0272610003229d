"""What differs between the demonstrations of two formats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol


class Step(NamedTuple):
    """A program that a client runs, and its environment."""

    command: Sequence[str]
    environment: Mapping[str, str]


class Scenario(Protocol):
    """The main job in one format. ``tree`` is always a folder that was just published."""

    format: str
    distribution: str
    """Of the demonstration's repository, without the repository's name."""
    architecture: str
    client: str
    """The program that is the client; where there is none, no client is shown."""

    def machine_sources(self) -> Iterator[Sequence[str]]:
        """Arguments of ``source add`` for the upstreams that this machine is configured for, the best first."""
        ...

    def build_packages(self, folder: Path, name: str) -> Sequence[Path]:
        """Small packages for an upstream of our own: ``name``, and one that it needs."""
        ...

    def local_source(self, tree: Path) -> Sequence[str]:
        """Arguments of ``source add`` for an upstream of our own, called ``local``."""
        ...

    def client_steps(self, folder: Path, tree: Path, package: str) -> Iterator[Step]:
        """What a client in ``folder`` runs to fetch a package from the tree ``demo``."""
        ...

    def fetched(self, folder: Path) -> Sequence[str]:
        """The names of the package files that the client has afterwards."""
        ...

    def client_file(self, tree: Path) -> Path:
        """The file of the tree that clients are configured with."""
        ...
