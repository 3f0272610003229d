"""Imports that fail, wait or are rejected: each is told, none of it is published, and the rest comes in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from entrepot.services import publishing
from support.toy import make_toy
from support.toybox import ToyBox, served_box
from support.upstream import Fault, Upstream


@pytest.fixture
def box(tmp_path: Path) -> Iterator[ToyBox]:
    box = ToyBox(tmp_path)
    yield box
    box.workspace.close()


@dataclass
class Served:
    """A toy box whose upstream is a server."""

    box: ToyBox
    server: Upstream


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with served_box(tmp_path) as (box, server):
        yield Served(box, server)


def test_a_package_that_upstream_dropped_says_to_sync_again(served: Served) -> None:
    (served.box.upstream.root / "robot_1_any.toy").unlink()
    result = served.box.one("robot")
    assert result.status == "failed"
    assert result.message == (
        "box no longer has robot_1_any.toy: upstream dropped robot 1 "
        "(run `entrepot sync box` and choose a version that is there now)"
    )
    assert served.box.members() == []


def test_a_batch_with_failures_brings_in_the_rest_as_one_version(served: Served) -> None:
    box = served.box
    box.upstream.add("evil", 1, text="block")
    box.upstream.add("odd", 1, text="review")
    box.upstream.add("cut", 1)
    box.sync()
    (box.upstream.root / "cut_1_any.toy").write_text("toy\nname: other\n\nbeep")
    served.server.fail("/ball_1_any.toy", Fault(status=404))
    batch = box.bring("robot", "evil", "odd", "cut", "ball", "zeppelin")
    assert {result.package: result.status for result in batch.results} == {
        "zeppelin": "failed",
        "robot": "published",
        "evil": "rejected",
        "odd": "pending_review",
        "cut": "failed",
        "ball": "failed",
    }
    assert sorted(result.package for result in batch.failed) == ["ball", "cut", "evil", "zeppelin"]
    assert [result.package for result in batch.waiting] == ["odd"]
    assert box.members() == ["robot=1"]
    assert batch.version
    assert (batch.version.number, batch.version.added) == (1, 1)
    assert [path for path in box.tree_files() if path.startswith("toys/")] == ["toys/robot/robot_1_any.toy"]


def test_a_file_name_that_leads_out_of_the_source_fails_that_package_alone(box: ToyBox) -> None:
    box.upstream.add("robot", 1)
    box.upstream.enter(f"evil\t1\tany\t{'0' * 64}\t1\t\t\t../../etc/passwd.toy")
    box.sync()
    batch = box.bring("evil", "robot")
    assert {result.package: result.status for result in batch.results} == {"evil": "failed", "robot": "published"}
    assert "lies outside" in batch.failed[0].message
    assert (batch.failed[0].version, batch.failed[0].architecture) == ("1", "any")


def test_the_same_version_with_other_content_is_refused_and_both_are_named(box: ToyBox) -> None:
    first = box.upstream.add("robot", 1, text="beep").read_bytes()
    box.sync()
    box.bring("robot")
    box.upstream.drop("robot")
    second = box.upstream.add("robot", 1, text="boop").read_bytes()
    box.sync()
    result = box.one("robot")
    assert result.status == "failed"
    for content in (first, second):
        assert hashlib.sha256(content).hexdigest() in result.message
    assert "remove the one that is there" in result.message
    assert box.members() == ["robot=1"]
    assert box.tree_files()["toys/robot/robot_1_any.toy"] == first
    packages = box.workspace.catalog.database.table("packages")
    assert packages.count == 1


def test_the_same_version_with_other_content_in_one_batch_is_refused(box: ToyBox) -> None:
    one, two = box.folder / "one", box.folder / "two"
    for folder, text in ((one, "beep"), (two, "boop")):
        folder.mkdir()
        make_toy(folder, text=text)
    batch = box.upload(one / "robot_1_any.toy", two / "robot_1_any.toy")
    assert [result.status for result in batch.results] == ["published", "failed"]


def test_a_path_that_another_distribution_uses_for_other_content_gets_a_folder_of_its_own(box: ToyBox) -> None:
    box.distribute("door")
    first = box.upload(make_toy(box.folder, text="beep")).results[0]
    second = box.upload(make_toy(box.folder, text="boop"), to="shop/door").results[0]
    assert first.status == second.status == "published"
    tree = box.tree_files()
    assert tree["toys/robot/robot_1_any.toy"].endswith(b"beep")
    assert tree[f"toys/robot/{second.sha256[:16]}/robot_1_any.toy"].endswith(b"boop")
    assert f"toys/robot/{second.sha256[:16]}/robot_1_any.toy".encode() in tree["door/INDEX"]


def test_the_same_content_in_two_distributions_is_one_file(box: ToyBox) -> None:
    box.distribute("door")
    path = make_toy(box.folder)
    box.upload(path)
    box.upload(path, to="shop/door")
    assert [name for name in box.tree_files() if name.endswith(".toy")] == ["toys/robot/robot_1_any.toy"]


@pytest.mark.parametrize(
    ("word", "soft", "strict"),
    [
        ("pass", "published", "pending_review"),  # uploads are not signed: the scanner warns
        ("warn", "published", "pending_review"),
        ("skipped", "published", "pending_review"),
        ("review", "pending_review", "pending_review"),
        ("error", "pending_review", "rejected"),
        ("crash", "pending_review", "rejected"),
        ("block", "rejected", "rejected"),
    ],
)
def test_what_a_verdict_leads_to_is_the_policys_business(tmp_path: Path, word: str, soft: str, strict: str) -> None:
    box = ToyBox(tmp_path)
    box.distribute("safe", policy="strict")
    path = make_toy(box.folder, text=word)
    for to, status in (("shop/window", soft), ("shop/safe", strict)):
        batch = box.upload(path, to=to)
        assert batch.results[0].status == status
        assert (batch.version is not None) == (status == "published")
    box.workspace.close()


@pytest.mark.parametrize("word", ["review", "error", "crash", "block"])
def test_what_is_held_or_rejected_is_in_no_version_and_nowhere_in_the_tree(box: ToyBox, word: str) -> None:
    box.upload(make_toy(box.folder, "ball"))
    secret = f"the marker of the one that says\n{word}"
    box.upstream.add("robot", 1, text=secret)
    box.sync()
    result = box.one("robot")
    assert result.repository_version is None
    publishing.publish(box.workspace, "window", request=publishing.PublishRequest(force=True))
    assert box.members() == ["ball=1"]
    rows = box.workspace.catalog.database.query(
        "SELECT p.name FROM membership m JOIN packages p ON p.id = m.package_id"
    )
    assert [row["name"] for row in rows] == ["ball"]
    tree = box.tree_files()
    assert not [path for path in tree if "robot" in path]
    assert not [path for path, content in tree.items() if b"robot" in content or secret.encode() in content]


def test_nothing_that_is_held_is_readable_by_others(box: ToyBox) -> None:
    box.upload(make_toy(box.folder, text="review"))
    box.upstream.add("ball", 1)
    box.sync()
    box.bring("ball")
    private = ("store", "fetch", "scratch", "secrets", "keyrings")
    assert {name: oct((box.home / name).stat().st_mode & 0o777) for name in private} == dict.fromkeys(private, "0o700")


def test_packages_that_came_in_are_told_even_if_they_cannot_be_published(box: ToyBox) -> None:
    box.tree.write_text("a file where a folder has to be")
    batch = box.upload(make_toy(box.folder, "ball"))
    assert [result.status for result in batch.results] == ["published"]
    assert batch.publication is None
    assert batch.publish_error is not None
    box.tree.unlink()
    assert publishing.publish(box.workspace, "window").status == "published"
