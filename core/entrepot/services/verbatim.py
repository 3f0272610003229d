"""Verbatim distributions: they publish an upstream's own signed indexes, with all the packages that those name.

A signed index cannot leave a package out. So a version is made with the index and every package that it names, or not
at all; and one that lost a package afterwards is not published.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from entrepot.catalog.choice import Named
from entrepot.catalog.extras import Steps
from entrepot.catalog.versions import Member
from entrepot.contracts import VERBATIM, PublishesVerbatim
from entrepot.errors import BatchError, ConflictError, EntrepotError, NotFoundError, UsageError
from entrepot.events import ImportResult
from entrepot.models import Distribution, Source
from entrepot.query import EVERYTHING, Match, Query

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

SHOWN = 5
STAYS = "what is in place stays: an index that upstream has signed cannot leave a package out"


@dataclass(frozen=True, slots=True)
class UpstreamIndex:
    """The index that a source has now for a verbatim distribution, as ``pipeline.bulk`` needs it.

    ``upstream`` is what the source calls the distribution; empty where it has but one.
    """

    workspace: Workspace
    source: Source
    distribution: Distribution
    extra_id: int
    upstream: str

    @classmethod
    def find(cls, workspace: Workspace, source: Source, distribution: Distribution) -> UpstreamIndex:
        """What the last sync brought; ``NotFoundError`` if it kept no index for this distribution."""
        _builder(workspace, distribution)
        rows = list(workspace.catalog.extras.offered(source, VERBATIM, None))
        for row in rows:
            if row["name"] in ("", distribution.name):
                return cls(workspace, source, distribution, row["id"], row["name"])
        if not rows:
            raise NotFoundError(
                f"{source.name} keeps no indexes as they come, and {distribution.path} publishes nothing else",
                hint=f"`entrepot source set {source.name} --verbatim`, then sync and mirror again",
            )
        names = ", ".join(sorted(row["name"] for row in rows))
        raise NotFoundError(
            f"{source.name} has no distribution {distribution.name!r}",
            hint=f"a verbatim distribution is called as upstream calls it: {names}",
        )

    @property
    def query(self) -> Query:
        """What is mirrored: all that the index names."""
        return Match("distribution", "=", self.upstream, literal=True) if self.upstream else EVERYTHING

    def folders(self) -> Mapping[int, str]:
        """Where each package has to be, by available id."""
        return {row.id: path.rpartition("/")[0] for row, path in self._named()}

    def moved(self, number: int) -> Sequence[tuple[Member, str]]:
        """What a version has in another folder than upstream has it, with that folder."""
        folders = {row.sha256: path.rpartition("/")[0] for row, path in self._named() if row.sha256}
        members = self.workspace.catalog.versions.members(self.distribution, number)
        found = ((member, folders.get(member.original_sha256, member.location)) for member in members)
        return [(member, folder) for member, folder in found if folder != member.location]

    def check(self, number: int) -> None:
        """``BatchError`` that names what of the index a version has not, at its place and with its content."""
        if UpstreamIndex.find(self.workspace, self.source, self.distribution).extra_id != self.extra_id:
            raise ConflictError(
                f"{self.source.name} was synced while it was mirrored", hint="nothing was changed; mirror again"
            )
        held = dict(self.workspace.catalog.versions.paths(self.distribution, number))
        lacking = [
            (str(row), EntrepotError(f"{path} is not there as upstream has it"))
            for row, path in self._named()
            if path not in held or row.sha256 not in ("", held[path])
        ]
        if lacking:
            raise _refusal(self.distribution, lacking)

    def _named(self) -> Iterator[tuple[Named, str]]:
        """All that the index names, with the path in the tree."""
        root = _builder(self.workspace, self.distribution).upstream_root(self.distribution)
        for row in self.workspace.catalog.choice.named(self.source, self.upstream):
            path = f"{root}{row.location}"
            if "://" in row.location or "/" not in path:
                raise ConflictError(
                    f"{self.source.name} has {row} at {row.location}, which is no place in a tree",
                    hint="mirror it into a distribution that is not verbatim",
                )
            yield row, path


def refuse_switch(distribution: Distribution, not_in: Sequence[ImportResult]) -> None:
    """``BatchError`` that names packages which did not come in, each with the reason; nothing if all did."""
    if not_in:
        lacking = [(f"{item.package}:{item.architecture}={item.version}", item) for item in not_in]
        raise _refusal(
            distribution, [(label, EntrepotError(f"{item.status}: {item.message}")) for label, item in lacking]
        )


def refuse_incomplete(workspace: Workspace, distribution: Distribution, number: int) -> None:
    """``ConflictError`` if a version has an upstream's index and not all that it names any more."""
    found = workspace.catalog.extras.index_of(distribution, number)
    if found is None:
        return
    gone = workspace.catalog.versions.gone_since(distribution, found[1], number)
    if gone:
        more = f" and {len(gone) - SHOWN} more" if len(gone) > SHOWN else ""
        raise ConflictError(
            f"version {number} of {distribution.path} lacks what its upstream's index names: "
            f"{', '.join(gone[:SHOWN])}{more}",
            hint=f"{STAYS}; mirror again once upstream has something else, or publish indexes of its own "
            f"(`entrepot dist set {distribution.path} --no-verbatim`)",
        )


