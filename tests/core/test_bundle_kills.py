"""A receiver is killed: nothing is half there, and applied again the bundle goes on where it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.services import bundle_applying, bundle_making
from entrepot.services.bundle_making import MakeRequest
from entrepot.services.operations import tasks
from support.bundles import receive, send
from support.children import killed_python
from support.debs import make_deb
from support.workspaces import Depot

APPLY = """
import os, signal, sys
from pathlib import Path
from entrepot.services.bundle_applying import ApplyRequest, apply
from entrepot.store import ArtifactStore
from entrepot.workspace import Workspace

add = ArtifactStore.add
def once(self, path, sha256):
    add(self, path, sha256)
    os.kill(os.getpid(), signal.SIGKILL)

ArtifactStore.add = once
apply(Workspace(Path(sys.argv[1])), Path(sys.argv[2]), ApplyRequest("example/prod", trust=True))
"""


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    sender = Depot(tmp_path / "sender")
    sender.distribute()
    sender.upload(make_deb(tmp_path, "one"), make_deb(tmp_path, "two"))
    path = send(sender, tmp_path / "bundle", sign=False)
    sender.close()
    return path


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Depot]:
    receiver = Depot(tmp_path / "receiver")
    receiver.distribute("prod")
    yield receiver
    receiver.close()


def test_a_receiver_that_is_killed_while_it_reads_goes_on(bundle: Path, receiver: Depot) -> None:
    with killed_python(APPLY, str(receiver.home), str(bundle)) as child:
        assert child.wait(timeout=60) < 0
    (first,) = receiver.workspace.store.files()
    assert receiver.workspace.catalog.sources.list() == []
    applied = receive(receiver, bundle, None, trust=True)
    assert [result.status for result in applied.results] == ["published", "published"]
    again = {info.key: info.modified for info in receiver.workspace.store.files()}
    assert again[first.key] == first.modified, "what was there was not written again"
    ended = [(task["kind"], task["state"]) for task in tasks(receiver.workspace, 9)]
    assert ended[-2:] == [("bundle", "completed"), ("bundle", "failed")]


def test_a_receiver_that_is_stopped_between_reading_and_importing_goes_on(
    bundle: Path, receiver: Depot, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as stopped:
        stopped.setattr(bundle_applying, "mirror", interrupted)
        with pytest.raises(KeyboardInterrupt):
            receive(receiver, bundle, None, trust=True)
    assert [source.name for source in receiver.workspace.catalog.sources.list()] == ["example-stable"]
    applied = receive(receiver, bundle, None)
    assert [result.status for result in applied.results] == ["published", "published"]


def interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_who_is_killed_while_it_writes_leaves_nothing_under_the_name_of_the_bundle(
    tmp_path: Path, receiver: Depot, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.upload(make_deb(tmp_path), to="prod")

    monkeypatch.setattr(bundle_making, "_add_artifact", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bundle_making.make(receiver.workspace, tmp_path / "bundle", MakeRequest("example/prod", sign=False))
    assert [path.name for path in tmp_path.iterdir() if "bundle" in path.name] == []
