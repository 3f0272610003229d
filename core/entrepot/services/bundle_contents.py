"""What goes into a bundle besides its manifest: collected, written to files, and told by its digests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entrepot.bundles import Feed, Listed, Manifest, Member
from entrepot.bundles.manifest import EXTRAS, ROWS, feed_member, scanner_file
from entrepot.bundles.records import Row, advisory_json, extra_json, fact_json, facts_digest, line_of, row_json
from entrepot.catalog.database import to_text
from entrepot.catalog.imports import StoredVerdict
from entrepot.contracts import KeepsDatabases
from entrepot.errors import BundleError, NotFoundError, UsageError
from entrepot.models import Distribution, PackageFile, Version
from entrepot.query import Query
from entrepot.services.bundle_choice import chosen_members

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

TOGETHER = 200
"""Packages whose text is in memory at once."""


@dataclass(slots=True)
class Contents:
    """What goes into the archive besides manifest and signature, as it is put together."""

    folder: Path
    packages: list[Listed] = field(default_factory=list)
    extras: list[str] = field(default_factory=list)
    extra_files: dict[str, PackageFile] = field(default_factory=dict)
    feeds: list[Feed] = field(default_factory=list)
    members: dict[str, tuple[Member, Path]] = field(default_factory=dict)
    carried: int = 0

    def add(self, name: str, lines: Iterable[bytes]) -> bool:
        """Writes a member of lines, unless there are none."""
        path = self.folder / f"{len(self.members)}.part"
        state, size = hashlib.sha256(), 0
        with path.open("wb") as file:
            for line in lines:
                state.update(line)
                size += file.write(line)
        if size:
            self.members[name] = (Member(name, size, state.hexdigest()), path)
        return size > 0

    def add_file(self, name: str, path: Path) -> None:
        """Adds a file of this machine; it has to stay as it is until it is written."""
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        self.members[name] = (Member(name, path.stat().st_size, sha256), path)

    def payload(self, held: set[str]) -> tuple[PackageFile, ...]:
        """The files of all that is listed, without those that an earlier bundle carried."""
        files = [file for item in self.packages for file in item.files]
        found = {file.sha256: file for file in (*files, *self.extra_files.values()) if file.sha256 not in held}
        return tuple(found.values())


def add_packages(
    workspace: Workspace,
    contents: Contents,
    distribution: Distribution,
    version: Version,
    query: Query,
    base: Manifest | None,
) -> None:
    carried = {item.row for item in base.packages} if base else set()
    catalog = workspace.catalog
    members = chosen_members(workspace, distribution, version, query)
    suites = catalog.carried.suites(distribution)
    tree = workspace.format(distribution.format).tree

    def lines() -> Iterator[bytes]:
        for start in range(0, len(members), TOGETHER):
            batch = members[start : start + TOGETHER]
            entries = catalog.versions.entries([member.membership_id for member in batch])
            verdicts = catalog.imports.last_verdicts([member.original_sha256 for member in batch], distribution.id)
            for member, entry in zip(batch, entries, strict=True):
                raw = tree.index_row(entry)
                digest = hashlib.blake2b(raw, digest_size=16).hexdigest()
                contents.packages.append(
                    Listed(
                        name=member.name,
                        version=member.version,
                        architecture=member.architecture,
                        kind=member.kind,
                        component=member.component,
                        suite=suites.get(member.package_id, ""),
                        row=digest,
                        files=entry.files,
                    )
                )
                if digest not in carried:
                    contents.carried += 1
                    said = verdicts.get(member.original_sha256, {})
                    yield line_of(row_json(Row(digest, raw, [_told(said[name]) for name in sorted(said)])))

    contents.add(ROWS, lines())
    _add_extras(workspace, contents, distribution, version, base)


def _told(stored: StoredVerdict) -> Mapping[str, Any]:
    """A verdict as the receiver reads it."""
    verdict = stored.verdict
    return {
        "scanner": stored.scanner,
        "status": verdict.status.value,
        "reason": verdict.reason,
        "message": verdict.message,
        "tool": verdict.tool,
        "tool_version": verdict.tool_version,
        "database_version": verdict.database_version,
        "given_at": to_text(stored.given_at) if stored.given_at else "",
        "findings": [finding.id for finding in verdict.findings],
    }


def _add_extras(
    workspace: Workspace, contents: Contents, distribution: Distribution, version: Version, base: Manifest | None
) -> None:
    """What sources said besides packages, as far as it is about none in particular, or about one that is listed."""
    carried = set(base.extras) if base else set()
    names = {item.name for item in contents.packages}
    extras = workspace.catalog.extras

    def lines() -> Iterator[bytes]:
        for extra_id, digest in extras.digests(distribution, version.number):
            extra = extras.get(extra_id)
            if extra.packages and not any(ref.name in names for ref in extra.packages):
                continue
            contents.extras.append(digest.hex())
            contents.extra_files.update({file.sha256: file for file in extra.files})
            if digest.hex() not in carried:
                yield line_of(extra_json(extra))

    contents.add(EXTRAS, lines())


def add_feeds(workspace: Workspace, contents: Contents, names: Sequence[str] | None, base: Manifest | None) -> None:
    table, carried = workspace.catalog.advisories, workspace.catalog.carried
    earlier = {feed.name: feed for feed in base.feeds} if base else {}
    feeds = table.list() if names is None else [table.get(name) for name in dict.fromkeys(names)]
    for feed in feeds:
        before = earlier.get(feed.name)
        held = {bytes.fromhex(digest) for digest in before.advisories} if before else set()
        facts = facts_digest(carried.facts(feed))
        lines = [(line_of(advisory_json(digest, item)) for digest, item in carried.advisories(feed, held))]
        if facts and (before is None or before.facts != facts):
            lines.append(line_of(fact_json(fact)) for fact in carried.facts(feed))
        member = feed_member(feed.name)
        came = contents.add(member, (line for group in lines for line in group))
        digests = tuple(digest.hex() for digest in carried.advisory_digests(feed))
        contents.feeds.append(Feed(feed.name, feed.format, feed.generation, digests, facts, member if came else ""))


def add_scanners(workspace: Workspace, contents: Contents, names: Sequence[str]) -> None:
    keepers: dict[str, object] = dict(workspace.plugins.scanners)
    known = {name: scanner for name, scanner in keepers.items() if isinstance(scanner, KeepsDatabases)}
    for name in dict.fromkeys(names):
        if name not in known:
            raise UsageError(f"no scanner {name!r} has files to carry", hint=f"there are {', '.join(known) or 'none'}")
        files = known[name].databases(workspace.settings.scanners.get(name, {}))
        if not files:
            raise NotFoundError(f"the scanner {name} has no files here", hint="set up where its signatures are")
        for path in files:
            member = f"scanners/{name}/{path.name}"
            if scanner_file(member) is None:
                raise BundleError(f"{path} has a name that no bundle can carry", member=member)
            contents.add_file(member, path)


def files_of(manifest: Manifest) -> set[str]:
    files = [file.sha256 for item in manifest.packages for file in item.files]
    return {*files, *(file.sha256 for file in manifest.extra_files)}
