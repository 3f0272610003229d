"""What sources say besides packages (advisories, groups, modules ...), and which of it belongs to a version."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlite_utils import Database

from entrepot.catalog.database import from_json, rows, to_json
from entrepot.contracts import VERBATIM
from entrepot.errors import NotFoundError
from entrepot.models import Distribution, Extra, PackageFile, PackageRef, Sha256, Source

IN_VERSION = (
    "m.distribution_id = :distribution AND m.added_in <= :number AND (m.removed_in IS NULL OR m.removed_in > :number)"
)

Steps = tuple[Sequence[int], Sequence[int]]
"""From the extras of one version to those of another: ids of extras to come, and of memberships to end."""


class ExtrasTable:
    """Tables ``extras``, ``extra_raw``, ``extra_packages``, ``extra_files``, ``source_extras``, ``extra_membership``.

    An extra is known by its content: what two sources say alike is one row.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    def replace(self, index_id: int, extras: Iterable[Extra]) -> int:
        """Makes the extras of one index those that are given, and answers how many there are."""
        self.clear(index_id)
        count = 0
        for count, extra in enumerate(extras, 1):  # noqa: B007
            self._db.conn.execute(
                "INSERT OR IGNORE INTO source_extras (index_id, extra_id) VALUES (?, ?)", [index_id, self._add(extra)]
            )
        return count

    def clear(self, index_id: int) -> None:
        """Forgets what one index said; what versions took of it stays."""
        self._db.conn.execute("DELETE FROM source_extras WHERE index_id = ?", [index_id])

    def remove_source(self, source: Source) -> None:
        """Forgets what a source said."""
        self._db.conn.execute(
            "DELETE FROM source_extras WHERE index_id IN (SELECT id FROM source_indexes WHERE source_id = ?)",
            [source.id],
        )

    def packages(self, extra_id: int) -> Sequence[PackageRef]:
        """What an extra is about."""
        sql = "SELECT name, version, architecture FROM extra_packages WHERE extra_id = ? ORDER BY id"
        return [PackageRef(*row) for row in self._db.conn.execute(sql, [extra_id])]

    def offered(self, source: Source | None, kind: str | None, name: str | None) -> Iterator[dict[str, Any]]:
        """What sources say now, as rows with ``data`` decoded; None is any source, kind or package."""
        sql = """
            SELECT DISTINCT e.id, o.name AS source, e.kind, e.name, e.title, e.data FROM extras e
            JOIN source_extras s ON s.extra_id = e.id JOIN source_indexes i ON i.id = s.index_id
            JOIN sources o ON o.id = i.source_id
            WHERE (:source IS NULL OR o.id = :source) AND (:kind IS NULL OR e.kind = :kind)
            AND (:name IS NULL OR e.id IN (SELECT extra_id FROM extra_packages WHERE name = :name))
            ORDER BY o.name, e.kind, e.name, e.id
        """
        parameters = {"source": source.id if source else None, "kind": kind, "name": name}
        for row in rows(self._db, sql, parameters):
            yield row | {"data": from_json(row["data"])}

    def get(self, extra_id: int) -> Extra:
        """One of them, with the packages it is about."""
        sql = "SELECT kind, name, title, data, raw FROM extras JOIN extra_raw USING (id) WHERE id = ?"
        for row in rows(self._db, sql, [extra_id]):
            packages, files = tuple(self.packages(extra_id)), self._files(extra_id)
            return Extra(row["kind"], row["name"], row["title"], from_json(row["data"]), row["raw"], packages, files)
        raise NotFoundError(f"there is nothing with id {extra_id}", hint="`entrepot extra list` shows the ids")

    # ------------------------------------------------------------------------------------------------ versions

    def changes(self, distribution: Distribution, number: int, index: int | None = None) -> Steps:
        """The extras that a version lacks and those that it has too many: (ids of extras, ids of memberships).

        A version should have those of the sources it took packages from which are about a package that it holds, or
        about none in particular. An upstream's own index, ``index``, comes where it is meant only; a verbatim
        distribution has what came with it, and no other, until there is a new one.
        """
        if distribution.verbatim and index is None:
            return (), ()
        parameters = {"distribution": distribution.id, "number": number, "verbatim": VERBATIM}
        # Starts from the few sources that say anything, not from the imports: APT has tens of thousands, and no extras.
        offered = f"""
            SELECT DISTINCT s.extra_id FROM source_extras s JOIN source_indexes i ON i.id = s.index_id
            WHERE i.source_id IN (
                SELECT told.source_id FROM (
                    SELECT DISTINCT i.source_id FROM source_extras s JOIN source_indexes i ON i.id = s.index_id
                ) told WHERE EXISTS (
                    SELECT 1 FROM imports p CROSS JOIN membership m ON m.package_id = p.package_id
                    WHERE p.distribution_id = :distribution AND p.source_id = told.source_id AND {IN_VERSION}
                )
            )
        """
        if self._db.conn.execute(f"{offered} LIMIT 1", parameters).fetchone() is None:
            wanted: set[int] = set()
        else:
            sql = f"""
                WITH offered AS ({offered})
                SELECT extra_id FROM offered WHERE extra_id NOT IN (SELECT extra_id FROM extra_packages)
                AND extra_id NOT IN (SELECT id FROM extras WHERE kind = :verbatim)
                UNION
                SELECT e.extra_id FROM membership m JOIN packages p ON p.id = m.package_id
                JOIN extra_packages e ON e.name = p.name AND e.version IN ('', p.version)
                    AND e.architecture IN ('', p.architecture)
                WHERE {IN_VERSION} AND e.extra_id IN (SELECT extra_id FROM offered)
            """
            wanted = {row[0] for row in self._db.conn.execute(sql, parameters)}
        wanted |= set() if index is None else {index}
        return self._steps(distribution, number, wanted)

    def _steps(self, distribution: Distribution, number: int, wanted: Collection[int]) -> Steps:
        held = self._held(distribution, number)
        return sorted(set(wanted) - set(held)), [row for extra, row in held.items() if extra not in wanted]

    def save(self, distribution: Distribution, number: int, added: Sequence[int], removed: Sequence[int]) -> None:
        """Makes extras part of a version, or no longer part of it and those after it."""
        self._db.conn.executemany(
            "INSERT INTO extra_membership (distribution_id, extra_id, added_in) VALUES (?, ?, ?)",
            [(distribution.id, extra_id, number) for extra_id in added],
        )
        self._db.conn.executemany(
            "UPDATE extra_membership SET removed_in = ? WHERE id = ?", [(number, row_id) for row_id in removed]
        )

    def restoration(self, distribution: Distribution, old: int, new: int) -> Steps:
        """What makes version ``new`` have the extras of version ``old``; as ``changes``."""
        return self._steps(distribution, new, self._held(distribution, old))

    def likeness(self, distribution: Distribution, number: int, origin: Distribution, version: int) -> Steps:
        """What makes a version have the extras of a version of another distribution."""
        return self._steps(distribution, number, self._held(origin, version))

    def index_of(self, distribution: Distribution, number: int) -> tuple[int, int] | None:
        """The upstream's own index that a version has: id of the extra, and the version that it came with."""
        sql = f"""
            SELECT e.id, m.added_in FROM extra_membership m JOIN extras e ON e.id = m.extra_id
            WHERE {IN_VERSION} AND e.kind = :verbatim
        """
        parameters = {"distribution": distribution.id, "number": number, "verbatim": VERBATIM}
        found: tuple[int, int] | None = self._db.conn.execute(sql, parameters).fetchone()
        return found

    def _held(self, distribution: Distribution, number: int) -> Mapping[int, int]:
        """The memberships of the extras that a version has, by extra."""
        sql = f"SELECT m.extra_id, m.id FROM extra_membership m WHERE {IN_VERSION}"
        return dict(self._db.conn.execute(sql, {"distribution": distribution.id, "number": number}).fetchall())

    def kinds(self, distribution: Distribution, number: int) -> Sequence[str]:
        """The kinds of extras that a version has, sorted."""
        sql = f"""
            SELECT DISTINCT e.kind FROM extra_membership m JOIN extras e ON e.id = m.extra_id
            WHERE {IN_VERSION} ORDER BY 1
        """
        parameters = {"distribution": distribution.id, "number": number}
        return [row[0] for row in self._db.conn.execute(sql, parameters)]

    def members(self, distribution: Distribution, number: int, kind: str) -> Iterator[Extra]:
        """The extras of one kind that a version has, by name, without the packages they are about."""
        sql = f"""
            SELECT e.id, e.kind, e.name, e.title, e.data, r.raw,
                EXISTS (SELECT 1 FROM extra_files f WHERE f.extra_id = e.id)
            FROM extra_membership m JOIN extras e ON e.id = m.extra_id
            JOIN extra_raw r ON r.id = e.id WHERE {IN_VERSION} AND e.kind = :kind ORDER BY e.name, e.digest
        """
        parameters = {"distribution": distribution.id, "number": number, "kind": kind}
        for extra_id, kind_, name, title, data, raw, has_files in self._db.conn.execute(sql, parameters):
            files = self._files(extra_id) if has_files else ()
            yield Extra(kind_, name, title, from_json(data), raw, files=files)

    def digests(self, distribution: Distribution, number: int) -> Sequence[tuple[int, bytes]]:
        """Id and digest (16 bytes, as ``extra_digest``) of every extra that a version has, by kind and name."""
        sql = f"""
            SELECT e.id, e.digest FROM extra_membership m JOIN extras e ON e.id = m.extra_id
            WHERE {IN_VERSION} ORDER BY e.kind, e.name, e.digest
        """
        return self._db.conn.execute(sql, {"distribution": distribution.id, "number": number}).fetchall()

    def find(self, digest: bytes) -> Extra | None:
        """The extra with a digest, if some source or version ever had it."""
        found = self._db.conn.execute("SELECT id FROM extras WHERE digest = ?", [digest]).fetchone()
        return self.get(found[0]) if found else None

    def _files(self, extra_id: int) -> tuple[PackageFile, ...]:
        sql = "SELECT name, size, sha256 FROM extra_files WHERE extra_id = ? ORDER BY position"
        return tuple(PackageFile(name, size, Sha256(sha)) for name, size, sha in self._db.conn.execute(sql, [extra_id]))

    def _add(self, extra: Extra) -> int:
        digest = extra_digest(extra)
        found = self._db.conn.execute("SELECT id FROM extras WHERE digest = ?", [digest]).fetchone()
        if found:
            return int(found[0])
        row = [extra.kind, extra.name, extra.title, to_json(dict(extra.data)), digest]
        sql = "INSERT INTO extras (kind, name, title, data, digest) VALUES (?, ?, ?, ?, ?) RETURNING id"
        extra_id = int(self._db.conn.execute(sql, row).fetchone()[0])
        self._db.conn.execute("INSERT INTO extra_raw (id, raw) VALUES (?, ?)", [extra_id, extra.raw])
        self._db.conn.executemany(
            "INSERT INTO extra_packages (extra_id, name, version, architecture) VALUES (?, ?, ?, ?)",
            [(extra_id, ref.name, ref.version, ref.architecture) for ref in extra.packages],
        )
        self._db.conn.executemany(
            "INSERT INTO extra_files (extra_id, position, name, size, sha256) VALUES (?, ?, ?, ?, ?)",
            [(extra_id, position, file.name, file.size, file.sha256) for position, file in enumerate(extra.files)],
        )
        return extra_id


def extra_digest(extra: Extra) -> bytes:
    """What an extra is known by: 16 bytes over all that it says, and what it is about."""
    identity = to_json([extra.kind, extra.name, [[p.name, p.version, p.architecture] for p in extra.packages]])
    return hashlib.blake2b(identity.encode() + b"\0" + extra.raw, digest_size=16).digest()
