"""Which packages of a source a mirror takes, and how they differ from what a distribution has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlite_utils import Database

from entrepot.catalog.database import rows, to_json
from entrepot.catalog.query_sql import FUNCTION, TABLES, Condition, Conditions, Ground, Meaning
from entrepot.catalog.retention import NEWEST_KEPT
from entrepot.catalog.versions import IN_VERSION, Member
from entrepot.models import SOURCE_ARCHITECTURE, Distribution, ImportState, Source
from entrepot.query import Query

MEMBERS = (
    "m.id AS membership_id, p.id AS package_id, p.name, p.version, p.architecture, p.kind, m.component, m.location"
)

SAME_PLACE = """
    p.name = c.name AND p.version = c.version AND p.architecture = c.architecture AND m.component = c.component
"""
SAME_ENTRY = """
    o.name = chosen.name AND o.version_key = chosen.version_key AND o.version = chosen.version
    AND o.architecture = chosen.architecture AND o.kind = chosen.kind AND o.component = chosen.component
    AND o.sha256 = chosen.sha256
"""
SAME_FILE = "(c.sha256 = '' OR p.original_sha256 = c.sha256)"
"""An index without sha256 cannot tell; then the same name, version and architecture have to do."""

HELD = (ImportState.PENDING_REVIEW.value, ImportState.REJECTED.value)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A package that a mirror takes. ``component`` is where it goes."""

    id: int
    name: str
    version: str
    architecture: str
    kind: str
    component: str
    size: int
    sha256: str

    def __str__(self) -> str:
        return f"{self.name}:{self.architecture}={self.version}"


@dataclass(frozen=True, slots=True)
class Named:
    """A package that a source names, by its place there."""

    id: int
    name: str
    version: str
    architecture: str
    location: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.name}:{self.architecture}={self.version}"


@dataclass(frozen=True, slots=True)
class Scope:
    """What of a source a distribution can have: its architectures (none: all) and what its components are called.

    ``independent`` is the architecture of packages for every machine, ``components`` where each of the source's goes.
    """

    architectures: Sequence[str]
    independent: str
    components: Mapping[str, str]


