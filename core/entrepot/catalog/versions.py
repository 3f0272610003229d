"""Versions of distributions: immutable, numbered sets of packages, stored as what each one added and removed."""

from __future__ import annotations

import datetime as dt
import hashlib
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import InitVar, dataclass, field, replace
from typing import Any

from sqlite_utils import Database

from entrepot.catalog.database import rows, to_json, to_text, to_time
from entrepot.contracts import Candidate
from entrepot.errors import NotFoundError
from entrepot.models import (
    Distribution,
    EntryRef,
    PackageFile,
    PackageInfo,
    PublishedEntry,
    Repository,
    Sha256,
    Version,
)

IN_VERSION = (
    "m.distribution_id = :distribution AND m.added_in <= :number AND (m.removed_in IS NULL OR m.removed_in > :number)"
)


@dataclass(frozen=True, slots=True)
class Addition:
    """A package that is to be part of the next version, at its place. Its text is not kept: there may be many."""

    package_id: int
    info: InitVar[PackageInfo]
    component: str
    location: str
    digest: bytes = field(init=False)
    """16 bytes over all that its entry in a published index depends on."""
    came_as: str = field(init=False)
    """As ``PackageInfo`` has it."""

    def __post_init__(self, info: PackageInfo) -> None:
        state = hashlib.blake2b(digest_size=16)
        for part in (info.raw, self.location.encode(), *(f"{f.name} {f.sha256}".encode() for f in info.files)):
            state.update(len(part).to_bytes(8, "big"))
            state.update(part)
        object.__setattr__(self, "digest", state.digest())
        object.__setattr__(self, "came_as", info.came_as)


@dataclass(frozen=True, slots=True)
class Member:
    """One package of a version."""

    membership_id: int
    package_id: int
    name: str
    version: str
    architecture: str
    kind: str
    component: str
    location: str
    size: int
    sha256: str
    original_sha256: str


