"""Events reach those whom the settings name: at least once, never before they happened, and holding nothing up."""

from __future__ import annotations

import datetime as dt
import importlib
import json
import threading
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

import support.toy
from entrepot.catalog.outbox import WAITING
from entrepot.errors import ConflictError, DeliveryError, NotFoundError, SettingsError, UsageError
from entrepot.events import (
    AdvisoryMatched,
    Event,
    ImportDecided,
    PackageImported,
    PackageWorsened,
    SourceSynced,
    TreePublished,
    VersionCreated,
)
from entrepot.hookspecs import hookimpl
from entrepot.models import VULNERABILITY, Finding, SyncCounts
from entrepot.services import notices, notifiers, scanning
from entrepot.services.delivering import WAITS, deliver
from entrepot.services.event_documents import document, schema, trial_document
from entrepot.settings import load_settings
from entrepot.workspace import Workspace
from support.notes import Notes, NotesFactory
from support.probes import Probe
from support.toy import make_toy
from support.toybox import ToyBox

SETTINGS = """
[notify.all]
kind = "notes"
"""
# It has no stubs.
SCHEMA = importlib.import_module("jsonschema").Draft202012Validator(json.loads(schema()))
NUMBERS = count(2)


class Box:
    """A toy box whose notes are empty; the toys in it stay from test to test, so each brings others."""

    def __init__(self, toys: ToyBox, settings: str = SETTINGS, factory: NotesFactory | None = None) -> None:
        self.factory = factory or NotesFactory()
        self.probe = Probe()
        self.toys = toys
        (toys.home / "entrepot.toml").write_text(settings)
        plugins = [("toy", support.toy), ("notes", self.factory), ("probe", self.probe)]
        self.workspace = Workspace(toys.home, actor="tester", clock=toys.clock, extra_plugins=plugins)
        toys.workspace = self.workspace
        for name in self.workspace.catalog.outbox.summaries():
            self.workspace.catalog.outbox.drop(name)

    def again(self) -> Workspace:
        """The workspace as another command opens it."""
        return self.workspace.again("somebody")

    def new(self, *names: str) -> list[Path]:
        """Toys that nobody has yet."""
        return [make_toy(self.toys.folder, name, next(NUMBERS)) for name in names]

    @property
    def notes(self) -> Notes:
        """Those of ``[notify.all]``."""
        return self.factory.of("all")

    def happen(self, count: int = 1) -> None:
        """Lets so many versions be told of."""
        version = self.workspace.catalog.versions.latest(self.toys.distribution)
        for _ in range(count):
            notices.tell(self.workspace, "version_created", VersionCreated(self.toys.distribution, version))

    def deliver(self, seconds: float = 30.0) -> None:
        deliver(self.workspace, seconds)

    def pending(self) -> list[tuple[str, int]]:
        """State of what is in the outbox, and how often it was tried."""
        return [(row["state"], row["attempts"]) for row in notifiers.pending(self.workspace, None, 100)]


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToyBox]:
    toys = ToyBox(tmp_path_factory.mktemp("toys"))
    yield toys
    toys.workspace.close()


@pytest.fixture
def opened(toys: ToyBox) -> Iterator[Callable[..., Box]]:
    boxes = []

    def open_(settings: str = SETTINGS, factory: NotesFactory | None = None) -> Box:
        boxes.append(Box(toys, settings, factory))
        return boxes[-1]

    yield open_
    for box in boxes:
        box.workspace.close()


@pytest.fixture
def box(opened: Callable[..., Box]) -> Box:
    return opened()


# -------------------------------------------------------------------------------------------------- what is told


