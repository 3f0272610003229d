"""Sync: from what an index says to rows, in one transaction, and only those that changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from entrepot.errors import BatchError, IndexFormatError
from entrepot.events import SourceSynced
from entrepot.hookspecs import hookimpl
from entrepot.models import SyncCounts
from entrepot.progress import ProgressEvent
from entrepot.services import browse, sources
from entrepot.services.sources import Change
from entrepot.sync import SyncResult
from support.apt_repository import Key
from support.apt_upstream import AptUpstream
from support.debs import make_deb
from support.toybox import ToyBox
from support.upstream import Upstream
from support.workspaces import Depot


@pytest.fixture
def box(tmp_path: Path) -> Iterator[ToyBox]:
    box = ToyBox(tmp_path)
    yield box
    box.workspace.close()


def names(box: ToyBox) -> list[tuple[str, str]]:
    """Name and version of what the catalog says is offered."""
    found = browse.search(box.workspace, "", all_versions=True, limit=1000)
    return sorted((row.name, row.version) for row in found)


# ------------------------------------------------------------------------------------------------------ counts


def test_the_first_sync_adds_everything(box: ToyBox) -> None:
    box.upstream.add("robot", 1)
    box.upstream.add("ball", 7)
    assert box.sync().counts == SyncCounts(added=2)
    assert names(box) == [("ball", "7"), ("robot", "1")]


def test_a_sync_counts_what_came_changed_went_and_stayed(box: ToyBox) -> None:
    for name in ("robot", "ball", "car", "drum"):
        box.upstream.add(name, 1)
    box.sync()
    box.upstream.drop("robot")
    box.upstream.add("robot", 2)
    box.upstream.drop("ball")
    box.upstream.add("kite", 1)
    result = box.sync()
    assert result.counts == SyncCounts(added=1, changed=1, removed=1, unchanged=2)
    assert result.packages == 4
    assert names(box) == [("car", "1"), ("drum", "1"), ("kite", "1"), ("robot", "2")]


def test_a_second_version_of_a_name_is_an_addition(box: ToyBox) -> None:
    box.upstream.add("robot", 1)
    box.sync()
    box.upstream.add("robot", 2)
    assert box.sync().counts == SyncCounts(added=1, unchanged=1)


def test_a_package_that_goes_back_to_an_earlier_version_has_changed(box: ToyBox) -> None:
    box.upstream.add("robot", 1)
    box.sync()
    first = box.upstream.drop("robot")
    box.upstream.add("robot", 2)
    box.sync()
    box.upstream.drop("robot")
    box.upstream.enter(first[0])
    assert box.sync().counts == SyncCounts(changed=1)
    assert names(box) == [("robot", "1")]


def test_a_package_that_returns_is_the_row_that_it_was(box: ToyBox) -> None:
    box.upstream.add("robot", 1)
    box.upstream.add("ball", 1)
    box.sync()
    (before,) = browse.search(box.workspace, "ball")
    line = box.upstream.drop("ball")
    box.sync()
    assert names(box) == [("robot", "1")]
    box.upstream.enter(line[0])
    assert box.sync().counts == SyncCounts(added=1, unchanged=1)
    assert browse.search(box.workspace, "ball") == [before]


def test_the_same_line_twice_is_one_package(box: ToyBox) -> None:
    box.upstream.add("robot", 1)
    box.upstream.enter(box.upstream.lines["toys"][0])
    assert box.sync().counts == SyncCounts(added=1)
    box.upstream.add("ball", 1)
    assert box.sync().counts == SyncCounts(added=1, unchanged=1)


def test_the_same_line_twice_far_apart_is_one_package(box: ToyBox) -> None:
    for number in range(1200):
        box.upstream.enter(f"toy{number}\t1\tany\t{number:064x}\t1\t\t\ttoy{number}.toy")
    box.upstream.enter(box.upstream.lines["toys"][0])
    assert box.sync().counts == SyncCounts(added=1200)
    box.upstream.enter(box.upstream.lines["toys"][1])
    assert box.sync().counts == SyncCounts(unchanged=1200)


def test_one_version_with_two_contents_is_two_packages(box: ToyBox) -> None:
    box.upstream.add("robot", 1, text="beep")
    box.upstream.add("robot", 1, text="boop")
    assert box.sync().counts == SyncCounts(added=2)


def test_an_index_that_vanished_takes_its_packages_along(box: ToyBox) -> None:
    box.upstream.add("robot", 1, to="toys")
    box.upstream.add("ball", 1, to="balls")
    box.sync()
    sources.set_source(box.workspace, "box", Change(distributions=("toys",)))
    assert box.sync().counts == SyncCounts(removed=1, unchanged=1)
    assert names(box) == [("robot", "1")]


def test_a_source_that_offers_nothing_is_warned_about(box: ToyBox) -> None:
    box.upstream.lines["toys"] = []
    assert box.sync().warnings == ["box offers no package: check its URL, distributions, components and architectures"]


# ---------------------------------------------------------------------------------------------- nothing changed


def test_an_unchanged_source_costs_one_request_for_each_distribution_and_changes_no_row(box: ToyBox) -> None:
    box.upstream.add("robot", 1, to="toys")
    box.upstream.add("ball", 1, to="balls")
    box.upstream.write()
    with Upstream(root=box.upstream.root) as server:
        box.follow(box.upstream.draft(server.url))
        box.sync()
        before = box.dump()
        server.forget()
        box.clock.advance(hours=1)
        result = box.sync()
        assert [(request.path, request.status) for request in server.requests] == [
            ("/toys/INDEX", 304),
            ("/balls/INDEX", 304),
        ]
    assert (result.counts, result.packages) == (None, 2)
    assert box.dump() == before
    assert box.workspace.catalog.sources.state(result.source).checked_at == box.clock()


def test_an_unchanged_apt_source_costs_one_request_for_each_distribution_and_changes_no_row(
    tmp_path: Path, keys: Callable[[], Key]
) -> None:
    upstream = AptUpstream(tmp_path / "upstream", keys())
    upstream.add(make_deb(tmp_path, "hello"), make_deb(tmp_path, "docs", arch="all"))
    upstream.add(make_deb(tmp_path, "world"), distribution="testing")
    upstream.write()
    depot = Depot(tmp_path / "depot")
    with Upstream(root=upstream.root) as server:
        assert depot.follow(upstream.draft(server.url)).counts == SyncCounts(added=3)
        rows = list(depot.workspace.catalog.database.query("SELECT * FROM available"))
        state = depot.workspace.catalog.sources.state(depot.workspace.catalog.sources.get("upstream"))
        server.forget()
        assert depot.sync().counts is None
        asked = sorted((request.path, request.status) for request in server.requests)
        assert asked == [("/dists/stable/InRelease", 304), ("/dists/testing/InRelease", 304)]
    assert list(depot.workspace.catalog.database.query("SELECT * FROM available")) == rows
    assert depot.workspace.catalog.sources.state(depot.workspace.catalog.sources.get("upstream")) == state
    depot.close()


def test_apt_counts_stanzas_over_all_its_indexes(tmp_path: Path) -> None:
    upstream = AptUpstream(tmp_path / "upstream", architectures=("amd64", "arm64"))
    upstream.add(make_deb(tmp_path, "docs", arch="all"), make_deb(tmp_path, "hello"))
    upstream.add(make_deb(tmp_path, "hello", arch="arm64"), make_deb(tmp_path, "gone"))
    upstream.write()
    depot = Depot(tmp_path / "depot")
    with Upstream(root=upstream.root) as server:
        assert depot.follow(upstream.draft(server.url)).counts == SyncCounts(added=5)
        upstream.remove("gone")
        upstream.remove("docs")
        upstream.add(make_deb(tmp_path, "docs", "2.0-1", arch="all"))
        upstream.add(make_deb(tmp_path, "new"))
        upstream.write()
        server.forget()
        assert depot.sync().counts == SyncCounts(added=1, changed=2, removed=1, unchanged=2)
    found = browse.search(depot.workspace, "docs", all_versions=True)
    assert [(row.name, row.version) for row in found] == [("docs", "2.0-1")]
    assert len(browse.show_package(depot.workspace, "docs").versions) == 1
    depot.close()


def test_force_reads_everything_again_and_finds_it_unchanged(box: ToyBox) -> None:
    box.upstream.add("robot", 1)
    box.sync()
    assert box.sync(force=True).counts == SyncCounts(unchanged=1)


def test_a_source_that_was_changed_is_read_again(box: ToyBox) -> None:
    box.upstream.add("robot", 1)
    box.sync()
    with Upstream(root=box.upstream.root) as server:
        sources.set_source(box.workspace, "box", Change(url=server.url))
        assert box.sync().counts == SyncCounts(unchanged=1)
        assert [(request.path, request.status) for request in server.requests] == [("/toys/INDEX", 200)]


# --------------------------------------------------------------------------------------------- all or nothing


def test_an_entry_that_cannot_be_described_half_way_leaves_the_catalog_as_it_was(box: ToyBox) -> None:
    box.upstream.add("robot", 1)
    box.sync()
    before = box.dump()
    box.upstream.drop("robot")
    for number in range(900):
        box.upstream.enter(f"toy{number}\t{number}\tany\t{number:064x}\t1\t\t\ttoy{number}.toy")
    box.upstream.enter("broken\tone\tany\t\t1\t\t\tbroken.toy")
    with pytest.raises(IndexFormatError, match="toys/INDEX: 'broken"):
        box.sync()
    assert box.dump() == before
    box.check_full_text()
    box.upstream.drop("broken")
    counts = box.sync().counts
    assert counts == SyncCounts(added=900, removed=1)


# ------------------------------------------------------------------------------------------- the full-text index


def test_the_full_text_index_is_that_of_the_rows_whatever_happens(box: ToyBox) -> None:
    box.upstream.add("robot", 1, summary="walks and talks")
    box.upstream.add("ball", 1, summary="rolls")
    box.sync()
    box.check_full_text()
    box.upstream.drop("ball")
    box.upstream.add("robot", 2, summary="flies")
    box.sync()
    box.check_full_text()
    box.follow(name="second")
    box.sync("second")
    box.check_full_text()
    sources.remove_source(box.workspace, "box")
    box.check_full_text()
    assert [row.source for row in browse.search(box.workspace, "flies")] == ["second"]
    sources.remove_source(box.workspace, "second")
    box.check_full_text()
    found = box.workspace.catalog.database.query("SELECT rowid FROM available_fts WHERE available_fts MATCH 'robot'")
    assert list(found) == []


def test_a_source_that_is_removed_takes_everything_but_imports_along(box: ToyBox) -> None:
    box.upstream.add("robot", 1)
    box.sync()
    assert box.one("robot").status == "published"
    empty = {"available", "available_raw", "source_indexes", "source_state", "sources"}
    sources.remove_source(box.workspace, "box")
    database = box.workspace.catalog.database
    assert {name for name in empty if database.table(name).count} == set()
    assert [(row["source_id"], row["state"]) for row in database.table("imports").rows] == [(None, "published")]
    assert box.members() == ["robot=1"]


# ------------------------------------------------------------------------------------------------ what it tells


def test_progress_reaches_the_caller_and_stays_in_the_task(box: ToyBox) -> None:
    box.upstream.add("robot", 1)
    events: list[ProgressEvent] = []
    box.sync(progress=events.append)
    assert [(event.code, event.state) for event in events] == [("sync.release", "running"), ("sync.index", "completed")]
    (task,) = box.workspace.catalog.tasks.list(1)
    assert (task["kind"], task["subject"], task["state"]) == ("sync", "box", "completed")
    latest = {event.code: event.as_json() | {"state": "completed"} for event in events}
    assert task["progress_reports"] == list(latest.values())


def test_progress_is_told_every_two_thousand_packages(box: ToyBox) -> None:
    for number in range(4500):
        box.upstream.enter(f"toy{number}\t1\tany\t{number:064x}\t1\t\t\ttoy{number}.toy")
    events: list[ProgressEvent] = []
    box.sync(progress=events.append)
    assert [event.done for event in events if event.code == "sync.index"] == [2000, 4000, 4500]


def test_a_sync_that_fails_is_a_failed_task_with_the_error(box: ToyBox) -> None:
    box.upstream.enter("robot\tone\tany\t\t1\t\t\trobot.toy")
    with pytest.raises(IndexFormatError):
        box.sync()
    (task,) = box.workspace.catalog.tasks.list(1)
    assert (task["state"], task["error"]["title"]) == ("failed", "Malformed index")


def test_several_sources_are_synced_and_those_that_fail_are_named(box: ToyBox) -> None:
    box.upstream.add("robot", 1)
    box.follow(name="good")
    box.follow(name="bad", url=(box.folder / "nowhere").as_uri())
    with pytest.raises(BatchError, match="1 of 2 sources could not be synced") as caught:
        sources.sync_sources(box.workspace, [])
    assert [name for name, _ in caught.value.failures] == ["bad"]
    assert [result.as_json()["added"] for result in caught.value.results if isinstance(result, SyncResult)] == [1]


def test_plugins_are_told_that_a_source_was_synced(tmp_path: Path) -> None:
    class Listener:
        def __init__(self) -> None:
            self.heard: list[SourceSynced] = []

        @hookimpl
        def source_synced(self, event: SourceSynced) -> None:
            self.heard.append(event)

    listener = Listener()
    box = ToyBox(tmp_path, plugins=[("listener", listener)])
    box.upstream.add("robot", 1)
    box.sync()
    box.sync()
    assert [event.counts for event in listener.heard] == [SyncCounts(added=1), None]
    box.workspace.close()