class VersionsTable:
    """Tables ``versions`` and ``membership``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def latest(self, distribution: Distribution) -> Version:
        """The newest version; version 0 of a distribution into which nothing came yet."""
        return self._versions("distribution_id = ? ORDER BY number DESC LIMIT 1", distribution.id)[0]

    def get(self, distribution: Distribution, number: int) -> Version:
        """One version; ``NotFoundError`` that names the newest."""
        for version in self._versions("distribution_id = ? AND number = ?", distribution.id, number):
            return version
        newest = self.latest(distribution).number
        raise NotFoundError(f"{distribution.path} has no version {number}", hint=f"its newest version is {newest}")

    def list(self, distribution: Distribution) -> Sequence[Version]:
        """Every version, newest first."""
        return self._versions("distribution_id = ? ORDER BY number DESC", distribution.id)

    def create(
        self,
        distribution: Distribution,
        additions: Sequence[Addition],
        removals: Collection[int],
        message: str,
        now: dt.datetime,
        *,
        restored: Collection[int] = (),
    ) -> Version:
        """Makes the next version from the newest one.

        ``removals`` are ids of memberships; so are ``restored``, of packages that an older version had and that come
        back to the same place.
        """
        before = self.latest(distribution)
        number = before.number + 1
        self._db.conn.executemany(
            "INSERT INTO membership (distribution_id, package_id, component, location, digest, added_in)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            [(distribution.id, a.package_id, a.component, a.location, a.digest, number) for a in additions],
        )
        self._db.conn.execute(
            "INSERT INTO membership (distribution_id, package_id, component, location, digest, added_in)"
            " SELECT distribution_id, package_id, component, location, digest, ? FROM membership"
            " WHERE distribution_id = ? AND id IN (SELECT value FROM json_each(?)) ORDER BY id",
            [number, distribution.id, to_json(sorted(restored))],
        )
        self._db.conn.executemany(
            "UPDATE membership SET removed_in = ? WHERE id = ?", [(number, member) for member in removals]
        )
        self._db.table("versions").insert(
            {
                "distribution_id": distribution.id,
                "number": number,
                "message": message,
                "added": len(additions) + len(restored),
                "removed": len(removals),
                "packages": before.packages + len(additions) + len(restored) - len(removals),
                "created_at": to_text(now),
            }
        )
        return self.get(distribution, number)

    def members(self, distribution: Distribution, number: int, name: str | None = None) -> Iterator[Member]:
        """The packages of a version, or those of one name, in index order."""
        named, joined = "", "membership m JOIN packages p ON p.id = m.package_id"
        if name is not None:
            # In this order: SQLite would rather read the whole version.
            named = " AND p.name = :name"
            joined = """
                packages p CROSS JOIN membership m INDEXED BY idx_membership_package_id ON m.package_id = p.id
            """
        sql = f"""
            SELECT m.id AS membership_id, p.id AS package_id, p.name, p.version, p.architecture, p.kind, m.component,
                m.location, p.size, p.sha256, p.original_sha256
            FROM {joined} WHERE {IN_VERSION}{named}
            ORDER BY p.name, p.version_key, p.architecture, p.sha256, m.id
        """
        parameters = {"distribution": distribution.id, "number": number, "name": name}
        return (Member(**row) for row in rows(self._db, sql, parameters))

    def having(self, distribution: Distribution, number: int, names: Collection[str]) -> Collection[str]:
        """Those of some names that a version has a package of."""
        sql = f"""
            SELECT DISTINCT p.name
            FROM packages p CROSS JOIN membership m INDEXED BY idx_membership_package_id ON m.package_id = p.id
            WHERE p.name IN (SELECT value FROM json_each(:names)) AND {IN_VERSION}
        """
        parameters = {"distribution": distribution.id, "number": number, "names": to_json(sorted(names))}
        return {name for (name,) in self._db.conn.execute(sql, parameters)}

    def changes(self, distribution: Distribution, since: int, until: int) -> Iterator[Member]:
        """Packages that version ``until`` has and version ``since`` has not."""
        sql = f"""
            SELECT m.id AS membership_id, p.id AS package_id, p.name, p.version, p.architecture, p.kind, m.component,
                m.location, p.size, p.sha256, p.original_sha256
            FROM membership m JOIN packages p ON p.id = m.package_id
            WHERE {IN_VERSION} AND NOT (m.added_in <= :since AND (m.removed_in IS NULL OR m.removed_in > :since))
            ORDER BY m.id
        """
        parameters = {"distribution": distribution.id, "number": until, "since": since}
        return (Member(**row) for row in rows(self._db, sql, parameters))

    def count_changes(self, distribution: Distribution, since: int, until: int) -> int:
        """How many packages version ``until`` has and version ``since`` has not."""
        sql = f"""
            SELECT count(*) FROM membership m
            WHERE {IN_VERSION} AND NOT (m.added_in <= :since AND (m.removed_in IS NULL OR m.removed_in > :since))
        """
        parameters = {"distribution": distribution.id, "number": until, "since": since}
        return int(self._db.conn.execute(sql, parameters).fetchone()[0])

    def count_beyond(self, distribution: Distribution, number: int, other: Distribution, other_number: int) -> int:
        """How many packages a version has that a version of another distribution has not in any component."""
        sql = f"""
            SELECT count(*) FROM membership m WHERE {IN_VERSION} AND NOT EXISTS (
                SELECT 1 FROM membership o INDEXED BY idx_membership_package_id
                WHERE o.package_id = m.package_id AND o.distribution_id = :other
                AND o.added_in <= :other_number AND (o.removed_in IS NULL OR o.removed_in > :other_number)
            )
        """
        parameters = {"distribution": distribution.id, "number": number, "other": other.id}
        parameters["other_number"] = other_number
        return int(self._db.conn.execute(sql, parameters).fetchone()[0])

    def beyond(
        self,
        distribution: Distribution,
        number: int,
        other: Distribution,
        other_number: int,
        components: Mapping[str, str] | None = None,
        other_components: Mapping[str, str] | None = None,
    ) -> Iterator[Member]:
        """The packages of a version that a version of another distribution has not, in index order.

        Components are compared by the names that the two mappings give them, by their own where they give none.
        """
        same = "o.component = m.component"
        if components or other_components:
            same = """
                coalesce((SELECT value FROM json_each(:others) WHERE key = o.component), o.component)
                = coalesce((SELECT value FROM json_each(:own) WHERE key = m.component), m.component)
            """
        # Left to itself, SQLite reads the whole of the other version for each package.
        sql = f"""
            SELECT m.id AS membership_id, p.id AS package_id, p.name, p.version, p.architecture, p.kind, m.component,
                m.location, p.size, p.sha256, p.original_sha256
            FROM membership m JOIN packages p ON p.id = m.package_id
            WHERE {IN_VERSION} AND NOT EXISTS (
                SELECT 1 FROM membership o INDEXED BY idx_membership_package_id
                WHERE o.package_id = m.package_id AND o.distribution_id = :other
                AND o.added_in <= :other_number AND (o.removed_in IS NULL OR o.removed_in > :other_number)
                AND {same}
            )
            ORDER BY p.name, p.version_key, p.architecture, p.sha256, m.id
        """
        parameters = {
            "distribution": distribution.id,
            "number": number,
            "other": other.id,
            "other_number": other_number,
            "own": to_json(dict(components or {})),
            "others": to_json(dict(other_components or {})),
        }
        return (Member(**row) for row in rows(self._db, sql, parameters))

    def occupant(self, repository: Repository, location: str, file_name: str) -> str | None:
        """The sha256 of the file that has, or had in any kept version, this path in a repository."""
        sql = """
            SELECT f.sha256 FROM membership m JOIN distributions d ON d.id = m.distribution_id
            JOIN package_files f ON f.package_id = m.package_id
            WHERE m.location = ? AND f.name = ? AND d.repository_id = ? LIMIT 1
        """
        found = self._db.conn.execute(sql, [location, file_name, repository.id]).fetchone()
        return str(found[0]) if found else None

    def paths(self, distribution: Distribution, number: int) -> Iterator[tuple[str, str]]:
        """The path of the main file of each package of a version, with the sha256 that it came with."""
        sql = f"""
            SELECT m.location || '/' || f.name, p.original_sha256
            FROM membership m JOIN packages p ON p.id = m.package_id
            JOIN package_files f ON f.package_id = p.id AND f.position = 0 WHERE {IN_VERSION}
        """
        return iter(self._db.conn.execute(sql, {"distribution": distribution.id, "number": number}))

    def gone_since(self, distribution: Distribution, since: int, number: int) -> Sequence[str]:
        """What version ``since`` had and ``number``, or one in between, left out: names with versions."""
        sql = """
            SELECT p.name || ' ' || p.version FROM membership m JOIN packages p ON p.id = m.package_id
            WHERE m.distribution_id = :distribution AND m.added_in <= :since AND m.removed_in > :since
            AND m.removed_in <= :number AND NOT EXISTS (
                SELECT 1 FROM membership o WHERE o.package_id = m.package_id AND o.location = m.location
                AND o.distribution_id = :distribution AND o.added_in <= :number
                AND (o.removed_in IS NULL OR o.removed_in > :number)
            ) ORDER BY p.name, p.version_key
        """
        parameters = {"distribution": distribution.id, "since": since, "number": number}
        return [row[0] for row in self._db.conn.execute(sql, parameters)]

    def groups(self, distribution: Distribution, number: int) -> Sequence[tuple[str, str, str]]:
        """The (component, kind, architecture) that a version has packages of, sorted."""
        sql = f"""
            SELECT DISTINCT m.component, p.kind, p.architecture FROM membership m JOIN packages p ON p.id = m.package_id
            WHERE {IN_VERSION} ORDER BY 1, 2, 3
        """
        return self._db.conn.execute(sql, {"distribution": distribution.id, "number": number}).fetchall()

    def components(self, distribution: Distribution, number: int) -> Sequence[str]:
        """The components that a version has packages of, sorted."""
        sql = f"SELECT DISTINCT m.component FROM membership m WHERE {IN_VERSION} ORDER BY 1"
        found = self._db.conn.execute(sql, {"distribution": distribution.id, "number": number})
        return [component for (component,) in found]

    def refs(
        self, distribution: Distribution, number: int, component: str, kind: str, architectures: Collection[str]
    ) -> Iterator[EntryRef]:
        """Packages of one index, in index order, without their text."""
        named = {f"a{position}": name for position, name in enumerate(architectures)}
        sql = f"""
            SELECT m.id, m.digest FROM membership m JOIN packages p ON p.id = m.package_id
            WHERE {IN_VERSION} AND m.component = :component AND p.kind = :kind
            AND p.architecture IN ({",".join(f":{name}" for name in named)})
            ORDER BY p.name, p.version_key, p.architecture, p.sha256, m.id
        """
        parameters: dict[str, Any] = {
            "distribution": distribution.id,
            "number": number,
            "component": component,
            "kind": kind,
        }
        return (EntryRef(*row) for row in self._db.conn.execute(sql, parameters | named))

    def entries(self, membership_ids: Sequence[int], *, file_lists: bool = False) -> Sequence[PublishedEntry]:
        """Text, place and files of packages, in the order of ``membership_ids``; with their lists of files if asked.

        ``NotFoundError`` for a package whose list of files was never read.
        """
        marks = ",".join("?" * len(membership_ids))
        files: dict[int, list[PackageFile]] = {}
        sql = f"""
            SELECT m.id, f.name, f.size, f.sha256 FROM membership m JOIN package_files f ON f.package_id = m.package_id
            WHERE m.id IN ({marks}) ORDER BY f.position
        """
        for member, name, size, sha256 in self._db.conn.execute(sql, membership_ids):
            files.setdefault(member, []).append(PackageFile(name, size, Sha256(sha256)))
        sql = f"""
            SELECT m.id, r.raw, m.location FROM membership m JOIN package_raw r ON r.id = m.package_id
            WHERE m.id IN ({marks})
        """
        entries = {
            member: PublishedEntry(raw, location, tuple(files[member]))
            for member, raw, location in self._db.conn.execute(sql, membership_ids)
        }
        if file_lists:
            sql = f"""
                SELECT m.id, l.paths FROM membership m JOIN package_file_lists l ON l.id = m.package_id
                WHERE m.id IN ({marks})
            """
            lists = dict(self._db.conn.execute(sql, membership_ids).fetchall())
            if missing := set(membership_ids) - set(lists):
                raise NotFoundError(f"the files of {len(missing)} packages are not known")
            entries = {
                member: replace(entry, file_list=zlib.decompress(lists[member])) for member, entry in entries.items()
            }
        return [entries[member] for member in membership_ids]

    def without_file_list(
        self, distribution: Distribution, number: int, kinds: Sequence[str]
    ) -> Sequence[tuple[int, str, str]]:
        """Id, name of the main file and its sha256 of packages of some kinds whose list of files was never read."""
        sql = f"""
            SELECT DISTINCT p.id, f.name, f.sha256 FROM membership m JOIN packages p ON p.id = m.package_id
            JOIN package_files f ON f.package_id = p.id AND f.position = 0
            WHERE {IN_VERSION} AND p.kind IN (SELECT value FROM json_each(:kinds))
            AND p.id NOT IN (SELECT id FROM package_file_lists) ORDER BY p.id
        """
        parameters = {"distribution": distribution.id, "number": number, "kinds": to_json(list(kinds))}
        return self._db.conn.execute(sql, parameters).fetchall()

    def candidates(
        self, distribution: Distribution, number: int, names: Collection[str], provided: Collection[str] = ()
    ) -> Iterator[Candidate]:
        """The binary packages of a version that are called or provide one of these names, for the solver.

        Their ids are negative, so that they are no available package's.
        """
        # CROSS JOIN keeps the order: SQLite would rather read the whole version.
        sql = f"""
            SELECT -m.id, p.name, p.version, p.architecture, r.raw
            FROM packages p CROSS JOIN membership m INDEXED BY idx_membership_package_id ON m.package_id = p.id
            CROSS JOIN package_raw r ON r.id = p.id
            WHERE {IN_VERSION} AND p.kind = 'binary' AND p.id IN (
                SELECT id FROM packages WHERE name IN (SELECT value FROM json_each(:names))
                UNION
                SELECT package_id FROM package_provides WHERE name IN (SELECT value FROM json_each(:provided))
            )
        """
        parameters = {
            "distribution": distribution.id,
            "number": number,
            "names": to_json(sorted(names)),
            "provided": to_json(sorted(provided)),
        }
        for row_id, name, version, architecture, raw in self._db.conn.execute(sql, parameters):
            yield Candidate(row_id, name, version, architecture, raw, present=True)

    def everything(self, distribution: Distribution, number: int) -> Iterator[Candidate]:
        """All binary packages of a version, streamed; as ``candidates``."""
        sql = f"""
            SELECT -m.id, p.name, p.version, p.architecture, r.raw FROM membership m
            JOIN packages p ON p.id = m.package_id JOIN package_raw r ON r.id = p.id
            WHERE {IN_VERSION} AND p.kind = 'binary'
        """
        for row in self._db.conn.execute(sql, {"distribution": distribution.id, "number": number}):
            yield Candidate(row[0], row[1], row[2], row[3], row[4], present=True)

    def _versions(self, where: str, *parameters: Any) -> Sequence[Version]:
        columns = "distribution_id, number, created_at, message, added, removed, packages"
        return [
            Version(**(row | {"created_at": to_time(row["created_at"])}))
            for row in rows(self._db, f"SELECT {columns} FROM versions WHERE {where}", parameters)
        ]
