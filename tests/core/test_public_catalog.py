"""What is in a copy of the catalog for everybody, and what is not."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from entrepot.catalog.public import EMPTY, FULL_TEXT, HOLLOW_VIEWS, LEFT_OUT, PUBLIC, VIEWS, copy_public
from entrepot.errors import UsageError
from entrepot.models import Connection, Secrets
from entrepot.services import catalog_copies, operations, queue, reviews
from support.toybox import ToyBox

SECRET = "hunter2-of-the-proxy"


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToyBox]:
    """A workspace with packages that are in, wait and were refused, by people who say why."""
    box = ToyBox(tmp_path_factory.mktemp("box"), settings="[policies.soft]\nwarn = 'publish'\n")
    for name, word in (("robot", "pass"), ("odd", "review"), ("strange", "review"), ("evil", "block")):
        box.upstream.add(name, 1, text=word, summary=f"a toy that is {name}")
    box.sync()
    connection = Connection(proxy="http://proxy.internal.example:3128")
    secrets = Secrets(username="kim", password=SECRET, proxy=f"http://kim:{SECRET}@proxy.internal.example:3128")
    box.follow(
        box.upstream.draft("https://toys.example.org/?token=abc123"), name="far", connection=connection, secrets=secrets
    )
    box.bring("robot", "odd", "strange", "evil")
    held = {row["name"]: row["id"] for row in box.workspace.catalog.reviews.waiting()}
    box.workspace.actor = "lena-of-the-review"
    reviews.approve(box.workspace, held["odd"], "justified-by-nobody-else")
    yield box
    box.workspace.close()


@pytest.fixture(scope="module")
def path(box: ToyBox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The copy."""
    folder = tmp_path_factory.mktemp("public")
    catalog_copies.publish_catalog(box.workspace, str(folder))
    return folder / "catalog.db"


@pytest.fixture
def copy(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True)) as connection:
        yield connection


def names(connection: sqlite3.Connection, kind: str) -> set[str]:
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = ?", [kind])
    return {row[0] for row in found if not row[0].startswith("sqlite_")}


def test_every_table_and_view_of_the_schema_is_said_to_be_in_or_not(box: ToyBox) -> None:
    schema = box.workspace.catalog.database.conn
    tables = {name for name in names(schema, "table") if not name.startswith("available_fts_")}
    assert tables == {*PUBLIC, *EMPTY, *LEFT_OUT, *FULL_TEXT}, "say in catalog/public.py what everybody may see of it"
    assert names(schema, "view") == {*VIEWS, *HOLLOW_VIEWS}


@pytest.mark.parametrize("table", PUBLIC)
def test_every_column_of_a_table_that_is_in_is_said_to_be_in_or_not(box: ToyBox, table: str) -> None:
    public = PUBLIC[table]
    said = [*public.columns.split(), *public.instead, *public.without.split()]
    columns = [row[1] for row in box.workspace.catalog.database.conn.execute(f"PRAGMA table_info({table})")]
    assert sorted(said) == sorted(columns), "say in catalog/public.py what everybody may see of it"


def test_a_copy_has_the_tables_that_are_named_and_no_others(copy: sqlite3.Connection) -> None:
    tables = {name for name in names(copy, "table") if not name.startswith("available_fts_")}
    assert tables == {*PUBLIC, *EMPTY, *FULL_TEXT}
    assert not [name for name in EMPTY if copy.execute(f"SELECT 1 FROM {name}").fetchone()]
    assert not [name for name in HOLLOW_VIEWS if copy.execute(f"SELECT 1 FROM {name}").fetchone()]


def test_a_copy_is_one_whole_file_without_a_journal(path: Path, copy: sqlite3.Connection) -> None:
    assert sorted(file.name for file in path.parent.glob("[!.]*")) == ["catalog.db", "metadata.json"]
    assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert copy.execute("PRAGMA foreign_key_check").fetchall() == []
    assert copy.execute("PRAGMA freelist_count").fetchone() == (0,)
    assert path.read_bytes()[18:20] == b"\x01\x01", "no write-ahead log: file format 1"


def test_packages_are_found_by_their_words(copy: sqlite3.Connection) -> None:
    sql = "SELECT a.name FROM available_fts f JOIN available a ON a.id = f.rowid WHERE available_fts MATCH 'toy robot'"
    assert copy.execute(sql).fetchall() == [("robot",)]


def test_what_is_in_is_there_with_its_verdicts_and_what_is_not_is_not(copy: sqlite3.Connection) -> None:
    assert [row[0] for row in copy.execute("SELECT name FROM packages ORDER BY 1")] == ["odd", "robot"]
    assert [row[0] for row in copy.execute("SELECT name FROM imports ORDER BY 1")] == ["odd", "robot"]
    assert {row[0] for row in copy.execute("SELECT package FROM packages_in_distributions")} == {"odd", "robot"}
    assert len(copy.execute("SELECT sha256 FROM artifacts").fetchall()) == 2
    assert {row[0] for row in copy.execute("SELECT import_id FROM verdicts")} == {
        row[0] for row in copy.execute("SELECT id FROM imports")
    }


def test_nothing_of_secrets_people_and_places_is_in_the_file(box: ToyBox, path: Path) -> None:
    task = box.workspace.catalog.tasks.wait("sync", "a-private-subject", "kim", "", {"source": "x"}, box.clock())
    assert queue.keeps_request(box.workspace, task)
    catalog_copies.publish_catalog(box.workspace, str(path.parent))
    private = [
        "lena-of-the-review",
        "tester",
        "justified-by-nobody-else",
        "proxy.internal",
        str(box.home),
        str(box.tree),
    ]
    private += ["a-private-subject", box.workspace.origin]
    box.workspace.catalog.database.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    original, copied = (box.home / "catalog.db").read_bytes(), path.read_bytes()
    assert [word for word in private if word.encode() not in original] == []
    for word in (*private, SECRET, "abc123", box.home.name + "/secrets"):
        assert word.encode() not in copied, word
    assert b"https://toys.example.org/" in copied


def test_a_copy_is_told_of_in_the_audit_log_and_a_plan_is_not(box: ToyBox, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    planned = catalog_copies.publish_catalog(box.workspace, str(folder), dry_run=True)
    assert (planned.rows["packages"], folder.exists()) == (2, False)
    before = operations.audit(box.workspace, 1)[0]["id"]
    made = catalog_copies.publish_catalog(box.workspace, str(folder))
    (entry,) = operations.audit(box.workspace, 1)
    assert (entry["id"], entry["action"], entry["subject"]) == (before + 1, "publish.catalog", str(folder))
    assert made.size == (folder / "catalog.db").stat().st_size
    assert operations.tasks(box.workspace, 1)[0]["created_resources"] == [str(folder)]


def test_a_copy_has_nothing_that_a_private_table_of_somebody_has(box: ToyBox, tmp_path: Path) -> None:
    box.workspace.catalog.database.conn.execute("CREATE TABLE notes AS SELECT 'a private note' AS text")
    copy_public(box.workspace.catalog.path, tmp_path / "copy.db", catalog_copies.shown_url)
    box.workspace.catalog.database.conn.execute("DROP TABLE notes")
    assert b"a private note" not in (tmp_path / "copy.db").read_bytes()


def test_without_a_place_there_is_no_copy(box: ToyBox) -> None:
    with pytest.raises(UsageError, match="where the catalog is to be published"):
        catalog_copies.publish_catalog(box.workspace)
