"""What is in the newest version of a distribution, or waits to be, with the import that brought it: for scans."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from sqlite_utils import Database

from entrepot.catalog.database import to_json
from entrepot.catalog.packages import PackagesTable
from entrepot.models import Available, Distribution, ImportState, PackageInfo

CHUNK = 500
"""Packages that are looked at together; bounds the memory of a scan."""

_IMPORT = """
    SELECT i.id FROM imports i WHERE i.sha256 = p.sha256 AND i.distribution_id = :distribution
    AND (i.state IN ('published', 'already_published') OR (i.state = 'pending_review' AND i.reopened_at IS NOT NULL))
    ORDER BY i.state = 'pending_review' DESC, i.state = 'published' DESC, i.id DESC LIMIT 1
"""
"""The import that answers for a package that is in: one that was opened again, else the last that brought it."""

_Arrival = tuple[ImportState | None, Available | None, bytes | None, int | None, str]
"""What an import says of how a package came: the last fields of ``Holding``."""


@dataclass(frozen=True, slots=True)
class Holding:
    """A package of a distribution. ``membership_id`` is None if it is not in the newest version."""

    info: PackageInfo
    package_id: int
    membership_id: int | None
    component: str
    import_id: int | None
    """None if it came in without an import, by a promotion."""
    state: ImportState | None
    available: Available | None
    """What it was at its source; None for an upload, and where the source is gone."""
    upstream: bytes | None
    source_id: int | None = None
    source: str = ""
    """Name of the source that it came from; empty for an upload."""

    @property
    def sha256(self) -> str:
        """Of its main file."""
        return self.info.files[0].sha256

    @property
    def inspected(self) -> str:
        """Of the file that scanners were shown: as it came, if it was signed anew here."""
        return self.info.came_as

    @property
    def waits(self) -> bool:
        """Whether a person has to decide about it."""
        return self.state is ImportState.PENDING_REVIEW


class HoldingsTable:
    """Reads ``membership``, ``packages``, ``imports`` and ``available``."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._packages = PackagesTable(database)

    def of(
        self,
        distribution: Distribution,
        names: Collection[str] | None = None,
        artifacts: Collection[str] | None = None,
        without: Collection[int] = (),
    ) -> Iterator[Sequence[Holding]]:
        """What is in and what waits, in chunks; only packages of these names, or that came as these artifacts.

        Packages whose ids are in ``without`` are left out of what is in. Those of one source package are neighbours:
        much is the same of all of them.

        Which they are is read first, so that a caller may write between two chunks.
        """
        some = " AND p.name IN (SELECT value FROM json_each(:names))" if names is not None else ""
        some += " AND p.original_sha256 IN (SELECT value FROM json_each(:artifacts))" if artifacts is not None else ""
        sql = f"""
            SELECT p.id, m.id, m.component, ({_IMPORT}), coalesce(nullif(p.source_name, ''), p.name)
            FROM membership m JOIN packages p ON p.id = m.package_id
            WHERE m.distribution_id = :distribution AND m.removed_in IS NULL{some}
            AND m.package_id NOT IN (SELECT value FROM json_each(:without))
            UNION ALL
            SELECT p.id, NULL, i.component, i.id, coalesce(nullif(p.source_name, ''), p.name)
            FROM imports i JOIN packages p ON p.id = i.package_id
            WHERE i.distribution_id = :distribution AND i.state = 'pending_review'{some} AND NOT (
                i.reopened_at IS NOT NULL AND EXISTS (
                    SELECT 1 FROM membership m JOIN packages q ON q.id = m.package_id
                    WHERE m.distribution_id = i.distribution_id AND m.removed_in IS NULL AND q.sha256 = i.sha256
                )
            )
            ORDER BY 5, 1, 2
        """
        parameters = {
            "distribution": distribution.id,
            "names": to_json(sorted(names or ())),
            "artifacts": to_json(sorted(artifacts or ())),
            "without": to_json(sorted(without)),
        }
        found = iter([row[:4] for row in self._db.conn.execute(sql, parameters)])
        while chunk := list(islice(found, CHUNK)):
            yield self._load(chunk)

    def sample(self, distribution: Distribution) -> Holding | None:
        """Any of the packages that are in; None if there is none, or it waits."""
        sql = f"""
            SELECT p.id, m.id, m.component, ({_IMPORT}) FROM membership m JOIN packages p ON p.id = m.package_id
            WHERE m.distribution_id = :distribution AND m.removed_in IS NULL LIMIT 1
        """
        found = self._load(self._db.conn.execute(sql, {"distribution": distribution.id}).fetchall())
        return found[0] if found else None

    def arriving(self, origin: Distribution, package_ids: Sequence[int]) -> Iterator[Sequence[Holding]]:
        """Packages of another distribution that are about to come in, in chunks, with their imports there."""
        sql = f"SELECT p.id, NULL, '', ({_IMPORT}) FROM packages p WHERE p.id IN (SELECT value FROM json_each(:ids))"
        ids = iter(package_ids)
        while chunk := list(islice(ids, CHUNK)):
            parameters = {"distribution": origin.id, "ids": to_json(chunk)}
            yield self._load(self._db.conn.execute(sql, parameters).fetchall())

    def waiting(self, distribution: Distribution) -> Iterator[PackageInfo]:
        """The packages that wait, and are not in."""
        sql = """
            SELECT DISTINCT i.package_id FROM imports i WHERE i.distribution_id = ? AND i.state = 'pending_review'
            AND i.package_id IS NOT NULL AND NOT EXISTS (
                SELECT 1 FROM membership m WHERE m.package_id = i.package_id
                AND m.distribution_id = i.distribution_id AND m.removed_in IS NULL
            ) ORDER BY 1
        """
        found = iter(self._db.conn.execute(sql, [distribution.id]).fetchall())
        while chunk := [row[0] for row in islice(found, CHUNK)]:
            yield from self._packages.get_many(chunk)

    def named(self, distribution: Distribution, names: Collection[str]) -> Sequence[str]:
        """Those of some names that packages have which are in, or wait."""
        sql = """
            SELECT DISTINCT p.name FROM packages p WHERE p.name IN (SELECT value FROM json_each(:names)) AND (
                EXISTS (SELECT 1 FROM membership m WHERE m.package_id = p.id AND m.distribution_id = :distribution
                    AND m.removed_in IS NULL)
                OR EXISTS (SELECT 1 FROM imports i WHERE i.sha256 = p.sha256 AND i.distribution_id = :distribution
                    AND i.state = 'pending_review')
            )
        """
        parameters = {"distribution": distribution.id, "names": to_json(sorted(names))}
        return [row[0] for row in self._db.conn.execute(sql, parameters)]

    def holders(self, name: str) -> Sequence[tuple[str, str, str, int]]:
        """Where a name is in the newest version: (repository/distribution, version, architecture, import id or 0)."""
        sql = """
            SELECT r.name || '/' || d.name, p.version, p.architecture,
                coalesce((SELECT max(i.id) FROM imports i WHERE i.package_id = p.id AND i.distribution_id = d.id), 0)
            FROM membership m JOIN packages p ON p.id = m.package_id JOIN distributions d ON d.id = m.distribution_id
            JOIN repositories r ON r.id = d.repository_id
            WHERE p.name = ? AND m.removed_in IS NULL ORDER BY 1, p.version_key DESC, 3
        """
        return self._db.conn.execute(sql, [name]).fetchall()

    def count(self, distribution: Distribution) -> int:
        """How many packages are in."""
        sql = "SELECT count(*) FROM membership WHERE distribution_id = ? AND removed_in IS NULL"
        return int(self._db.conn.execute(sql, [distribution.id]).fetchone()[0])

    def _load(self, chunk: Sequence[tuple[int, int | None, str | None, int | None]]) -> Sequence[Holding]:
        packages = self._packages.get_many([row[0] for row in chunk])
        imports = self._imports([row[3] for row in chunk if row[3] is not None])
        holdings = []
        for info, (package_id, membership_id, component, import_id) in zip(packages, chunk, strict=True):
            how = imports.get(import_id or 0, (None, None, None, None, ""))
            holdings.append(Holding(info, package_id, membership_id, component or "", import_id, *how))
        return holdings

    def _imports(self, ids: Sequence[int]) -> dict[int, _Arrival]:
        sql = """
            SELECT p.id, p.state, w.raw, p.source_id, coalesce(o.name, ''), a.id, s.id, s.name, s.format, a.name,
                a.version, a.version_key, a.architecture,
                i.kind, i.distribution, i.component, a.source_name, a.section, a.size, a.sha256, a.location, a.summary,
                i.signed_by
            FROM imports p LEFT JOIN sources o ON o.id = p.source_id
            LEFT JOIN available a ON a.id = p.available_id LEFT JOIN available_raw w ON w.id = a.id
            LEFT JOIN source_indexes i ON i.id = a.index_id LEFT JOIN sources s ON s.id = i.source_id
            WHERE p.id IN (SELECT value FROM json_each(?))
        """
        found: dict[int, _Arrival] = {}
        for import_id, state, raw, source_id, source, *row in self._db.conn.execute(sql, [to_json(ids)]):
            available = Available(*row) if row[0] is not None and row[1] is not None else None
            found[import_id] = (ImportState(state), available, raw if available else None, source_id, source)
        return found
