"""Repositories and their distributions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sqlite_utils import Database

from entrepot.catalog.database import from_json, rows, to_json, to_text, to_time
from entrepot.catalog.publications import PublicationsTable
from entrepot.errors import AmbiguousError, ConflictError, NotFoundError
from entrepot.models import Distribution, Repository, Scalar, Target

LISTS = ("components", "architectures", "compressions", "base_sources")
"""Columns of distributions that hold several texts, as JSON."""


class RepositoriesTable:
    """Tables ``repositories`` and ``distributions``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, values: Mapping[str, Any], now: dt.datetime) -> Repository:
        """Adds a repository; ``values`` are columns, and ``targets``, URLs. ``ConflictError`` if the name is taken."""
        name = str(values["name"])
        if self._repositories("name = ?", name):
            raise ConflictError(f"there is a repository called {name!r} already", name=name)
        columns = {column: value for column, value in values.items() if column != "targets"}
        self._db.table("repositories").insert(_row(columns) | {"created_at": to_text(now)})
        return self.set_targets(self.get(name), values["targets"])

    def update(self, repository: Repository, values: Mapping[str, Any]) -> Repository:
        """Changes columns of a repository."""
        self._db.table("repositories").update(repository.id, _row(values))
        return self.get(repository.name)

    def set_targets(self, repository: Repository, urls: Sequence[str]) -> Repository:
        """Makes ``urls`` the places that a repository is published to; what is known of others is forgotten."""
        held = {target.url: target for target in repository.targets}
        for url, target in held.items():
            if url not in urls:
                PublicationsTable(self._db).forget(target)
                self._db.conn.execute("DELETE FROM targets WHERE id = ?", [target.id])
        new = [(repository.id, url) for url in dict.fromkeys(urls) if url not in held]
        self._db.conn.executemany("INSERT INTO targets (repository_id, url) VALUES (?, ?)", new)
        return self.get(repository.name)

    def get(self, name_or_id: str) -> Repository:
        """The repository of this name or id."""
        found = self._repositories("name = ?", name_or_id)
        if not found and name_or_id.isdecimal():
            found = self._repositories("id = ?", int(name_or_id))
        if not found:
            known = ", ".join(repository.name for repository in self.list()) or "none"
            raise NotFoundError(
                f"there is no repository called {name_or_id!r}", hint=f"known repositories: {known}", name=name_or_id
            )
        return found[0]

    def list(self) -> Sequence[Repository]:
        """Every repository, by name."""
        return self._repositories("1 = 1")

    def remove(self, repository: Repository) -> None:
        """Removes a repository that has no distributions; what it published stays where it is."""
        self.set_targets(repository, [])
        self._db.conn.execute("DELETE FROM repositories WHERE id = ?", [repository.id])

    def add_distribution(self, repository: Repository, values: Mapping[str, Any], now: dt.datetime) -> Distribution:
        """Adds a distribution with its empty version 0."""
        name = str(values["name"])
        if self._distributions("r.id = ? AND d.name = ?", repository.id, name):
            raise ConflictError(f"repository {repository.name!r} has a distribution {name!r} already", name=name)
        row = _row(values) | {"repository_id": repository.id, "created_at": to_text(now)}
        self._db.table("distributions").insert(row)
        distribution = self.distribution(f"{repository.name}/{name}")
        self._db.table("versions").insert(
            {
                "distribution_id": distribution.id,
                "number": 0,
                "message": "empty",
                "added": 0,
                "removed": 0,
                "packages": 0,
                "created_at": to_text(now),
            }
        )
        return distribution

    def update_distribution(self, distribution: Distribution, values: Mapping[str, Any]) -> Distribution:
        """Changes columns of a distribution."""
        self._db.table("distributions").update(distribution.id, _row(values))
        return self.distribution(distribution.path)

    def remove_distribution(self, distribution: Distribution, now: dt.datetime) -> None:
        """Removes a distribution with its versions and imports; its files are left to collections."""
        execute = self._db.conn.execute
        of_imports = "SELECT id FROM imports WHERE distribution_id = ?"
        of_verdicts = "SELECT id FROM verdicts WHERE distribution_id = ?"
        execute(f"DELETE FROM findings WHERE verdict_id IN ({of_verdicts})", [distribution.id])
        execute("DELETE FROM verdicts WHERE distribution_id = ?", [distribution.id])
        execute(f"DELETE FROM reviews WHERE import_id IN ({of_imports})", [distribution.id])
        # Ids of verdicts, by which scans of other distributions know what is new, are given again.
        execute("DELETE FROM scan_states")
        for table in ("imports", "membership", "extra_membership", "versions", "publications"):
            execute(f"DELETE FROM {table} WHERE distribution_id = ?", [distribution.id])
        execute(
            "UPDATE published_files SET distribution_id = NULL, superseded_in = 0,"
            " superseded_at = coalesce(superseded_at, ?) WHERE distribution_id = ?",
            [to_text(now), distribution.id],
        )
        execute("DELETE FROM distributions WHERE id = ?", [distribution.id])

    def distribution(self, name_or_id: str) -> Distribution:
        """The distribution ``repository/distribution``, of this id, or of this bare name where only one has it.

        Distribution names may have slashes themselves, and so may the part after the first one.
        """
        repository, _, name = name_or_id.partition("/")
        found = self._distributions("r.name = ? AND d.name = ?", repository, name) if name else []
        found = found or self._distributions("d.name = ?", name_or_id)
        if not found and name_or_id.isdecimal():
            found = self._distributions("d.id = ?", int(name_or_id))
        if not found:
            known = ", ".join(distribution.path for distribution in self.distributions()) or "none"
            raise NotFoundError(
                f"there is no distribution called {name_or_id!r}", hint=f"known distributions: {known}", name=name_or_id
            )
        if len(found) > 1:
            candidates = [distribution.path for distribution in found]
            raise AmbiguousError(
                f"{name_or_id!r} is the name of {len(found)} distributions",
                hint=f"say which: {', '.join(candidates)}",
                candidates=candidates,
            )
        return found[0]

    def distributions(self, repository: Repository | None = None) -> Sequence[Distribution]:
        """Every distribution, or those of one repository, by repository and name."""
        if repository is None:
            return self._distributions("1 = 1")
        return self._distributions("r.id = ?", repository.id)

    def based_on(self, source: str) -> Sequence[Distribution]:
        """The distributions that name a source among their base sources."""
        return self._distributions("EXISTS (SELECT 1 FROM json_each(d.base_sources) WHERE value = ?)", source)

    def _repositories(self, where: str, *parameters: Any) -> Sequence[Repository]:
        found = list(rows(self._db, f"SELECT * FROM repositories WHERE {where} ORDER BY name", parameters))
        return [
            Repository(
                **(
                    row
                    | {
                        "targets": self._targets(row["id"]),
                        "options": from_json(row["options"]),
                        "created_at": to_time(row["created_at"]),
                    }
                )
            )
            for row in found
        ]

    def _targets(self, repository_id: int) -> tuple[Target, ...]:
        sql = "SELECT id, url FROM targets WHERE repository_id = ? ORDER BY id"
        return tuple(Target(*row) for row in self._db.conn.execute(sql, [repository_id]))

    def _distributions(self, where: str, *parameters: Any) -> Sequence[Distribution]:
        sql = f"""
            SELECT d.id, d.repository_id, d.name, d.components, d.architectures, d.policy, d.compressions, d.keep,
                d.options, d.created_at, d.base_sources, d.keep_needed, d.keep_versions, d.keep_days,
                r.name AS repository, r.format
            FROM distributions d JOIN repositories r ON r.id = d.repository_id WHERE {where} ORDER BY r.name, d.name
        """
        return [
            Distribution(
                **(
                    row
                    | {name: tuple(from_json(row[name])) for name in LISTS}
                    | {"options": from_json(row["options"]), "created_at": to_time(row["created_at"])}
                    | {"keep_needed": bool(row["keep_needed"])}
                )
            )
            for row in rows(self._db, sql, parameters)
        ]


def _row(values: Mapping[str, Any]) -> dict[str, Scalar]:
    return {name: value if isinstance(value, str | int | None) else to_json(value) for name, value in values.items()}
