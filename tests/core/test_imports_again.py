"""Imports of what is here already, in the version or in the private store: nothing is fetched twice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from entrepot.contracts import Artifact, ScanContext, Scanner
from entrepot.hookspecs import hookimpl
from entrepot.models import Status, Verdict
from support.toy import make_toy
from support.toybox import ToyBox, served_box
from support.upstream import Upstream


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


def test_a_package_that_is_in_already_is_not_fetched_again(served: Served) -> None:
    served.box.bring("robot")
    before = served.box.dump("imports", "audit")
    served.server.forget()
    result = served.box.one("robot")
    assert (result.status, result.repository_version) == ("already_published", 1)
    assert result.message == "shop/window has it already"
    assert result.sha256 == hashlib.sha256((served.box.upstream.root / "robot_1_any.toy").read_bytes()).hexdigest()
    assert served.server.count() == 0
    assert served.box.dump("imports", "audit") == before
    assert served.box.states() == [("robot", "published"), ("robot", "already_published")]
    (row, _) = served.box.workspace.catalog.database.query("SELECT package_id FROM imports")
    assert row["package_id"] == 1


def test_a_batch_fetches_what_is_not_in_yet(served: Served) -> None:
    served.box.bring("robot")
    served.server.forget()
    batch = served.box.bring("robot", "ball")
    assert [(result.package, result.status) for result in batch.results] == [
        ("robot", "already_published"),
        ("ball", "published"),
    ]
    assert [request.path for request in served.server.requests] == ["/ball_1_any.toy"]


def test_an_upload_of_what_is_in_already_says_so(box: ToyBox) -> None:
    path = make_toy(box.folder)
    assert box.upload(path).results[0].status == "published"
    again = box.upload(path).results[0]
    assert (again.status, again.repository_version) == ("already_published", 1)
    assert again.pipeline


def test_the_same_file_twice_in_one_batch_is_one_package(box: ToyBox) -> None:
    path = make_toy(box.folder)
    batch = box.upload(path, path)
    assert [(result.status, result.repository_version) for result in batch.results] == [("published", 1)] * 2
    assert box.members() == ["robot=1"]


def test_what_is_in_another_component_is_not_in_this_one(tmp_path: Path) -> None:
    box = ToyBox(tmp_path, components=("main", "extra"))
    box.upstream.add("robot", 1)
    box.sync()
    box.bring("robot")
    assert box.one("robot", component="extra").status == "published"
    assert box.members() == ["robot=1", "robot=1"]
    box.workspace.close()


def test_what_an_older_version_had_may_come_in_again(box: ToyBox) -> None:
    box.upstream.add("robot", 1)
    box.sync()
    box.bring("robot")
    versions = box.workspace.catalog.versions
    (member,) = versions.members(box.distribution, 1)
    with box.workspace.catalog.transaction():
        versions.create(box.distribution, [], [member.membership_id], "without", box.clock())
    assert box.one("robot").status == "published"
    assert box.members(3) == ["robot=1"]


def test_a_package_of_the_private_store_is_not_fetched_again(served: Served) -> None:
    served.box.distribute("door")
    served.box.bring("robot")
    served.server.forget()
    result = served.box.one("robot", to="shop/door")
    assert (result.status, result.pipeline["words"]) == ("published", "said_pass")
    assert served.server.count() == 0


def test_a_package_that_was_held_is_not_fetched_again(served: Served) -> None:
    served.box.upstream.add("odd", 1, text="review")
    served.box.sync()
    assert served.box.one("odd").status == "pending_review"
    served.server.forget()
    assert served.box.one("odd").status == "pending_review"
    assert served.server.count() == 0


def test_an_index_that_lies_about_the_size_of_what_is_in_the_store_is_found_out(served: Served) -> None:
    served.box.distribute("door")
    served.box.bring("robot")
    line = served.box.upstream.drop("robot")[0].split("\t")
    served.box.upstream.enter("\t".join([*line[:4], "1", *line[5:]]))
    served.box.sync()
    result = served.box.one("robot", to="shop/door")
    assert result.status == "failed"
    assert "robot_1_any.toy" in result.message


def test_an_artifact_that_was_damaged_in_the_store_is_not_used(served: Served) -> None:
    served.box.distribute("door")
    result = served.box.one("robot")
    path = served.box.home / "store" / served.box.workspace.store.key(result.sha256)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    failed = served.box.one("robot", to="shop/door")
    assert failed.status == "failed"
    assert failed.message == f"the artifact {result.sha256} has other content than its name says"


def test_what_an_earlier_try_left_whole_is_not_fetched_again(tmp_path: Path) -> None:
    class Killer:
        """Ends the import as a kill would: after the fetch, with nothing tidied up."""

        name = answers = "killer"
        version = "1"
        isolated = False
        armed = True

        def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
            if self.armed:
                raise KeyboardInterrupt
            return Verdict(Status.PASS, "calm")

        @hookimpl
        def register_scanners(self) -> Iterable[Scanner]:
            return [self]

    killer = Killer()
    box = ToyBox(tmp_path, plugins=[("killer", killer)])
    with Upstream(root=box.upstream.root) as server:
        box.upstream.add("robot", 1)
        box.follow(box.upstream.draft(server.url))
        box.sync()
        with pytest.raises(KeyboardInterrupt):
            box.bring("robot")
        assert box.states() == [("robot", "failed")]
        assert box.workspace.catalog.tasks.list(1)[0]["state"] == "canceled"
        killer.armed = False
        server.forget()
        assert box.one("robot").status == "published"
        assert server.count() == 0
    box.workspace.close()
