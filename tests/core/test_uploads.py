"""Uploads: files of this machine on the same way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from entrepot.errors import NotFoundError, UsageError
from entrepot.services import imports
from support.toy import make_toy
from support.toybox import ToyBox


@pytest.fixture
def box(tmp_path: Path) -> Iterator[ToyBox]:
    box = ToyBox(tmp_path)
    yield box
    box.workspace.close()


def test_a_file_that_cannot_be_read_is_rejected_with_the_reason(box: ToyBox) -> None:
    path = box.folder / "fake_1_any.toy"
    path.write_text("no toy at all")
    result = box.upload(path).results[0]
    assert (result.status, result.package) == ("rejected", "fake_1_any.toy")
    assert result.pipeline["format"] == "unreadable"
    assert "fake_1_any.toy is no toy" in result.reasons[0]
    assert box.workspace.catalog.database.table("artifacts").count == 0


@pytest.mark.parametrize("content", [b"toy\nname robot\n\nbeep", b"toy\nname: robot\n\n", b"toy\n\xff\xff: \n\n"])
def test_a_file_that_its_reader_was_not_prepared_for_is_one_bad_package(box: ToyBox, content: bytes) -> None:
    bad, good = box.folder / "bad_1_any.toy", make_toy(box.folder)
    bad.write_bytes(content)
    batch = box.upload(bad, good)
    assert [result.status for result in batch.results] == ["rejected", "published"]
    assert "bad_1_any.toy cannot be read: " in batch.results[0].reasons[0]


def test_a_package_that_is_not_what_the_index_says_is_rejected(box: ToyBox) -> None:
    path = box.upstream.add("robot", 1)
    line = box.upstream.drop("robot")[0]
    box.upstream.enter(line.replace("robot\t1", "robot\t2"))
    box.sync()
    result = box.one("robot")
    assert (result.status, result.pipeline["format"]) == ("rejected", "disagrees")
    assert [finding.summary for finding in result.findings] == ["version is not 2"]
    assert path.exists()


def test_a_dry_run_decides_as_the_upload_does_and_keeps_nothing(box: ToyBox) -> None:
    fake = box.folder / "fake_1_any.toy"
    fake.write_text("no toy at all")
    files = [make_toy(box.folder), make_toy(box.folder, "odd", text="review"), fake]
    before, task_count = box.dump(), box.workspace.catalog.database.table("tasks").count
    planned = imports.plan_upload(box.workspace, files, "shop/window")
    assert (box.dump(), box.workspace.catalog.database.table("tasks").count) == (before, task_count)
    assert not list(box.workspace.store.files())
    assert [result.status for result in planned.results] == ["published", "pending_review", "rejected"]
    done = box.upload(*files)
    assert [replace(result, import_id=None, repository_version=None) for result in done.results] == planned.results
    again = imports.plan_upload(box.workspace, files[:1], "shop/window").as_json()
    assert (again["status"], again["results"][0]["status"]) == ("dry_run", "already_published")


def test_files_that_are_no_packages_are_refused(box: ToyBox) -> None:
    path = box.folder / "notes.txt"
    path.write_text("?")
    with pytest.raises(UsageError, match=r"notes\.txt is no package of format toy") as caught:
        box.upload(make_toy(box.folder), path)
    assert caught.value.hint == "it takes .toy"
    assert box.members() == []


def test_a_folder_or_a_file_that_is_not_there_is_refused(box: ToyBox) -> None:
    for path in (box.folder, box.folder / "none.toy"):
        with pytest.raises(UsageError, match="is no file"):
            box.upload(path)


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    box = ToyBox(tmp_path, settings="max_package_size = 40\n")
    with pytest.raises(UsageError, match="is larger than the 40 bytes that the settings allow"):
        box.upload(make_toy(tmp_path))
    box.upstream.add("robot", 1)
    box.sync()
    result = box.one("robot")
    assert result.status == "failed"
    assert "more than the 40 that the settings allow" in result.message
    box.workspace.close()


def test_a_distribution_that_is_not_there_is_named_with_those_that_are(box: ToyBox) -> None:
    with pytest.raises(NotFoundError, match="there is no distribution called 'attic'") as caught:
        box.upload(make_toy(box.folder), to="attic")
    assert caught.value.hint == "known distributions: shop/window"
