"""The catalog: its schema, its transactions, what it keeps of packages."""

from __future__ import annotations

import datetime as dt
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlite_utils
from hypothesis import given
from hypothesis import strategies as st

from entrepot.catalog import Catalog
from entrepot.catalog.database import CatalogError, from_json, to_json, to_text, to_time
from entrepot.catalog.imports import ImportsTable
from entrepot.catalog.migrations import migrations
from entrepot.catalog.packages import PackagesTable
from entrepot.catalog.versions import Addition
from entrepot.errors import BusyError, NotFoundError
from entrepot.models import Sha256
from entrepot.services import operations
from support.children import start_python
from support.toybox import ToyBox
from support.views import NOW, a_package


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    catalog = Catalog(tmp_path / "catalog.db")
    yield catalog
    catalog.close()


@pytest.fixture
def box(tmp_path: Path) -> Iterator[ToyBox]:
    box = ToyBox(tmp_path)
    yield box
    box.workspace.close()


def test_a_new_file_becomes_a_catalog(catalog: Catalog) -> None:
    assert not migrations.pending(catalog.database)
    names = set(catalog.database.table_names())
    assert {"sources", "available", "packages", "versions", "membership", "imports", "tasks", "audit"} <= names
    assert catalog.database.conn.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert catalog.database.conn.execute("PRAGMA foreign_keys").fetchone() == (1,)


def test_opening_a_catalog_again_changes_nothing(catalog: Catalog) -> None:
    schema = catalog.database.schema
    other = Catalog(catalog.path)
    assert other.database.schema == schema
    other.close()