def test_an_upload_is_told_from_decision_to_tree_in_documents_of_the_schema(box: Box) -> None:
    box.toys.upload(*box.new("ball"))
    assert box.notes.told == []
    box.deliver()
    assert box.notes.events == ["import_decided", "package_imported", "version_created", "tree_published"]
    assert box.pending() == []
    for notice in box.notes.told:
        SCHEMA.validate(dict(notice.document))
        assert (notice.document["id"], notice.document["type"]) == (notice.id, notice.event)
    assert box.notes.told[-1].document["data"]["changed"] == ["WELCOME", "window/INDEX"]
    assert len({notice.id for notice in box.notes.told}) == 4


def test_what_did_not_happen_is_told_to_nobody(box: Box) -> None:
    heard = []

    class Ear:
        @hookimpl
        def version_created(self, event: VersionCreated) -> None:
            heard.append(event)

    box.workspace.plugins.manager.register(Ear(), "ear")

    def take_back() -> None:
        with box.workspace.catalog.transaction():
            box.happen()
            raise ConflictError("taken back")

    with pytest.raises(ConflictError):
        take_back()
    with box.workspace.catalog.transaction():
        pass
    box.deliver()
    assert (box.notes.told, heard) == ([], [])
    with box.workspace.catalog.transaction():
        box.happen()
        assert heard == []
    assert len(heard) == 1


def test_a_scan_tells_once_which_advisories_touch_what_is_in(box: Box) -> None:
    box.toys.upload(*box.new("ball", "robot"))
    scanning.scan(box.workspace)
    box.deliver()
    box.notes.told.clear()
    box.probe.known["robot"] = [("CVE-2026-2", "low"), ("CVE-2026-3", "high")]
    for _ in range(2):
        scanning.scan(box.workspace, scanning.ScanRequest(publish_after=False))
        box.deliver()
    (told,) = [notice.document["data"] for notice in box.notes.told if notice.event == "advisory_matched"]
    assert (told["package"], told["distribution"]) == ("robot", "shop/window")
    assert [(found["id"], found["severity"]) for found in told["advisories"]] == [
        ("CVE-2026-2", "low"),
        ("CVE-2026-3", "high"),
    ]


def test_a_dry_scan_tells_nothing(box: Box) -> None:
    box.toys.upload(*box.new("robot"))
    box.deliver()
    box.notes.told.clear()
    box.probe.known["robot"] = [("CVE-2026-2", "low")]
    scanning.scan(box.workspace, scanning.ScanRequest(dry_run=True))
    box.deliver()
    assert box.notes.told == []


def test_every_kind_of_event_is_a_document_of_the_schema(box: Box) -> None:
    number = next(NUMBERS)
    box.toys.upstream.add("boat", number)
    box.toys.sync()
    result = box.toys.one("boat")
    catalog, distribution = box.workspace.catalog, box.toys.distribution
    source = catalog.sources.get("box")
    (chunk,) = catalog.holdings.of(distribution)
    info = chunk[0].info
    repository = catalog.repositories.get("shop")
    finding = Finding("CVE-2026-1", "high", "a hole", kind=VULNERABILITY)
    events: dict[str, Event] = {
        "source_synced": SourceSynced(source, SyncCounts(added=1)),
        "import_decided": ImportDecided(result, distribution),
        "package_imported": PackageImported(result, distribution),
        "package_worsened": PackageWorsened(distribution, info, None, "withdraw", True, ["why"]),  # noqa: FBT003
        "advisory_matched": AdvisoryMatched(distribution, info, 1, [finding]),
        "version_created": VersionCreated(distribution, catalog.versions.latest(distribution)),
        "tree_published": TreePublished(repository, repository.targets[0], distribution, 1, 2, ["a"]),
    }
    documents = [document(f"evt_{0:032x}", name, event, "me", box.workspace.now()) for name, event in events.items()]
    for found in [*documents, trial_document(f"evt_{0:032x}", "me", box.workspace.now())]:
        SCHEMA.validate(found)
    assert not SCHEMA.is_valid(documents[0] | {"data": {}})


