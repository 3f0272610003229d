"""Offline vulnerability data: feeds, their advisories and facts. Written by updates, read by ``catalog.lookup``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any

from sqlite_utils import Database

from entrepot.advisories import Advisory, Fact, Feed, RawAdvisory
from entrepot.catalog.database import rows, storable, to_json, to_text, to_time
from entrepot.errors import ConflictError, NotFoundError
from entrepot.models import SyncCounts

BATCH = 500
"""Records that are looked up and written at once; bounds the memory of an update."""

OF_AN_ADVISORY = ("advisory_affected", "advisory_names")
"""Tables whose rows go with their advisory."""

CHANGES = """
    INSERT OR REPLACE INTO advisory_changes (package, number)
    SELECT package, (SELECT coalesce(max(number), 0) + 1 FROM advisory_changes) FROM ({packages}) UNION
    SELECT '', (SELECT coalesce(max(number), 0) + 1 FROM advisory_changes)
"""
"""Notes that something else is said of packages now; ``packages`` is a query for their names."""

ABOUT = """
    SELECT DISTINCT p.package FROM advisory_names n JOIN advisory_affected p ON p.advisory_id = n.advisory_id
    WHERE n.name IN ({names})
"""
"""The packages that advisories about vulnerabilities name; ``names`` is a query for these."""

Describe = Callable[[RawAdvisory], Advisory]


class AdvisoriesTable:
    """Tables ``advisory_feeds``, ``advisories``, ``advisory_names``, ``advisory_ecosystems``, ``advisory_affected``,
    ``vulnerability_facts``.

    A record is known by the digest of its text: what an update brings that is here already is not looked at again.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    # ------------------------------------------------------------------------------------------------ feeds

    def add(self, name: str, format_name: str, location: str) -> Feed:
        """Adds a feed without data; ``ConflictError`` if the name is taken."""
        self.require_free(name)
        row: dict[str, Any] = {"name": name, "format": format_name, "location": location, "records": 0}
        self._db.table("advisory_feeds").insert(row)
        return self.get(name)

    def require_free(self, name: str) -> None:
        """``ConflictError`` if a feed has this name."""
        if self._feeds("name = ?", name):
            raise ConflictError(
                f"there is vulnerability data called {name!r} already",
                hint=f"choose another name, or `entrepot advisories update {name}`",
                name=name,
            )

    def get(self, name: str) -> Feed:
        """The feed of this name; ``NotFoundError`` that lists those there are."""
        for feed in self._feeds("name = ?", name):
            return feed
        known = ", ".join(feed.name for feed in self.list()) or "none"
        raise NotFoundError(f"there is no vulnerability data called {name!r}", hint=f"known: {known}", name=name)

    def list(self) -> Sequence[Feed]:
        """Every feed, by name."""
        return self._feeds("1 = 1")

    def save(self, feed: Feed) -> None:
        """Notes what the last update saw: generation, validators, number of records, times."""
        self._db.table("advisory_feeds").update(
            feed.id,
            {
                "generation": feed.generation,
                "etag": feed.etag,
                "last_modified": feed.last_modified,
                "records": feed.records,
                "checked_at": to_text(feed.checked_at) if feed.checked_at else None,
                "changed_at": to_text(feed.changed_at) if feed.changed_at else None,
            },
        )

    def remove(self, feed: Feed) -> None:
        """Removes a feed with all it said."""
        execute = self._db.conn.execute
        execute(
            CHANGES.format(
                packages="SELECT package FROM advisory_affected WHERE advisory_id IN"
                " (SELECT id FROM advisories WHERE feed_id = ?)"
                f" UNION {ABOUT.format(names='SELECT vulnerability FROM vulnerability_facts WHERE feed_id = ?')}"
            ),
            [feed.id, feed.id],
        )
        execute("DELETE FROM vulnerability_facts WHERE feed_id = ?", [feed.id])
        for table in OF_AN_ADVISORY:
            execute(
                f"DELETE FROM {table} WHERE advisory_id IN (SELECT id FROM advisories WHERE feed_id = ?)", [feed.id]
            )
        execute("DELETE FROM advisories WHERE feed_id = ?", [feed.id])
        execute("DELETE FROM advisory_ecosystems WHERE feed_id = ?", [feed.id])
        execute("DELETE FROM advisory_feeds WHERE id = ?", [feed.id])

    def ecosystems(self, feed: Feed) -> Sequence[str]:
        """The ecosystems that a feed has something about, sorted."""
        sql = "SELECT name FROM advisory_ecosystems WHERE feed_id = ? ORDER BY name"
        return [row[0] for row in self._db.conn.execute(sql, [feed.id])]

    # ------------------------------------------------------------------------------------------------ content

    def replace(self, feed: Feed, records: Iterable[RawAdvisory], describe: Describe) -> SyncCounts:
        """Makes the advisories of a feed those of ``records``, which are read once, in batches."""
        return _Replacement(self._db, feed.id, describe).run(records)

    def replace_facts(self, feed: Feed, facts: Iterable[Fact]) -> SyncCounts:
        """Makes the facts of a feed those that are given, which are read once, in batches."""
        connection = self._db.conn
        connection.execute(
            "CREATE TEMP TABLE IF NOT EXISTS told (vulnerability, kind, value, UNIQUE (vulnerability, kind))"
        )
        connection.execute("DELETE FROM temp.told")
        stream = iter(facts)
        while batch := list(islice(stream, BATCH)):
            values = [(storable(fact.vulnerability), fact.kind, storable(fact.value)) for fact in batch]
            connection.executemany("INSERT OR REPLACE INTO temp.told VALUES (?, ?, ?)", values)
        return self._take_told(feed.id)

    def _take_told(self, feed_id: int) -> SyncCounts:
        execute = self._db.conn.execute
        same = "f.feed_id = :feed AND f.vulnerability = t.vulnerability AND f.kind = t.kind"
        parameters = {"feed": feed_id}
        other = f"""
            SELECT t.vulnerability FROM temp.told t WHERE NOT EXISTS (
                SELECT 1 FROM vulnerability_facts f WHERE {same} AND f.value = t.value
            ) UNION SELECT f.vulnerability FROM vulnerability_facts f WHERE f.feed_id = :feed AND NOT EXISTS (
                SELECT 1 FROM temp.told t WHERE {same}
            )
        """
        if execute(f"SELECT EXISTS ({other})", parameters).fetchone()[0]:
            execute(CHANGES.format(packages=ABOUT.format(names=other)), parameters)
        removed = execute(
            f"DELETE FROM vulnerability_facts AS f WHERE f.feed_id = :feed"
            f" AND NOT EXISTS (SELECT 1 FROM temp.told t WHERE {same})",
            parameters,
        ).rowcount
        held, equal = execute(
            f"SELECT count(*), coalesce(sum(f.value = t.value), 0) FROM temp.told t"
            f" CROSS JOIN vulnerability_facts f ON {same}",
            parameters,
        ).fetchone()
        total = int(execute("SELECT count(*) FROM temp.told").fetchone()[0])
        execute(
            "INSERT OR REPLACE INTO vulnerability_facts (vulnerability, kind, feed_id, value)"
            " SELECT vulnerability, kind, :feed, value FROM temp.told",
            parameters,
        )
        execute("DELETE FROM temp.told")
        return SyncCounts(total - held, held - equal, removed, equal)

    def _feeds(self, where: str, *parameters: Any) -> Sequence[Feed]:
        found = []
        for row in rows(self._db, f"SELECT * FROM advisory_feeds WHERE {where} ORDER BY name", parameters):
            times = {name: to_time(row[name]) if row[name] else None for name in ("checked_at", "changed_at")}
            found.append(Feed(**(row | times | {"generation": row["generation"] or ""})))
        return found


