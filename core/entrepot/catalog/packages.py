"""Artifacts (files, by sha256) and packages (what was read out of them)."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlite_utils import Database

from entrepot.catalog.database import rows, storable, to_json, to_text
from entrepot.errors import NotFoundError
from entrepot.models import PackageFile, PackageInfo, Sha256

IN_USE = """
    SELECT f.sha256 FROM package_files f JOIN membership m ON m.package_id = f.package_id
    UNION SELECT f.sha256 FROM package_files f JOIN imports i ON i.package_id = f.package_id
    WHERE i.state = 'pending_review'
    UNION SELECT sha256 FROM extra_files WHERE extra_id IN (
        SELECT extra_id FROM source_extras UNION SELECT extra_id FROM extra_membership
    )
"""
"""Digests of the files of all versions, of what waits for review, and of what sources say besides packages."""


class PackagesTable:
    """Tables ``artifacts``, ``packages``, ``package_raw``, ``package_files`` and ``package_file_lists``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add_artifacts(self, files: Iterable[PackageFile], now: dt.datetime) -> None:
        """Notes files that are in the private store."""
        sql = """
            INSERT INTO artifacts (sha256, name, size, created_at) VALUES (?, ?, ?, ?)
            ON CONFLICT (sha256) DO UPDATE SET created_at = excluded.created_at, removed_at = NULL
        """
        self._db.conn.executemany(sql, [(file.sha256, file.name, file.size, to_text(now)) for file in files])

    def add(self, info: PackageInfo, now: dt.datetime) -> int:
        """Adds a package and answers its id; the same files with the same text are one package."""
        digest = hashlib.blake2b(info.raw, digest_size=16).digest()
        main = info.files[0]
        execute = self._db.conn.execute
        found = execute("SELECT id FROM packages WHERE sha256 = ? AND digest = ?", [main.sha256, digest]).fetchone()
        self.add_artifacts(info.files, now)
        if found:
            self.add_file_list(int(found[0]), info)
            return int(found[0])
        row: dict[str, Any] = {
            "format": info.format,
            "kind": info.kind,
            "name": info.name,
            "version": info.version,
            "version_key": info.version_key,
            "architecture": info.architecture,
            "source_name": info.source_name,
            "summary": info.summary,
            "section": info.section,
            "provides": info.provides,
            "source_version": info.source_version,
            "module": info.module,
            "licence": storable(info.licence),
            "maintainer": storable(info.maintainer),
            "size": sum(file.size for file in info.files),
            "sha256": main.sha256,
            "original_sha256": info.came_as,
            "digest": digest,
            "created_at": to_text(now),
        }
        columns = ", ".join(row)
        marks = ", ".join("?" * len(row))
        package_id = int(
            execute(f"INSERT INTO packages ({columns}) VALUES ({marks}) RETURNING id", list(row.values())).fetchone()[0]
        )
        execute("INSERT INTO package_raw (id, raw) VALUES (?, ?)", [package_id, info.raw])
        self._db.conn.executemany(
            "INSERT OR IGNORE INTO package_provides (name, package_id) VALUES (?, ?)",
            [(name, package_id) for name in info.provides.split()],
        )
        self._db.conn.executemany(
            "INSERT INTO package_files (package_id, position, name, size, sha256) VALUES (?, ?, ?, ?, ?)",
            [(package_id, position, file.name, file.size, file.sha256) for position, file in enumerate(info.files)],
        )
        self.add_file_list(package_id, info)
        return package_id

    def add_file_list(self, package_id: int, info: PackageInfo) -> None:
        """Notes which files a package installs, as far as it was read with them."""
        if info.file_list is not None:
            sql = "INSERT OR IGNORE INTO package_file_lists (id, paths) VALUES (?, ?)"
            self._db.conn.execute(sql, [package_id, info.file_list])

    def get(self, package_id: int) -> PackageInfo:
        """The package with this id, its text and files included."""
        return self.get_many([package_id])[0]

    def get_many(self, package_ids: Sequence[int]) -> Sequence[PackageInfo]:
        """The packages with these ids, in their order."""
        asked = to_json(list(package_ids))
        files: dict[int, list[PackageFile]] = {}
        sql = """
            SELECT package_id, name, size, sha256 FROM package_files
            WHERE package_id IN (SELECT value FROM json_each(?)) ORDER BY package_id, position
        """
        for package_id, name, size, sha256 in self._db.conn.execute(sql, [asked]):
            files.setdefault(package_id, []).append(PackageFile(name, size, Sha256(sha256)))
        sql = """
            SELECT p.*, r.raw FROM packages p JOIN package_raw r USING (id)
            WHERE id IN (SELECT value FROM json_each(?))
        """
        found = {row["id"]: package_info(row, tuple(files[row["id"]])) for row in rows(self._db, sql, [asked])}
        for package_id in package_ids:
            if package_id not in found:
                raise NotFoundError(f"there is no package with id {package_id}")
        return [found[package_id] for package_id in package_ids]

    def files(self, package_id: int) -> tuple[PackageFile, ...]:
        """The files of a package, the main one first."""
        sql = "SELECT name, size, sha256 FROM package_files WHERE package_id = ? ORDER BY position"
        return tuple(
            PackageFile(name, size, Sha256(sha)) for name, size, sha in self._db.conn.execute(sql, [package_id])
        )

    def has_artifact(self, sha256: str) -> bool:
        """Whether a file of this content was accepted into the private store."""
        sql = "SELECT 1 FROM artifacts WHERE sha256 = ? AND removed_at IS NULL"
        return self._db.conn.execute(sql, [sha256]).fetchone() is not None

    def has_all(self, package_id: int) -> bool:
        """Whether every file of a package is in the private store, as far as is known."""
        return all(self.has_artifact(file.sha256) for file in self.files(package_id))

    def used_artifacts(self) -> Iterator[tuple[str, str, int, bool]]:
        """Digest, name and size of each file that has to be in the private store, and whether it is a package's."""
        sql = f"""
            SELECT sha256, name, size, sha256 IN (SELECT sha256 FROM package_files) FROM artifacts
            WHERE sha256 IN ({IN_USE}) ORDER BY name, sha256
        """
        return iter(self._db.conn.execute(sql))

    def unused_artifacts(self, before: dt.datetime) -> Sequence[tuple[str, int]]:
        """Digest and size of the files that came before a time, and that no version and no waiting import has."""
        sql = f"""
            SELECT sha256, size FROM artifacts
            WHERE removed_at IS NULL AND created_at <= ? AND sha256 NOT IN ({IN_USE}) ORDER BY sha256
        """
        return self._db.conn.execute(sql, [to_text(before)]).fetchall()

    def unknown_artifacts(self, digests: Sequence[str]) -> Sequence[str]:
        """Those of some digests that no import has settled, or that were dropped."""
        marks = ",".join("?" * len(digests))
        sql = f"SELECT sha256 FROM artifacts WHERE removed_at IS NULL AND sha256 IN ({marks})"
        known = {sha256 for (sha256,) in self._db.conn.execute(sql, digests)}
        return [sha256 for sha256 in digests if sha256 not in known]

    def drop_artifacts(self, digests: Sequence[str], now: dt.datetime) -> None:
        """Notes that files are no longer in the private store; what was known of them stays."""
        self._db.conn.executemany(
            "UPDATE artifacts SET removed_at = ? WHERE sha256 = ?", [(to_text(now), sha256) for sha256 in digests]
        )

    def regain_artifacts(self, digests: Sequence[str]) -> None:
        """Notes that files are in the private store again."""
        self._db.conn.executemany("UPDATE artifacts SET removed_at = NULL WHERE sha256 = ?", zip(digests))


def package_info(row: Mapping[str, Any], files: tuple[PackageFile, ...]) -> PackageInfo:
    """A package from its row, with its text and its files."""
    return PackageInfo(
        format=row["format"],
        kind=row["kind"],
        name=row["name"],
        version=row["version"],
        version_key=row["version_key"],
        architecture=row["architecture"],
        source_name=row["source_name"],
        summary=row["summary"],
        section=row["section"],
        raw=row["raw"],
        files=files,
        provides=row["provides"],
        source_version=row["source_version"] or "",
        module=row["module"] or "",
        original_sha256=row["original_sha256"],
        licence=row["licence"] or "",
        maintainer=row["maintainer"] or "",
    )