def test_only_chosen_events_of_chosen_distributions_are_told(opened: Callable[..., Box]) -> None:
    box = opened("""
        [notify.all]
        kind = "notes"
        events = ["tree_published"]
        [notify.window]
        kind = "notes"
        events = ["version_created"]
        distributions = ["shop/window"]
        [notify.cellar]
        kind = "notes"
        distributions = ["shop/cellar"]
        [notify.shop]
        kind = "notes"
        events = ["source_synced", "version_created"]
        distributions = ["shop"]
    """)
    number = next(NUMBERS)
    box.toys.upstream.add("boat", number)
    box.toys.sync()
    box.toys.bring("boat")
    box.deliver()
    told = {name: box.factory.of(name).events for name in ("all", "window", "cellar", "shop")}
    assert told == {"all": ["tree_published"], "window": ["version_created"], "cellar": [], "shop": ["version_created"]}


def test_a_kind_is_not_told_what_it_makes_nothing_of(opened: Callable[..., Box]) -> None:
    box = opened(SETTINGS, NotesFactory(hears=["tree_published"]))
    box.toys.upload(*box.new("ball"))
    box.deliver()
    assert box.notes.events == ["tree_published"]


# ----------------------------------------------------------------------------------------------- how it is told


def test_what_cannot_be_told_is_tried_again_later_and_later_and_then_given_up(box: Box) -> None:
    box.notes.failing = DeliveryError("the line is dead")
    box.happen()
    for tries, wait in enumerate(WAITS, 1):
        box.deliver()
        assert box.pending() == [(WAITING, tries)]
        box.toys.clock.advance(seconds=wait - 1)
        box.deliver()
        assert box.notes.calls == tries
        box.toys.clock.advance(seconds=1)
    box.deliver()
    assert box.pending() == [("given_up", len(WAITS) + 1)]
    (row,) = notifiers.notifiers(box.workspace)
    assert (row["given_up"], row["waiting"], row["error"]) == (1, 0, "the line is dead")


def test_what_was_given_up_can_be_told_again_and_is_forgotten_after_a_month(box: Box) -> None:
    box.notes.failing = DeliveryError("gone", for_good=True)
    box.happen()
    box.deliver()
    assert box.pending() == [("given_up", 1)]
    notifiers.retry(box.workspace, ["all"])
    assert (box.notes.calls, box.pending()) == (2, [("given_up", 1)])
    box.toys.clock.advance(days=31)
    box.notes.failing = None
    box.happen()
    box.deliver()
    assert (len(box.notes.told), box.pending()) == (1, [])


def test_a_receiver_may_say_when_to_come_again(box: Box) -> None:
    box.notes.failing = DeliveryError("too many", retry_after=120)
    box.happen()
    box.deliver()
    (row,) = notifiers.pending(box.workspace, "all", 10)
    assert dt.datetime.fromisoformat(row["next_at"]) == box.workspace.now() + dt.timedelta(seconds=120)


def test_after_one_failure_the_rest_waits_for_another_command(box: Box) -> None:
    box.notes.failing = DeliveryError("the line is dead")
    box.happen(3)
    box.deliver()
    assert (box.notes.calls, box.pending()) == (1, [(WAITING, 1), (WAITING, 0), (WAITING, 0)])


def test_one_that_hangs_holds_up_neither_the_command_nor_the_others(opened: Callable[..., Box]) -> None:
    box = opened(SETTINGS + '[notify.other]\nkind = "notes"\n')
    box.notes.held = threading.Event()
    box.happen()
    try:
        box.deliver(0.2)
        assert box.factory.of("other").events == ["version_created"]
        (row,) = notifiers.pending(box.workspace, None, 10)
        assert (row["notifier"], row["error"]) == ("all", "it did not answer in the time that there was")
    finally:
        box.notes.held.set()


def test_two_commands_at_once_do_not_tell_the_same(box: Box) -> None:
    box.happen(2)
    other = box.again()
    now = box.workspace.now()
    box.workspace.catalog.outbox.claim("all", 2, now, now + dt.timedelta(seconds=60))
    deliver(other, 30.0)
    assert box.notes.told == []
    box.toys.clock.advance(seconds=61)
    deliver(other, 30.0)
    other.close()
    # Who had taken them died: they are told all the same.
    assert len(box.notes.told) == 2


