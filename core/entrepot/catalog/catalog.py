"""The catalog as one object: a group of tables per attribute, imported when it is asked for: commands need few."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakSet

from entrepot.catalog.database import carry_temporary, keep_log, open_database, open_to_read, transaction

if TYPE_CHECKING:
    from entrepot.catalog.advisories import AdvisoriesTable
    from entrepot.catalog.audit import AuditLog
    from entrepot.catalog.available import AvailableTable
    from entrepot.catalog.carried import Carried
    from entrepot.catalog.choice import Choice
    from entrepot.catalog.extras import ExtrasTable
    from entrepot.catalog.figures import Figures
    from entrepot.catalog.handled import HandledTable
    from entrepot.catalog.holdings import HoldingsTable
    from entrepot.catalog.imports import ImportsTable
    from entrepot.catalog.listings import Listings
    from entrepot.catalog.lookup import CatalogLookup
    from entrepot.catalog.outbox import OutboxTable
    from entrepot.catalog.packages import PackagesTable
    from entrepot.catalog.publications import PublicationsTable
    from entrepot.catalog.repositories import RepositoriesTable
    from entrepot.catalog.retention import RetentionTable
    from entrepot.catalog.reviews import ReviewsTable
    from entrepot.catalog.schedule import ScheduleTable
    from entrepot.catalog.search import Search
    from entrepot.catalog.settled import SettledTable
    from entrepot.catalog.snapshots import SnapshotsTable
    from entrepot.catalog.sources import SourcesTable
    from entrepot.catalog.standing import StandingTable
    from entrepot.catalog.tasks import TasksTable
    from entrepot.catalog.versions import VersionsTable


class _TakenBack(Exception):  # noqa: N818 - no error: how a rehearsal ends
    """Takes back what was written."""


class Catalog:
    """An open catalog. Belongs to one thread; open another one for another thread.

    ``before_write`` is called before every transaction that is not part of another one.
    """

    def __init__(self, path: Path, *, read_only: bool = False, before_write: Callable[[], None] | None = None) -> None:
        self.path = path
        self.database = open_to_read(path) if read_only else open_database(path)
        self._before_write = before_write
        self._left: WeakSet[sqlite3.Connection] = WeakSet()
        self._afterwards: list[Callable[[], object]] = []
        if before_write is not None:
            keep_log(self.database)

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """A transaction that is taken back at its end, for who wants to know what would come of it."""
        try:
            with self.transaction():
                yield
                raise _TakenBack
        except _TakenBack:
            pass

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is changed inside becomes visible as a whole at its end, or not at all."""
        outermost = not self.database.conn.in_transaction
        if outermost and self._before_write is not None:
            self._before_write()
        try:
            with transaction(self.database):
                yield
        except BaseException:
            if outermost:
                self._afterwards.clear()
            raise
        if outermost:
            acts, self._afterwards = self._afterwards, []
            for act in acts:
                act()

    def afterwards(self, act: Callable[[], object]) -> None:
        """Does something when the transaction that is under way is over and nothing took it back; else at once."""
        if self.database.conn.in_transaction:
            self._afterwards.append(act)
        else:
            act()

    def move(self, path: Path) -> None:
        """Goes on with another file, a newer state of the same catalog. What is being read is read to its end."""
        left, self.path = self.database.conn, path
        # Whoever reads from it keeps it, and the space of the old file, no longer than that takes.
        self._left.add(left)
        self.database.conn = open_database(path).conn
        keep_log(self.database)
        carry_temporary(left, self.database.conn)

    def lookup(self) -> CatalogLookup:
        """What may be asked from any thread; the caller closes it."""
        from entrepot.catalog.lookup import CatalogLookup

        return CatalogLookup(lambda: self.path)

    def close(self) -> None:
        """Closes the database file."""
        for connection in list(self._left):
            connection.close()
        self.database.close()

    @cached_property
    def sources(self) -> SourcesTable:
        from entrepot.catalog.sources import SourcesTable

        return SourcesTable(self.database)

    @cached_property
    def available(self) -> AvailableTable:
        from entrepot.catalog.available import AvailableTable

        return AvailableTable(self.database)

    @cached_property
    def search(self) -> Search:
        from entrepot.catalog.search import Search

        return Search(self.database)

    @cached_property
    def choice(self) -> Choice:
        from entrepot.catalog.choice import Choice

        return Choice(self.database)

    @cached_property
    def carried(self) -> Carried:
        from entrepot.catalog.carried import Carried

        return Carried(self.database)

    @cached_property
    def packages(self) -> PackagesTable:
        from entrepot.catalog.packages import PackagesTable

        return PackagesTable(self.database)

    @cached_property
    def repositories(self) -> RepositoriesTable:
        from entrepot.catalog.repositories import RepositoriesTable

        return RepositoriesTable(self.database)

    @cached_property
    def versions(self) -> VersionsTable:
        from entrepot.catalog.versions import VersionsTable

        return VersionsTable(self.database)

    @cached_property
    def extras(self) -> ExtrasTable:
        from entrepot.catalog.extras import ExtrasTable

        return ExtrasTable(self.database)

    @cached_property
    def advisories(self) -> AdvisoriesTable:
        from entrepot.catalog.advisories import AdvisoriesTable

        return AdvisoriesTable(self.database)

    @cached_property
    def reviews(self) -> ReviewsTable:
        from entrepot.catalog.reviews import ReviewsTable

        return ReviewsTable(self.database)

    @cached_property
    def standing(self) -> StandingTable:
        from entrepot.catalog.standing import StandingTable

        return StandingTable(self.database)

    @cached_property
    def imports(self) -> ImportsTable:
        from entrepot.catalog.imports import ImportsTable

        return ImportsTable(self.database)

    @cached_property
    def settled(self) -> SettledTable:
        from entrepot.catalog.settled import SettledTable

        return SettledTable(self.database)

    @cached_property
    def holdings(self) -> HoldingsTable:
        from entrepot.catalog.holdings import HoldingsTable

        return HoldingsTable(self.database)

    @cached_property
    def publications(self) -> PublicationsTable:
        from entrepot.catalog.publications import PublicationsTable

        return PublicationsTable(self.database)

    @cached_property
    def retention(self) -> RetentionTable:
        from entrepot.catalog.retention import RetentionTable

        return RetentionTable(self.database)

    @cached_property
    def snapshots(self) -> SnapshotsTable:
        from entrepot.catalog.snapshots import SnapshotsTable

        return SnapshotsTable(self.database)

    @cached_property
    def outbox(self) -> OutboxTable:
        from entrepot.catalog.outbox import OutboxTable

        return OutboxTable(self.database)

    @cached_property
    def tasks(self) -> TasksTable:
        from entrepot.catalog.tasks import TasksTable

        return TasksTable(self.database)

    @cached_property
    def schedule(self) -> ScheduleTable:
        from entrepot.catalog.schedule import ScheduleTable

        return ScheduleTable(self.database)

    @cached_property
    def handled(self) -> HandledTable:
        from entrepot.catalog.handled import HandledTable

        return HandledTable(self.database)

    @cached_property
    def figures(self) -> Figures:
        from entrepot.catalog.figures import Figures

        return Figures(self.database)

    @cached_property
    def listings(self) -> Listings:
        from entrepot.catalog.listings import Listings

        return Listings(self.database)

    @cached_property
    def audit(self) -> AuditLog:
        from entrepot.catalog.audit import AuditLog, default_key

        return AuditLog(self.database, default_key(self.path))
