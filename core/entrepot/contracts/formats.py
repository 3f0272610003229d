"""A package format: the objects above, held together by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from entrepot.contracts.indexes import ClientFiles, IndexReader, Option, VersionScheme
    from entrepot.contracts.packages import PackageReader
    from entrepot.contracts.solving import Solver
    from entrepot.contracts.trees import TreeBuilder
    from entrepot.models import UnpackingLimits


class Format(Protocol):
    """A package format: six objects, each to be read, tested and replaced alone."""

    name: str
    title: str
    independent_architecture: str
    """The architecture of packages that fit every machine: ``all``, ``noarch``."""
    source_options: tuple[Option, ...]
    distribution_options: tuple[Option, ...]

    # Read-only, so that a format may make each of them when it is first asked for.
    @property
    def versions(self) -> VersionScheme: ...
    @property
    def index(self) -> IndexReader: ...
    @property
    def packages(self) -> PackageReader: ...
    @property
    def solver(self) -> Solver: ...
    @property
    def tree(self) -> TreeBuilder: ...
    @property
    def clients(self) -> ClientFiles: ...


@runtime_checkable
class LimitsUnpacking(Protocol):
    """A format that reads packages within the limits of the settings."""

    def limit(self, limits: UnpackingLimits) -> None:
        """Told before a package is read, with the same limits any number of times."""
        ...