def test_a_kind_that_takes_many_at_once_gets_them_together_and_in_order(opened: Callable[..., Box]) -> None:
    box = opened(SETTINGS, NotesFactory(together=10))
    box.happen(12)
    ids = [row["event_id"] for row in notifiers.pending(box.workspace, "all", 100)]
    box.deliver()
    assert ([notice.id for notice in box.notes.told], box.notes.calls) == (ids, 3)


@pytest.mark.parametrize("error", [RuntimeError("https://user:hunter2@hooks"), KeyError("hunter2")])
def test_of_an_unexpected_error_only_the_kind_is_kept_and_its_place_is_logged(
    box: Box, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    box.notes.failing = error
    box.happen()
    box.deliver()
    assert f"notifier all failed: {type(error).__name__} (" in caplog.text
    assert "notes.py:" in caplog.text
    assert "hunter2" not in caplog.text
    (row,) = notifiers.pending(box.workspace, "all", 10)
    assert row["error"] == type(error).__name__


def test_what_nobody_can_deliver_is_kept_until_the_plugin_is_back(opened: Callable[..., Box]) -> None:
    box = opened('[notify.all]\nkind = "pigeon"\n')
    box.happen()
    box.deliver()
    assert box.pending() == [(WAITING, 1)]
    (row,) = notifiers.notifiers(box.workspace)
    assert row["problem"] == "no plugin has notifiers of kind 'pigeon'"


def test_a_notifier_can_be_tried_without_an_event(box: Box) -> None:
    SCHEMA.validate(notifiers.attempt(box.workspace, "all")["document"])
    assert box.notes.events == ["test"]
    box.notes.failing = DeliveryError("the line is dead")
    with pytest.raises(DeliveryError, match="all: the line is dead"):
        notifiers.attempt(box.workspace, "all")


def test_what_is_to_be_told_can_be_dropped(box: Box) -> None:
    box.happen(2)
    assert notifiers.drop(box.workspace, "all")["dropped"] == 2
    box.deliver()
    assert box.notes.told == []
    with pytest.raises(NotFoundError):
        notifiers.drop(box.workspace, "nobody")


def test_commands_tell_nothing_at_their_end_where_the_settings_leave_that_to_others(opened: Callable[..., Box]) -> None:
    box = opened(f"notify_seconds = 0\n{SETTINGS}")
    box.happen()
    assert notifiers.deliver_at_end(box.workspace) == ()
    assert [item.delivered for item in notifiers.deliver_now(box.workspace)] == [1]


def test_where_nobody_is_told_there_is_nothing_to_run(opened: Callable[..., Box]) -> None:
    with pytest.raises(UsageError, match="nobody is told"):
        notifiers.deliver_now(opened("").workspace)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[notify.x]\n", "notify.x.kind must say what kind"),
        ('[notify.x]\nkind = "notes"\nevents = ["sunrise"]\n', r":3: notify.x.events\[0\] must be one of"),
        ('[notify.x]\nkind = "notes"\ndistributions = "all"\n', ":3: notify.x.distributions must be a list"),
        ("notify_seconds = -1\n", "notify_seconds must be at least 0"),
    ],
)
def test_settings_that_make_no_sense_are_told_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "entrepot.toml").write_text(text)
    with pytest.raises(SettingsError, match=message):
        load_settings(tmp_path / "entrepot.toml")


def test_errors_of_settings_of_a_kind_are_what_is_shown(opened: Callable[..., Box]) -> None:
    box = opened('[notify.all]\nkind = "notes"\ncolour = "green"\n')
    box.happen()
    box.deliver()
    (row,) = notifiers.pending(box.workspace, "all", 10)
    assert row["error"] == "notify.all.colour is not known"
