"""Inspecting artifacts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from entrepot.contracts.advisories import AdvisoryHistory, AdvisoryLookup
    from entrepot.contracts.formats import Format
    from entrepot.contracts.surroundings import Surroundings
    from entrepot.models import Available, Basis, Distribution, PackageInfo, Source, Verdict


@dataclass(frozen=True, slots=True)
class Artifact:
    """The files of one package, on this machine, the main one first; read-only, in quarantine."""

    paths: tuple[Path, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class ScanContext:
    """What a scanner knows besides the files.

    ``info`` is None when the package could not be read; ``problem`` then says why. ``available`` and ``upstream`` are
    None for an uploaded file.
    """

    format: Format
    distribution: Distribution
    info: PackageInfo | None
    problem: str
    available: Available | None
    source: Source | None
    upstream: bytes | None
    keyring: Path | None
    """Keys of the source, or of whoever may bring files in."""
    settings: Mapping[str, Any]
    folder: Path
    now: dt.datetime
    advisories: AdvisoryLookup | None = None
    """The offline vulnerability data; None where there is no catalog to ask."""
    batch: Sequence[PackageInfo] = ()
    """What else comes in with it, as far as is known: packages of the same batch that the policy does not hold back.

    Only for scanners whose ``stage`` is ``batch``; so is ``held``.
    """
    held: Sequence[PackageInfo] = ()
    """What was read in the same batch and is held back; the package itself can be among them."""
    surroundings: Surroundings | None = None
    """What clients of the distribution can install besides the package; None where there is no catalog to ask."""


class Scanner(Protocol):
    """Inspects an artifact. It says what it saw; what follows from that is the policy's business.

    It runs in a process of its own, with limits on time, memory and output, unless it has ``isolated = False``: only
    for one that neither runs foreign code nor reads the files. ``advisories`` and ``surroundings`` are there in both
    cases: from another process, each question goes to the command. It may have the methods of ``ReusableScanner``,
    ``BulkScanner``, ``SteadyScanner`` and ``DemandingScanner``, and ``stage = "batch"`` if it has to know what else
    comes in, which ``ScanContext.batch`` then tells: it is asked again where that turns out to be less. One that has
    ``before_fetch = True`` is also asked about packages that were not fetched: ``Artifact.paths`` is then empty, and
    ``ScanContext.info`` has what the index says.
    With ``arrival = True`` what it says is about how a package came in: a later scan does not ask it again.
    With ``common_basis = True`` its ``basis`` is the same for all packages that a distribution has.
    One that has ``asks_catalog = False`` uses neither ``advisories`` nor ``surroundings``: so workers of a cluster may
    ask it, which have no catalog.
    One that has ``reads_files = False`` never opens ``Artifact.paths``: a later scan does not fetch them.
    """

    name: str
    answers: str
    """The key under which an import's result reports it: ``gpg``, ``antivirus``; its own name for a third party's."""
    version: str
    """Part of what makes a verdict reusable: a verdict of another version of the scanner is asked for again."""

    def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
        """The verdict; an exception is recorded as ``error`` under the scanner's name."""
        ...


@runtime_checkable
class DemandingScanner(Protocol):
    """A scanner that has to be set up before it can look at anything."""

    def unready(self, settings: Mapping[str, Any], advisories: AdvisoryLookup, sources: Sequence[Source]) -> str:
        """What is missing, and what to do about it, in a sentence; empty if nothing is.

        ``settings`` are the scanner's own, ``sources`` all that the workspace has. Asked in the command's own process,
        before packages come in: it has to be quick.
        """
        ...


@runtime_checkable
class ReusableScanner(Protocol):
    """A scanner whose verdicts hold for as long as what they depend on stays the same."""

    def basis(self, context: ScanContext) -> Basis | None:
        """What the verdict about an artifact depends on now; None if it has to be asked anew whatever happens.

        Asked before ``scan``. A verdict that was given for the same artifact by the same version of the scanner, with
        the same settings, on the same basis is used again; one with the status ``error`` never is.
        """
        ...


@runtime_checkable
class BulkScanner(Scanner, Protocol):
    """A scanner that answers about many packages for much less than one after the other.

    Only one that has ``isolated = False``, and is no ``ReusableScanner``. A scan of what is in already asks it so.
    """

    def scan_many(self, packages: Sequence[tuple[Artifact, ScanContext]]) -> Sequence[Verdict]:
        """What ``scan`` would say of each, in their order; of packages of one distribution, with the same settings.

        ``Artifact.paths`` has names of files that are not there. After an exception, or an answer of another length,
        every one of them is shown to ``scan``.
        """
        ...


class Changed(NamedTuple):
    """Packages of a distribution of which a scanner may say something else now."""

    names: Collection[str]
    """Their names, or those of their source packages."""
    spoken: bool
    """Whether it may also be something else of all that do not pass."""


@runtime_checkable
class SteadyScanner(Scanner, Protocol):
    """A scanner that knows of which packages it may say something else than it said.

    Only one with ``isolated = False``. A scan of a whole distribution asks it about those alone. ``context`` is that of
    any package of the distribution.
    """

    def mark(self, context: ScanContext, history: AdvisoryHistory) -> str:
        """What its verdicts depend on besides the packages and the settings, as a text that ``changed`` reads."""
        ...

    def changed(self, since: str, context: ScanContext, history: AdvisoryHistory) -> Changed | None:
        """The packages of which it may say something else than at an earlier ``mark``; None if that may be all."""
        ...


@runtime_checkable
class KeepsDatabases(Protocol):
    """A scanner that compares with data in files, which have to come along to a machine without a network."""

    def databases(self, settings: Mapping[str, Any]) -> Sequence[Path]:
        """The files that it compares with now, each under a name of its own; none where it has none."""
        ...


def is_isolated(scanner: Scanner) -> bool:
    """Whether it runs in a process of its own."""
    return bool(getattr(scanner, "isolated", True))