def follow(
    workspace: Workspace, origin: tuple[Distribution, int], distribution: Distribution, *, hold_refused: bool
) -> Carried | None:
    """How a promotion makes a verbatim distribution what a version of another one is; None if it is none.

    ``UsageError`` where upstream's index would not fit.
    """
    if not distribution.verbatim:
        return None
    catalog, (other, number) = workspace.catalog, origin
    found = catalog.extras.index_of(other, number)
    if found is None:
        refuse_change(distribution, f"{other.path} version {number} has no index of an upstream")
        return None
    if hold_refused:
        refuse_change(distribution, "nothing can be left out")
    refuse_incomplete(workspace, other, number)
    name = catalog.extras.get(found[0]).name
    if name not in ("", distribution.name):
        raise UsageError(f"the index of {other.path} is that of {name!r}, and clients would notice")
    tree = _builder(workspace, distribution)
    return Carried(workspace, other, number, distribution, tree.upstream_root(other), tree.upstream_root(distribution))


@dataclass(frozen=True, slots=True)
class Carried:
    """An upstream's index that comes to ``distribution`` with a version of ``origin``."""

    workspace: Workspace
    origin: Distribution
    number: int
    distribution: Distribution
    old_root: str
    new_root: str

    def extras(self, number: int) -> Steps:
        """What makes a version of the distribution have what the origin has besides packages."""
        return self.workspace.catalog.extras.likeness(self.distribution, number, self.origin, self.number)

    def location(self, member: Member) -> str:
        """Where a package of the origin has to be."""
        return f"{self.new_root}{member.location.removeprefix(self.old_root)}".rstrip("/")

    def check(self, number: int) -> None:
        """``ConflictError`` unless a version has at their places what the origin has."""
        versions = self.workspace.catalog.versions
        held = dict(versions.paths(self.distribution, number))
        for path, sha256 in versions.paths(self.origin, self.number):
            place = f"{self.new_root}{path.removeprefix(self.old_root)}"
            if held.get(place) != sha256:
                raise ConflictError(
                    f"{self.distribution.path} would not have {place} as upstream's index names it",
                    hint="promote into a distribution that was verbatim from its beginning",
                )


def refuse_change(distribution: Distribution, what: str) -> None:
    """``UsageError`` if a distribution is verbatim: it has what upstream has."""
    if distribution.verbatim:
        raise UsageError(
            f"{distribution.path} is verbatim: {what}",
            hint=f"it has what its upstream has, by `entrepot mirror SOURCE --to {distribution.path}`",
        )


def _builder(workspace: Workspace, distribution: Distribution) -> PublishesVerbatim:
    tree = workspace.format(distribution.format).tree
    if not isinstance(tree, PublishesVerbatim):
        raise UsageError(f"the format {distribution.format} publishes no upstream's indexes")
    return tree


def _refusal(distribution: Distribution, lacking: Sequence[tuple[str, EntrepotError]]) -> BatchError:
    error = BatchError(f"{len(lacking)} packages keep {distribution.path} from following its upstream", lacking)
    error.hint = f"{STAYS}; decide about them with `entrepot review`, or mirror again when they can be had"
    return error