def test_a_catalog_that_was_migrated_half_way_is_finished(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    whole = Catalog(tmp_path / "whole.db")
    half = Catalog(path)
    last = [row["name"] for row in half.database.query("SELECT name FROM _sqlite_migrations ORDER BY id")][-1]
    assert last == [migration.name for migration in migrations.applied(half.database)][-1]
    half.close()
    again = Catalog(path)
    assert again.database.schema == whole.database.schema
    again.close()
    whole.close()


def test_a_catalog_of_a_newer_release_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    catalog = Catalog(path)
    row = {"migration_set": "entrepot", "name": "tomorrow", "applied_at": "2030-01-01"}
    catalog.database.table("_sqlite_migrations").insert(row)
    catalog.close()
    with pytest.raises(CatalogError, match="newer release \\(tomorrow\\)"):
        Catalog(path)


def test_what_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    path.write_text("no database at all, but long enough to be looked at as one" * 50)
    with pytest.raises(CatalogError, match="cannot be opened: file is not a database") as caught:
        Catalog(path)
    assert caught.value.data["path"] == str(path)
    with pytest.raises(CatalogError, match="unable to open database file"):
        Catalog(tmp_path / "nowhere" / "catalog.db")


def test_two_commands_may_open_a_new_workspace_at_once(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from entrepot.catalog import Catalog\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "print(len(Catalog(Path(sys.argv[1])).database.table_names()))"
    )
    children = [start_python(code, str(tmp_path / "catalog.db")) for _ in range(3)]
    for child in children:
        assert child.stdout
        assert child.stdin
        assert child.stdout.readline() == "ready\n"
    outputs = [child.communicate("go\n", timeout=30)[0] for child in children]
    assert [child.returncode for child in children] == [0, 0, 0]
    assert len(set(outputs)) == 1


def test_rows_that_belong_to_nothing_are_refused(catalog: Catalog) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"), catalog.transaction():
        catalog.imports.start({"state": "fetching", "name": "x", "distribution_id": 7}, NOW)


def test_a_transaction_is_seen_as_a_whole_or_not_at_all(catalog: Catalog) -> None:
    other = Catalog(catalog.path)
    with catalog.transaction():
        catalog.tasks.start("sync", "one", "me", NOW)
        with catalog.transaction():
            catalog.tasks.start("sync", "two", "me", NOW)
        assert other.tasks.list(10) == []
    assert [task["subject"] for task in other.tasks.list(10)] == ["two", "one"]
    other.close()


def test_a_transaction_that_fails_leaves_nothing(catalog: Catalog) -> None:
    def fail() -> None:
        with catalog.transaction():
            catalog.tasks.start("sync", "three", "me", NOW)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert catalog.tasks.list(10) == []


def test_a_writer_that_waits_too_long_is_told_so(catalog: Catalog) -> None:
    other = Catalog(catalog.path)
    other.database.conn.execute("PRAGMA busy_timeout = 1")
    with (
        catalog.transaction(),
        pytest.raises(BusyError, match="another command has been writing") as caught,
        other.transaction(),
    ):
        raise AssertionError("both write")
    assert "entrepot task list" in caught.value.hint
    other.close()


def test_who_only_looks_at_tasks_waits_for_no_writer(box: ToyBox) -> None:
    box.upstream.add("robot")
    box.sync()
    other = box.opened()
    other.catalog.database.conn.execute("PRAGMA busy_timeout = 1")
    with box.workspace.catalog.transaction():
        assert [task["kind"] for task in operations.tasks(other, 5)] == ["sync"]
        assert operations.task(other, 1)["subject"] == "box"
    other.close()


@given(st.integers(1, 200_000_000_000).map(lambda seconds: dt.datetime.fromtimestamp(seconds / 10, dt.UTC)))
def test_a_moment_is_kept_to_the_second_and_text_order_is_time_order(moment: dt.datetime) -> None:
    kept = to_time(to_text(moment))
    assert kept == moment.replace(microsecond=0)
    assert to_text(moment - dt.timedelta(seconds=1)) < to_text(moment)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_json_comes_back_as_it_was_even_with_text_that_is_no_unicode(value: object) -> None:
    text = to_json(value)
    assert from_json(text) == value
    assert text.encode()


def test_the_same_value_is_the_same_json() -> None:
    assert to_json({"b": 1, "a": (2, "ö")}) == to_json({"a": [2, "ö"], "b": 1}) == '{"a":[2,"ö"],"b":1}'


def test_the_same_files_with_the_same_text_are_one_package(catalog: Catalog) -> None:
    info = a_package()
    with catalog.transaction():
        first = catalog.packages.add(info, NOW)
        assert catalog.packages.add(info, NOW) == first
        other = a_package(raw=info.raw + b"\nTag: x", files=info.files)
        assert catalog.packages.add(other, NOW) != first
    assert catalog.packages.get(first).raw == info.raw
    assert catalog.packages.files(first) == info.files
    assert catalog.packages.has_artifact(info.files[0].sha256)
    assert not catalog.packages.has_artifact(Sha256("0" * 64))
    with pytest.raises(NotFoundError, match="there is no package with id 77"):
        catalog.packages.get(77)


def test_the_digest_of_an_entry_covers_text_place_and_files() -> None:
    info = a_package()
    entries = [
        Addition(1, info, "main", "pool/a"),
        Addition(1, info, "main", "pool/b"),
        Addition(1, a_package(raw=b"other", files=info.files), "main", "pool/a"),
        Addition(1, a_package("other", raw=info.raw), "main", "pool/a"),
    ]
    assert len({entry.digest for entry in entries}) == len(entries)


def test_a_catalog_of_another_user_says_whose_it_has_to_be() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Catalog(folder / "catalog.db").close()
        (folder / "catalog.db").chmod(0o444)
        folder.chmod(0o555)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)  # root may write whatever the mode is
        try:
            with pytest.raises(CatalogError, match=r"catalog\.db cannot be opened: attempt to write") as caught:
                Catalog(folder / "catalog.db")
        finally:
            os.seteuid(user)
            folder.chmod(0o755)
    assert "have to belong to the user that runs entrepot" in caught.value.hint


def test_decisions_of_an_older_catalog_are_found_by_the_file_that_came(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    database = sqlite_utils.Database(path)
    migrations.apply(database, stop_before="reviews_by_original")
    signed = replace(a_package("hello", "1", "amd64"), original_sha256="a" * 64)
    for package_id in (PackagesTable(database).add(signed, NOW), None):
        imported = {"state": "published", "name": "hello", "distribution_id": 1, "package_id": package_id}
        import_id = ImportsTable(database).start(imported, NOW)
        database.execute(
            "INSERT INTO reviews (import_id, distribution_id, sha256, decision, justification, actor)"
            " VALUES (?, 1, ?, 'approve', 'fine', 'ada')",
            [import_id, "b" * 64],
        )
    database.conn.commit()
    database.close()
    catalog = Catalog(path)
    assert [row["original_sha256"] for row in catalog.database.query("SELECT * FROM reviews")] == ["a" * 64, "b" * 64]
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        catalog.database.execute("UPDATE reviews SET actor = 'eve'")
    catalog.close()
