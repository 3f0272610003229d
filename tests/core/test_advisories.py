"""Vulnerability data in the catalog: loaded as a whole or not at all, and only what changed."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from sqlite_utils import Database

from entrepot.catalog.advisories import BATCH
from entrepot.catalog.migrations import migrations
from entrepot.errors import (
    BatchError,
    BusyError,
    ConflictError,
    IndexFormatError,
    MissingError,
    NotFoundError,
    TransferError,
    UsageError,
)
from entrepot.models import SyncCounts
from entrepot.services import advisories
from entrepot_plugins.scanners.osv import FORMATS
from support.advisories import Desk, Record, keys, osv, package, write_zip
from support.upstream import Fault, Upstream


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.close()


def cve(number: int, fixed: str = "1.0-2", ecosystem: str = "Debian:12") -> Record:
    return osv(f"CVE-2026-{number}", package(ecosystem, "hello", fixed=fixed))


def known(desk: Desk, ecosystem: str = "Debian:12", version: str = "1.0-1") -> list[str]:
    return [hit.name for hit in desk.lookup.affecting([ecosystem], "hello", keys("apt", version))]


def rows(desk: Desk, *tables: str) -> list[int]:
    execute = desk.workspace.catalog.database.execute
    return [execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]


TABLES = (
    "advisory_feeds",
    "advisories",
    "advisory_names",
    "advisory_ecosystems",
    "advisory_affected",
    "vulnerability_facts",
)


def test_an_update_writes_only_what_changed(desk: Desk) -> None:
    assert desk.load("debian", cve(1001), cve(1002), cve(1003)).counts == SyncCounts(added=3)
    ids = dict(desk.workspace.catalog.database.execute("SELECT name, id FROM advisories"))
    result = desk.load("debian", cve(1001), cve(1002, fixed="1.0-9"), cve(1004))
    assert result.counts == SyncCounts(added=1, changed=1, removed=1, unchanged=1)
    assert result.feed.records == 3
    assert known(desk) == ["CVE-2026-1001", "CVE-2026-1002", "CVE-2026-1004"]
    assert known(desk, version="1.0-5") == ["CVE-2026-1002"]
    after = dict(desk.workspace.catalog.database.execute("SELECT name, id FROM advisories"))
    assert after["CVE-2026-1001"] == ids["CVE-2026-1001"]


def test_a_file_that_is_as_it_was_is_not_read_again(desk: Desk) -> None:
    desk.load("debian", cve(1001))
    desk.clock.advance(days=3)
    result = advisories.update_feed(desk.workspace, "debian")
    assert result.counts is None
    assert result.as_json() == {
        "name": "debian", "format": "osv", "records": 1, "added": 0, "changed": 0, "removed": 0, "unchanged": 1
    }  # fmt: skip
    assert result.feed.checked_at == desk.clock.time
    assert result.feed.changed_at == desk.clock.time - dt.timedelta(days=3)
    assert advisories.update_feed(desk.workspace, "debian", force=True).counts == SyncCounts(unchanged=1)


def test_records_that_stand_twice_count_once_and_feeds_do_not_touch_each_other(desk: Desk) -> None:
    many = [cve(number) for number in range(1000, 1000 + BATCH + 20)]
    desk.load("other", *many[:3])
    assert desk.load("debian", *many, *many[:5]).counts == SyncCounts(added=len(many))
    assert desk.load("other", *many[3:5]).counts == SyncCounts(added=2, removed=3)
    assert desk.load("debian", *many[5:], *many[7:9]).counts == SyncCounts(removed=5, unchanged=len(many) - 5)
    assert len(known(desk)) == len(many) - 3


def test_several_records_of_one_name_are_counted_without_going_below_nothing(desk: Desk) -> None:
    desk.load("debian", cve(1001), cve(1001, fixed="1.0-3"), cve(1001, fixed="1.0-4"))
    assert desk.load("debian", cve(1001, fixed="1.0-5")).counts == SyncCounts(changed=1, removed=2)


def test_an_update_that_fails_leaves_everything_as_it_was(desk: Desk) -> None:
    desk.load("debian", cve(1001), cve(1002))
    before = list(desk.workspace.catalog.database.execute("SELECT * FROM advisory_feeds"))
    with pytest.raises(IndexFormatError, match=r"debian.zip: '1/BAD.json' \(BAD\): affected is a number"):
        desk.load("debian", cve(1003), {"id": "BAD", "affected": 3})
    assert known(desk) == ["CVE-2026-1001", "CVE-2026-1002"]
    assert list(desk.workspace.catalog.database.execute("SELECT * FROM advisory_feeds")) == before


def test_nothing_is_added_if_it_cannot_be_read(desk: Desk) -> None:
    with pytest.raises(IndexFormatError):
        desk.load("debian", {"id": "BAD", "affected": 3})
    assert rows(desk, *TABLES) == [0] * 6


def test_data_without_a_record_is_refused_so_that_nothing_looks_clean(desk: Desk) -> None:
    desk.load("debian", cve(1001))
    with pytest.raises(IndexFormatError, match="has no record"):
        desk.load("debian")
    assert known(desk) == ["CVE-2026-1001"]


def test_a_feed_goes_with_all_it_said(desk: Desk) -> None:
    desk.load("debian", cve(1001))
    desk.load("other", cve(1002, ecosystem="Debian:13"))
    desk.load_text("epss", "epss.csv", "cve,epss\nCVE-2026-1001,0.5\n")
    advisories.remove_feed(desk.workspace, "debian")
    advisories.remove_feed(desk.workspace, "epss")
    assert rows(desk, *TABLES) == [1, 1, 1, 1, 1, 0]
    assert list(desk.lookup.ecosystems()) == ["Debian:13"]


def test_an_ecosystem_that_a_feed_says_nothing_about_any_more_is_gone(desk: Desk) -> None:
    desk.load("debian", cve(1001), cve(1002, ecosystem="Debian:13"))
    assert list(desk.lookup.ecosystems()) == ["Debian:12", "Debian:13"]
    desk.load("debian", cve(1001))
    assert desk.lookup.ecosystems() == {"Debian:12": desk.clock.time}


def test_the_age_of_an_ecosystem_is_that_of_its_oldest_feed(desk: Desk) -> None:
    desk.load("old", cve(1001))
    begun = desk.clock.time
    desk.clock.advance(days=2)
    desk.load("new", cve(1002))
    assert desk.lookup.ecosystems() == {"Debian:12": begun}


def test_facts_are_updated_as_advisories_are(desk: Desk) -> None:
    lines = "CVE-2026-1001,0.5\nCVE-2026-1002,0.5\nCVE-2026-1003,0.5\n"
    desk.load_text("epss", "epss.csv", f"cve,epss\n{lines}")
    changed = lines.replace("1002,0.5", "1002,0.7").replace("1003", "1004")
    (desk.folder / "epss.csv").write_text(f"cve,epss\n{changed}CVE-2026-1002,0.7\n")
    result = advisories.update_feed(desk.workspace, "epss")
    assert result.counts == SyncCounts(added=1, changed=1, removed=1, unchanged=1)
    assert desk.lookup.facts(["CVE-2026-1002", "CVE-2026-1003"]) == {"CVE-2026-1002": {"epss": "0.7"}}


def test_a_reader_that_says_something_else_of_the_same_records_reads_all_of_them_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    (form,) = (form for form in FORMATS if form.name == "osv")
    with monkeypatch.context() as older:
        older.setattr(form, "generation", "older")
        desk.load("debian", cve(1001))
    assert advisories.update_feed(desk.workspace, "debian").counts == SyncCounts(changed=1)
    assert known(desk) == ["CVE-2026-1001"]


def test_a_url_is_asked_whether_it_changed(desk: Desk, tmp_path: Path) -> None:
    content = write_zip(tmp_path / "one.zip", [cve(1001)]).read_bytes()
    with Upstream(files={"all.zip": content}) as upstream:
        result = advisories.add_feed(desk.workspace, "debian", f"{upstream.url}all.zip")
        assert (result.feed.format, result.counts) == ("osv", SyncCounts(added=1))
        assert advisories.update_feed(desk.workspace, "debian").counts is None
        assert [request.status for request in upstream.requests] == [200, 304]
        upstream.files["/all.zip"] = write_zip(tmp_path / "two.zip", [cve(1001), cve(1002)]).read_bytes()
        result = advisories.update_feed(desk.workspace, "debian")
        assert result.counts == SyncCounts(added=1, unchanged=1)
        upstream.fail("/all.zip", Fault(status=404))
        with pytest.raises(MissingError):
            advisories.update_feed(desk.workspace, "debian")
    assert known(desk) == ["CVE-2026-1001", "CVE-2026-1002"]


def test_a_download_that_was_cut_off_changes_nothing(desk: Desk, tmp_path: Path) -> None:
    content = write_zip(tmp_path / "one.zip", [cve(number) for number in range(1000, 1100)]).read_bytes()
    with Upstream(files={"all.zip": content[:-100]}) as upstream, pytest.raises(IndexFormatError, match="cut short"):
        advisories.add_feed(desk.workspace, "debian", f"{upstream.url}all.zip")
    assert rows(desk, *TABLES) == [0] * 6


def test_the_name_in_a_url_tells_its_form_and_its_compression(desk: Desk) -> None:
    content = gzip.compress(b"cve,epss,percentile\nCVE-2026-1001,0.5,0.9\n")
    with Upstream(files={"epss-current.csv.gz": content}) as upstream:
        result = advisories.add_feed(desk.workspace, "epss", f"{upstream.url}epss-current.csv.gz?x=1")
    assert result.feed.format == "epss"


def test_a_url_that_is_too_large_is_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advisories, "DOWNLOAD_LIMIT", 10)
    with Upstream(files={"a.json": b"x" * 100}) as upstream, pytest.raises(TransferError):
        advisories.add_feed(desk.workspace, "debian", f"{upstream.url}a.json")


def test_a_feed_that_changed_while_it_was_fetched_is_not_written(desk: Desk, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "one.zip", [cve(1001)])
    with Upstream(files={"all.zip": path.read_bytes()}) as upstream:
        advisories.add_feed(desk.workspace, "debian", f"{upstream.url}all.zip")

        def meanwhile(event: object) -> None:
            desk.workspace.catalog.database.execute("UPDATE advisory_feeds SET records = 7")

        upstream.files["/all.zip"] = write_zip(tmp_path / "two.zip", [cve(1002)]).read_bytes()
        with pytest.raises(BusyError, match="updated or changed by another command"):
            advisories.update_feed(desk.workspace, "debian", meanwhile)
    assert known(desk) == ["CVE-2026-1001"]


def test_a_name_that_is_taken_and_names_that_are_not_there_are_told(desk: Desk) -> None:
    desk.load("debian", cve(1001))
    with pytest.raises(ConflictError, match="there is vulnerability data called 'debian' already"):
        advisories.add_feed(desk.workspace, "debian", str(desk.folder / "debian.zip"))
    with pytest.raises(NotFoundError, match="called 'rpm'") as caught:
        advisories.update_feed(desk.workspace, "rpm")
    assert caught.value.hint == "known: debian"
    with pytest.raises(NotFoundError, match="no form of vulnerability data called 'oval'"):
        advisories.add_feed(desk.workspace, "oval", str(desk.folder), format_name="oval")
    with pytest.raises(NotFoundError, match="cannot be read: No such file"):
        advisories.add_feed(desk.workspace, "nothing", str(desk.folder / "nothing"))
    with pytest.raises(UsageError, match="has a user name"):
        advisories.add_feed(desk.workspace, "secret", "https://me:pw@example.org/a.zip")
    with pytest.raises(UsageError, match="is no name for a feed"):
        advisories.add_feed(desk.workspace, "../x", str(desk.folder))


def test_a_form_that_nobody_recognises_has_to_be_said(desk: Desk) -> None:
    with pytest.raises(UsageError, match="is of no form that is known") as caught:
        desk.load_text("odd", "odd.txt", "hello")
    assert caught.value.hint == "say which with --format: debian-tracker, epss, kev, openvex, osv"


def test_a_batch_of_updates_tells_every_failure(desk: Desk) -> None:
    desk.load("a", cve(1001))
    desk.load("b", cve(1002))
    os.unlink(desk.folder / "a.zip")
    with pytest.raises(BatchError, match="1 of 2 feeds could not be updated") as caught:
        advisories.update_feeds(desk.workspace, [])
    assert [name for name, _ in caught.value.failures] == ["a"]
    assert [result.feed.name for result in caught.value.results if isinstance(result, advisories.FeedResult)] == ["b"]


def test_a_folder_is_looked_through_every_time(desk: Desk) -> None:
    folder = desk.folder / "records"
    folder.mkdir()
    (folder / "a.json").write_text(json.dumps(cve(1001)))
    advisories.add_feed(desk.workspace, "folder", folder.as_uri())
    (folder / "b.json").write_text(json.dumps(cve(1002)))
    assert advisories.update_feed(desk.workspace, "folder").counts == SyncCounts(added=1, unchanged=1)


def test_what_was_done_is_in_the_audit_log_and_the_tasks(desk: Desk) -> None:
    desk.load("debian", cve(1001))
    advisories.remove_feed(desk.workspace, "debian")
    assert [row["action"] for row in desk.workspace.catalog.audit.list()] == ["advisories.remove", "advisories.add"]
    assert [task["state"] for task in desk.workspace.catalog.tasks.list(5)] == ["completed"]


def test_the_catalog_is_asked_from_several_threads_at_once(desk: Desk) -> None:
    desk.load("debian", *(cve(number) for number in range(1000, 1100)))
    answers: list[int] = []

    def ask() -> None:
        for _ in range(50):
            answers.append(len(known(desk)))

    threads = [Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [100] * 200


def test_a_question_is_answered_from_an_index(desk: Desk) -> None:
    desk.load("debian", cve(1001))
    sql = """
        EXPLAIN QUERY PLAN SELECT 1 FROM advisory_affected p CROSS JOIN advisories a ON a.id = p.advisory_id
        WHERE p.package = 'hello' AND p.ecosystem_id IN (1, 2)
    """
    plan = [row[3] for row in desk.workspace.catalog.database.execute(sql)]
    assert not [step for step in plan if step.startswith("SCAN")]


def named(desk: Desk, vulnerability: str) -> list[str]:
    return [row["name"] for row in desk.workspace.catalog.listings.advisories(vulnerability, 10)]


def test_an_advisory_is_found_by_its_name_its_vulnerabilities_and_its_aliases(desk: Desk) -> None:
    told = osv("DSA-1", package("Debian:12", "hello"), upstream=["CVE-2026-2001", "CVE-2026-2002"], aliases=["GHSA-1"])
    desk.load("debian", told, cve(1001))
    for name in ("DSA-1", "CVE-2026-2001", "CVE-2026-2002", "GHSA-1"):
        assert named(desk, name) == ["DSA-1"]
    assert named(desk, "CVE-2026") == []
    desk.load("debian", osv("DSA-1", package("Debian:12", "hello"), upstream=["CVE-2026-2002"]), cve(1001))
    assert (named(desk, "CVE-2026-2001"), named(desk, "CVE-2026-2002")) == ([], ["DSA-1"])


def test_looking_for_a_vulnerability_reads_no_table_as_a_whole(desk: Desk) -> None:
    desk.load("debian", cve(1001))
    asked: list[str] = []
    connection = desk.workspace.catalog.database.conn
    connection.set_trace_callback(asked.append)
    assert named(desk, "CVE-2026-1001") == ["CVE-2026-1001"]
    connection.set_trace_callback(None)
    plans = [row[3] for sql in asked for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
    assert plans
    assert not [step for step in plans if step.startswith("SCAN")]


def test_advisories_of_an_older_catalog_are_found_by_their_words() -> None:
    database = Database(memory=True)
    migrations.apply(database, stop_before="names_in_advisories")
    database.conn.execute("INSERT INTO advisory_feeds (id, name, format, location) VALUES (1, 'a', 'osv', 'b')")
    database.conn.execute(
        "INSERT INTO advisories (id, feed_id, digest, name, vulnerabilities, aliases)"
        " VALUES (7, 1, x'00', 'DSA-1', 'CVE-1 CVE-2', NULL)"
    )
    migrations.apply(database)
    rows = database.conn.execute("SELECT name, advisory_id FROM advisory_names").fetchall()
    assert rows == [("CVE-1", 7), ("CVE-2", 7), ("DSA-1", 7)]


def test_what_changed_is_known_by_the_names_of_packages(desk: Desk) -> None:
    number = 0

    def changed() -> list[str]:
        nonlocal number
        found = sorted(desk.lookup.changed(number))
        number = desk.lookup.state().number
        return found

    def about(number: int, name: str, fixed: str = "1.0-2") -> Record:
        return osv(f"CVE-2026-{number}", package("Debian:12", name, fixed=fixed))

    desk.load("debian", about(1001, "hello"), about(1002, "curl"), about(1003, "bash"))
    assert changed() == ["bash", "curl", "hello"]
    desk.load("debian", about(1001, "hello"), about(1002, "curl", fixed="1.0-9"))
    assert changed() == ["bash", "curl"]
    before = desk.lookup.state()
    desk.load("debian", about(1001, "hello"), about(1002, "curl", fixed="1.0-9"))
    assert desk.lookup.state() == before
    path = desk.folder / "epss.csv"
    for score, names in (("0.5", ["curl"]), ("0.5", []), ("0.6", ["curl"])):
        path.write_text(
            f"#model_version:v1\ncve,epss,percentile\nCVE-2026-1002,{score},0.9\nCVE-2026-7777,{score},0.9\n"
        )
        if advisories.list_feeds(desk.workspace)[1:]:
            advisories.update_feed(desk.workspace, "epss", force=True)
        else:
            advisories.add_feed(desk.workspace, "epss", str(path))
        assert changed() == names
    advisories.remove_feed(desk.workspace, "epss")
    assert changed() == ["curl"]
    advisories.remove_feed(desk.workspace, "debian")
    assert changed() == ["curl", "hello"]