class Choice:
    """The temporary table ``chosen`` of this connection: one row for each package, whatever indexes it is in."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def choose(
        self,
        source: Source,
        distribution: Distribution,
        query: Query,
        scope: Scope,
        meaning: Meaning,
        field: Callable[[bytes, str], str],
    ) -> None:
        """Makes the choice what a query means now. ``field`` finds the value of a field in the text of an index."""
        connection = self._db.conn
        connection.create_function(FUNCTION, 2, lambda name, raw: field(raw, name), deterministic=True)
        ground = Ground.of_source(source.id)
        conditions = Conditions(ground, meaning, lambda condition: self._ids(ground, condition))
        condition = conditions.of(query)
        connection.execute("DROP TABLE IF EXISTS temp.chosen")
        connection.execute(
            "CREATE TEMP TABLE chosen (id INTEGER PRIMARY KEY, name TEXT, version TEXT, version_key BLOB,"
            " architecture TEXT, kind TEXT, component TEXT, size INTEGER, sha256 TEXT, ours INTEGER)"
        )
        # In the order of ids, which is that of rows on disk: through the index of digests it takes twice as long.
        sql = f"""
            INSERT INTO chosen
            SELECT a.id, a.name, a.version, a.version_key, a.architecture, i.kind,
                coalesce((SELECT value FROM json_each(?) WHERE key = i.component), i.component),
                a.size, a.sha256, i.distribution = ?
            FROM (
                SELECT o.id FROM source_indexes n CROSS JOIN available o ON o.index_id = n.id
                WHERE n.source_id = ? ORDER BY o.id LIMIT -1
            ) x CROSS JOIN available a ON a.id = x.id CROSS JOIN source_indexes i ON i.id = a.index_id
            WHERE {ground.live} AND ({condition.sql})
            AND (? = '[]' OR a.architecture IN (SELECT value FROM json_each(?)))
        """
        architectures = [*scope.architectures, scope.independent, SOURCE_ARCHITECTURE] if scope.architectures else []
        allowed = to_json(architectures)
        values = [to_json(dict(scope.components)), distribution.name, source.id, *condition.values, allowed, allowed]
        connection.execute(sql, values)
        connection.execute("CREATE INDEX temp.chosen_by_name ON chosen (name, version_key)")
        # A package for all architectures is in the index of each; what is there once is not sorted for that.
        twice = f"SELECT 1 FROM chosen o WHERE {SAME_ENTRY}"
        connection.execute(f"UPDATE chosen SET ours = 1 WHERE NOT ours AND EXISTS ({twice} AND o.ours)")
        connection.execute(f"DELETE FROM chosen WHERE EXISTS ({twice} AND o.id < chosen.id)")
        # Vendors build one version for several suites, with different content: the suite that is named like ours wins.
        connection.execute(
            """
            DELETE FROM chosen WHERE NOT ours AND EXISTS (
                SELECT 1 FROM chosen o WHERE o.ours AND o.name = chosen.name AND o.version_key = chosen.version_key
                AND o.version = chosen.version AND o.architecture = chosen.architecture
                AND o.component = chosen.component
            )
            """
        )

    def _ids(self, ground: Ground, condition: Condition) -> Sequence[int]:
        sql = f"SELECT a.id FROM {ground.tables} WHERE {ground.live} AND ({condition.sql})"
        return [row[0] for row in self._db.conn.execute(sql, condition.values)]

    def count(self) -> int:
        """How many packages were chosen."""
        return int(self._db.conn.execute("SELECT count(*) FROM chosen").fetchone()[0])

    def ids(self) -> set[int]:
        """Their ids."""
        return {row[0] for row in self._db.conn.execute("SELECT id FROM chosen")}

    def ahead(self, distribution: Distribution, number: int) -> Sequence[int]:
        """Those that a version has not, or whose files the private store has lost, in the order of names."""
        # CROSS JOIN keeps the order: SQLite would rather read the whole version for each of them.
        sql = f"""
            SELECT c.id FROM chosen c WHERE NOT EXISTS (
                SELECT 1 FROM packages p CROSS JOIN membership m INDEXED BY idx_membership_package_id
                ON m.package_id = p.id
                WHERE p.version_key = c.version_key AND {SAME_PLACE} AND {SAME_FILE} AND {IN_VERSION}
                AND p.id NOT IN (
                    SELECT f.package_id FROM artifacts a JOIN package_files f ON f.sha256 = a.sha256
                    WHERE a.removed_at IS NOT NULL
                )
            ) ORDER BY c.name, c.version_key, c.id
        """
        found = self._db.conn.execute(sql, {"distribution": distribution.id, "number": number})
        return [row[0] for row in found]

    def held(self, source: Source, distribution: Distribution) -> Mapping[int, tuple[int, str]]:
        """Of those chosen: import and state of each that waits for review in a distribution or was refused there."""
        sql = """
            SELECT h.available_id, h.id, h.state FROM (
                SELECT available_id, max(id) AS id FROM imports
                WHERE distribution_id = ? AND source_id = ? AND available_id IN (SELECT id FROM chosen)
                AND state IN (SELECT value FROM json_each(?)) GROUP BY available_id
            ) JOIN imports h USING (id) WHERE h.state IN (SELECT value FROM json_each(?))
        """
        finished = to_json([*HELD, ImportState.PUBLISHED.value, ImportState.ALREADY_PUBLISHED.value])
        found = self._db.conn.execute(sql, [distribution.id, source.id, finished, to_json(HELD)])
        return {available_id: (import_id, state) for available_id, import_id, state in found}

    def surplus(self, distribution: Distribution, number: int) -> set[int]:
        """Of those chosen: what a distribution had and left out as too old, and would leave out again."""
        sql = f"""
            SELECT c.id FROM membership d JOIN versions v ON v.distribution_id = d.distribution_id
            AND v.number = d.removed_in AND v.message LIKE :kept || '%'
            JOIN packages p ON p.id = d.package_id
            JOIN chosen c ON p.version_key = c.version_key AND {SAME_PLACE.replace("m.", "d.")} AND {SAME_FILE}
            WHERE d.distribution_id = :distribution AND :keep <= (
                SELECT count(DISTINCT n.version_key) FROM packages n
                CROSS JOIN membership m INDEXED BY idx_membership_package_id ON m.package_id = n.id
                WHERE n.name = p.name AND n.architecture = p.architecture AND n.kind = p.kind
                AND n.version_key > p.version_key AND m.component = d.component AND {IN_VERSION}
            )
        """
        values = {
            "distribution": distribution.id,
            "number": number,
            "keep": distribution.keep,
            "kept": NEWEST_KEPT,
        }
        return {row[0] for row in self._db.conn.execute(sql, values)}

    def rows(self, ids: Sequence[int]) -> Iterator[Chosen]:
        """Some of those chosen, in the order that is given."""
        sql = """
            SELECT c.id, c.name, c.version, c.architecture, c.kind, c.component, c.size, c.sha256
            FROM json_each(?) j CROSS JOIN chosen c ON c.id = j.value ORDER BY j.key
        """
        return (Chosen(*row) for row in self._db.conn.execute(sql, [to_json(list(ids))]))

    def to_fetch(self, ids: Sequence[int]) -> int:
        """The bytes of those among some that are not in the private store."""
        sql = """
            SELECT coalesce(sum(c.size), 0) FROM json_each(?) j CROSS JOIN chosen c ON c.id = j.value
            WHERE NOT EXISTS (SELECT 1 FROM artifacts f WHERE f.sha256 = c.sha256 AND f.removed_at IS NULL)
        """
        return int(self._db.conn.execute(sql, [to_json(list(ids))]).fetchone()[0])

    def left_over(self, source: Source, distribution: Distribution, number: int) -> Sequence[Member]:
        """What mirrors of a source brought into a version and that is not chosen."""
        sql = f"""
            WITH brought AS (
                SELECT package_id, max(id) AS id FROM imports
                WHERE distribution_id = :distribution AND state = 'published' GROUP BY package_id
            )
            SELECT {MEMBERS}, p.size, p.sha256, p.original_sha256
            FROM brought CROSS JOIN imports b ON b.id = brought.id
            CROSS JOIN tasks t ON t.id = b.task_id AND t.kind = 'mirror'
            CROSS JOIN membership m INDEXED BY idx_membership_package_id ON m.package_id = b.package_id
            CROSS JOIN packages p ON p.id = m.package_id
            WHERE b.source_id = :source AND {IN_VERSION} AND NOT EXISTS (
                SELECT 1 FROM chosen c WHERE p.version_key = c.version_key AND {SAME_PLACE} AND {SAME_FILE}
            ) ORDER BY p.name, p.version_key, p.architecture, m.id
        """
        parameters = {"distribution": distribution.id, "number": number, "source": source.id}
        return [Member(**row) for row in rows(self._db, sql, parameters)]

    def present(self, distribution: Distribution, number: int, ids: Sequence[int]) -> Iterator[tuple[int, str]]:
        """Of some that are chosen: (id, version) for every version that is there of the same name and architecture."""
        sql = f"""
            SELECT c.id, p.version FROM json_each(:ids) j CROSS JOIN chosen c ON c.id = j.value
            CROSS JOIN packages p ON p.name = c.name AND p.architecture = c.architecture
            CROSS JOIN membership m INDEXED BY idx_membership_package_id ON m.package_id = p.id
            WHERE {IN_VERSION} AND p.kind = c.kind ORDER BY j.key, p.version_key
        """
        parameters = {"ids": to_json(list(ids)), "distribution": distribution.id, "number": number}
        return iter(self._db.conn.execute(sql, parameters))

    def loose_ends(self, source: Source) -> Iterator[tuple[str, int, str]]:
        """What the source says of packages that are chosen and, in the same breath, of others that it has: those.

        Rows of (kind of the extra, its id, name of a package that is not chosen).
        """
        fits = "n.version IN ('', {0}.version) AND n.architecture IN ('', {0}.architecture) AND {0}.name = n.name"
        sql = f"""
            WITH named AS MATERIALIZED (
                SELECT DISTINCT e.kind, p.extra_id, p.name, p.version, p.architecture
                FROM source_indexes i JOIN source_extras s ON s.index_id = i.id JOIN extras e ON e.id = s.extra_id
                JOIN extra_packages p ON p.extra_id = e.id WHERE i.source_id = :source
            ), kept AS MATERIALIZED (
                SELECT n.*, EXISTS (SELECT 1 FROM chosen c WHERE {fits.format("c")}) AS here FROM named n
            )
            SELECT DISTINCT n.kind, n.extra_id, n.name FROM kept n
            WHERE NOT n.here AND n.extra_id IN (SELECT extra_id FROM kept WHERE here) AND EXISTS (
                SELECT 1 FROM available a CROSS JOIN source_indexes i ON i.id = a.index_id
                WHERE {fits.format("a")} AND i.source_id = :source AND a.vanished_at IS NULL
            ) ORDER BY 1, 2, 3
        """
        return iter(self._db.conn.execute(sql, {"source": source.id}))

    def named(self, source: Source, distribution: str) -> Iterator[Named]:
        """All that a source names, chosen or not, or what it does in one of its distributions."""
        sql = f"""
            SELECT a.id, a.name, a.version, a.architecture, a.location, a.sha256 FROM {TABLES}
            WHERE i.source_id = :source AND a.vanished_at IS NULL AND :distribution IN ('', i.distribution)
        """
        parameters = {"source": source.id, "distribution": distribution}
        return (Named(*row) for row in self._db.conn.execute(sql, parameters))

    def components(self, source: Source) -> Sequence[str]:
        """The components that a source has indexes of."""
        sql = "SELECT DISTINCT component FROM source_indexes WHERE source_id = ? AND component IS NOT NULL ORDER BY 1"
        return [row[0] for row in self._db.conn.execute(sql, [source.id])]