class _Replacement:
    """A feed being made what its records say, inside the caller's transaction."""

    def __init__(self, db: Database, feed_id: int, describe: Describe) -> None:
        self._conn = db.conn
        self._feed_id = feed_id
        self._describe = describe
        low, high = self._conn.execute(
            "SELECT coalesce(min(id), 0), coalesce(max(id), -1) FROM advisories WHERE feed_id = ?", [feed_id]
        ).fetchone()
        self._low: int = low
        # One byte for each id that the feed could have: a set would need a hundred times as much.
        self._seen = bytearray(high - low + 1)
        self._first_new = self._next = int(
            self._conn.execute("SELECT coalesce(max(id), 0) + 1 FROM advisories").fetchone()[0]
        )
        self._unchanged = 0
        self._packages: set[str] = set()
        """Of which something else is said now."""
        self._ecosystems: dict[str, int] = dict(
            self._conn.execute("SELECT name, id FROM advisory_ecosystems WHERE feed_id = ?", [feed_id])
        )

    def run(self, records: Iterable[RawAdvisory]) -> SyncCounts:
        stream = iter(records)
        while batch := list(islice(stream, BATCH)):
            self._write(batch)
        return self._sweep()

    def _write(self, batch: Sequence[RawAdvisory]) -> None:
        fresh = {record.digest: record for record in batch}
        marks = ",".join("?" * len(fresh))
        sql = f"SELECT digest, id FROM advisories WHERE feed_id = ? AND digest IN ({marks})"
        for digest, row_id in self._conn.execute(sql, [self._feed_id, *fresh]):
            del fresh[digest]
            if row_id < self._first_new and not self._seen[row_id - self._low]:
                self._seen[row_id - self._low] = 1
                self._unchanged += 1
        advisories, names, affected = [], [], []
        for digest, record in fresh.items():
            advisory = self._describe(record)
            advisories.append(self._row(digest, advisory))
            known = {advisory.name, *advisory.vulnerabilities, *advisory.aliases}
            names += [(name, self._next) for name in known]
            affected += [
                (
                    self._next,
                    self._ecosystem(item.ecosystem),
                    item.package,
                    item.module,
                    item.introduced,
                    item.introduced_key,
                    item.fixed,
                    item.last_affected,
                    item.end_key,
                    item.state,
                    item.severity,
                )
                for item in advisory.affected
            ]
            self._packages.update(item.package for item in advisory.affected)
            self._next += 1
        self._conn.executemany(
            "INSERT INTO advisories (id, feed_id, digest, name, vulnerabilities, aliases, modified, withdrawn,"
            " severity, score, vector, summary, url, issuer, justification)"
            " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            advisories,
        )
        self._conn.executemany("INSERT INTO advisory_names (name, advisory_id) VALUES (?, ?)", sorted(names))
        self._conn.executemany(
            "INSERT INTO advisory_affected (advisory_id, ecosystem_id, package, module, introduced, introduced_key,"
            " fixed, last_affected, end_key, state, severity) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
            affected,
        )

    def _row(self, digest: bytes, advisory: Advisory) -> tuple[object, ...]:
        return (
            self._next,
            self._feed_id,
            digest,
            advisory.name,
            " ".join(advisory.vulnerabilities),
            " ".join(advisory.aliases),
            advisory.modified,
            advisory.withdrawn,
            advisory.severity,
            advisory.score,
            advisory.vector,
            storable(advisory.summary),
            storable(advisory.url),
            storable(advisory.issuer),
            storable(advisory.justification),
        )

    def _ecosystem(self, name: str) -> int:
        if name not in self._ecosystems:
            sql = "INSERT INTO advisory_ecosystems (feed_id, name) VALUES (?, ?) RETURNING id"
            self._ecosystems[name] = int(self._conn.execute(sql, [self._feed_id, name]).fetchone()[0])
        return self._ecosystems[name]

    def _sweep(self) -> SyncCounts:
        """Removes what was not seen; an advisory that came under the same name with another text is a changed one."""
        execute = self._conn.execute
        gone = (self._low + position for position, seen in enumerate(self._seen) if not seen)
        removed = changed = 0
        chosen = "SELECT value FROM json_each(?)"
        while batch := list(islice(gone, BATCH)):
            ids = to_json(batch)
            changed += execute(
                f"SELECT count(*) FROM advisories o WHERE o.id IN ({chosen}) AND o.feed_id = ? AND EXISTS"
                " (SELECT 1 FROM advisories n WHERE n.name = o.name AND n.feed_id = o.feed_id AND n.id >= ?)",
                [ids, self._feed_id, self._first_new],
            ).fetchone()[0]
            of_them = f"SELECT DISTINCT package FROM advisory_affected WHERE advisory_id IN ({chosen})"
            self._packages.update(row[0] for row in execute(of_them, [ids]))
            for table in OF_AN_ADVISORY:
                execute(
                    f"DELETE FROM {table} WHERE advisory_id IN"
                    f" (SELECT id FROM advisories WHERE id IN ({chosen}) AND feed_id = ?)",
                    [ids, self._feed_id],
                )
            removed += execute(
                f"DELETE FROM advisories WHERE id IN ({chosen}) AND feed_id = ?", [ids, self._feed_id]
            ).rowcount
        execute(
            "DELETE FROM advisory_ecosystems AS e WHERE feed_id = ? AND NOT EXISTS"
            " (SELECT 1 FROM advisory_affected a WHERE a.ecosystem_id = e.id)",
            [self._feed_id],
        )
        added = self._next - self._first_new
        if added or removed:
            execute(
                CHANGES.format(packages="SELECT value AS package FROM json_each(?)"), [to_json(list(self._packages))]
            )
        changed = min(changed, added)  # several records of one name may have become one
        return SyncCounts(added - changed, changed, removed - changed, self._unchanged)
