"""Every hook is documented, and is called when it says that it is."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import pytest

import support.notes
import support.toy
from entrepot import contracts, hookspecs
from entrepot.contracts import (
    AdvisoryFormat,
    ExecutorFactory,
    Format,
    NotifierFactory,
    ReportFormat,
    ReportKind,
    Scanner,
    StorageFactory,
)
from entrepot.events import ImportDecided, PackageImported, SourceSynced, TreePublished, VersionCreated
from entrepot.hookspecs import hookimpl
from entrepot.notifying import EVENTS as TYPES
from entrepot.plugins import EXTENSION_POINTS, make_plugins
from entrepot.services import publishing
from entrepot_plugins.executors.threads import ThreadsExecutorFactory
from entrepot_plugins.reports import LazyReportFormat
from entrepot_plugins.scanners.osv import LazyAdvisoryFormat
from entrepot_storage.memory import MemoryStorageFactory
from support.toy_words import ToyScanner
from support.toybox import ToyBox

HOOKS = {name: hook for name, hook in vars(hookspecs).items() if hasattr(hook, "entrepot_spec")}
EVENTS = {name for name in HOOKS if not name.startswith("register_")}


@pytest.mark.parametrize("name", sorted(HOOKS))
def test_a_hook_says_what_it_is_for_and_shows_an_example(name: str) -> None:
    text = inspect.getdoc(HOOKS[name]) or ""
    explanation, _, example = text.partition("Example::\n")
    assert len(explanation.split()) > 3
    assert f"@hookimpl\n    def {name}({', '.join(inspect.signature(HOOKS[name]).parameters)}):" in example


@pytest.mark.parametrize("name", sorted(HOOKS))
def test_the_example_of_a_hook_is_a_plugin(name: str) -> None:
    text = inspect.getdoc(HOOKS[name]) or ""
    example = inspect.cleandoc(text.partition("Example::\n")[2])
    scope: dict[str, Any] = {"hookimpl": hookimpl}
    exec(example, scope)

    class Plugin:
        pass

    setattr(Plugin, name, staticmethod(scope[name]))
    plugins = make_plugins([("example", Plugin())], installed=False)
    # Examples register objects that are not there: the call is what fails, not the signature.
    assert all("NameError" in broken.error for broken in plugins.broken)
    assert bool(plugins.broken) == (name in EXTENSION_POINTS)


def test_every_hook_that_hands_over_objects_is_collected() -> None:
    assert set(EXTENSION_POINTS) == set(HOOKS) - EVENTS


def test_everything_that_is_told_can_be_told_to_notifiers() -> None:
    assert set(TYPES) == EVENTS


# ------------------------------------------------------------------------------------------------- register_*


class ToyStorage(MemoryStorageFactory):
    scheme = "toystore"


class ToyExecutor(ThreadsExecutorFactory):
    scheme = "toythreads"


class ToySigner:
    name = "toysigner"


@click.command("toy-report")
@click.pass_context
def report(context: click.Context) -> None:
    """Says what there is to play with."""
    click.echo(f"workspace in {context.obj.home}")


@dataclass
class Listener:
    """Writes down what it is told."""

    heard: list[tuple[str, object]] = field(default_factory=list)

    @hookimpl
    def source_synced(self, event: SourceSynced) -> None:
        self.heard.append(("source_synced", event))

    @hookimpl
    def package_imported(self, event: PackageImported) -> None:
        self.heard.append(("package_imported", event))

    @hookimpl
    def import_decided(self, event: ImportDecided) -> None:
        self.heard.append(("import_decided", event))

    @hookimpl
    def version_created(self, event: VersionCreated) -> None:
        self.heard.append(("version_created", event))

    @hookimpl
    def tree_published(self, event: TreePublished) -> None:
        self.heard.append(("tree_published", event))

    @property
    def names(self) -> list[str]:
        """The hooks that were called, in order."""
        return [name for name, _ in self.heard]

    def last(self, name: str) -> Any:
        """The last event of a hook."""
        return next(event for heard, event in reversed(self.heard) if heard == name)


class Supplier:
    """Registers one object at every extension point."""

    @hookimpl
    def register_formats(self) -> Iterable[Format]:
        return [support.toy.ToyFormat()]

    @hookimpl
    def register_scanners(self) -> Iterable[Scanner]:
        return [ToyScanner()]

    @hookimpl
    def register_advisory_formats(self) -> Iterable[AdvisoryFormat]:
        return [LazyAdvisoryFormat("toy-news", "News of toys", "1", "osv_format:OsvReader")]

    @hookimpl
    def register_report_formats(self) -> Iterable[ReportFormat]:
        return [LazyReportFormat("toy-list", ReportKind.SBOM, "List of toys", "text/plain", "spdx")]

    @hookimpl
    def register_storage(self) -> Iterable[StorageFactory]:
        return [ToyStorage()]

    @hookimpl
    def register_signers(self) -> Iterable[object]:
        return [ToySigner()]

    @hookimpl
    def register_executors(self) -> Iterable[ExecutorFactory]:
        return [ToyExecutor()]

    @hookimpl
    def register_notifiers(self) -> Iterable[NotifierFactory]:
        return [support.notes.NotesFactory()]

    @hookimpl
    def register_commands(self) -> Iterable[click.Command]:
        return [report]


@pytest.mark.parametrize(
    ("hook", "name"),
    [
        ("register_formats", "toy"),
        ("register_scanners", "toy-words"),
        ("register_advisory_formats", "toy-news"),
        ("register_report_formats", "toy-list"),
        ("register_storage", "toystore"),
        ("register_signers", "toysigner"),
        ("register_executors", "toythreads"),
        ("register_notifiers", "notes"),
        ("register_commands", "toy-report"),
    ],
)
def test_what_a_plugin_registers_is_there_by_name(hook: str, name: str) -> None:
    plugins = make_plugins([("supplier", Supplier())], installed=False)
    tables: dict[str, Any] = {
        "register_formats": plugins.formats,
        "register_scanners": plugins.scanners,
        "register_advisory_formats": plugins.advisory_formats,
        "register_report_formats": plugins.report_formats,
        "register_storage": plugins.storage,
        "register_signers": plugins.signers,
        "register_executors": plugins.executors,
        "register_notifiers": plugins.notifiers,
        "register_commands": plugins.commands,
    }
    assert name in tables[hook]
    assert plugins.origins[hook, name] == "supplier"


# ----------------------------------------------------------------------------------------------------- events


@dataclass
class Heard:
    """A toy box with a plugin that listens."""

    box: ToyBox
    listener: Listener

    def after(self, act: Callable[[], object]) -> list[str]:
        """The hooks that something leads to."""
        self.listener.heard.clear()
        act()
        return self.listener.names


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[Heard]:
    listener = Listener()
    box = ToyBox(tmp_path, plugins=[("listener", listener)])
    for word in ("beep", "review", "block", "crash"):
        box.upstream.add(f"says-{word}", 1, text=word)
    box.sync()
    yield Heard(box, listener)
    box.workspace.close()


def test_a_sync_is_told_of(heard: Heard) -> None:
    assert heard.after(heard.box.sync) == ["source_synced"]
    event: SourceSynced = heard.listener.last("source_synced")
    assert (event.source.name, event.counts) == ("box", None)


def test_an_import_that_is_published_is_told_of_from_decision_to_tree(heard: Heard) -> None:
    assert heard.after(lambda: heard.box.bring("says-beep")) == [
        "import_decided",
        "package_imported",
        "version_created",
        "tree_published",
    ]
    decided: ImportDecided = heard.listener.last("import_decided")
    imported: PackageImported = heard.listener.last("package_imported")
    created: VersionCreated = heard.listener.last("version_created")
    published: TreePublished = heard.listener.last("tree_published")
    assert decided.result == imported.result
    assert (imported.result.package, imported.distribution.path) == ("says-beep", "shop/window")
    assert (created.distribution.path, created.version.number, created.version.added) == ("shop/window", 1, 1)
    assert (published.version, published.repository.name) == (1, "shop")
    assert list(published.changed) == ["WELCOME", "window/INDEX"]


def test_each_package_of_a_batch_is_told_of_and_the_version_once(heard: Heard) -> None:
    heard.box.upstream.add("ball", 1)
    heard.box.sync()
    names = heard.after(lambda: heard.box.bring("says-beep", "ball", "says-block"))
    assert [names.count(name) for name in sorted(EVENTS)] == [0, 3, 2, 0, 0, 1, 1]


@pytest.mark.parametrize("word", ["review", "block", "crash"])
def test_a_package_that_does_not_come_in_was_decided_about_and_nothing_else(heard: Heard, word: str) -> None:
    assert heard.after(lambda: heard.box.bring(f"says-{word}")) == ["import_decided"]


def test_an_import_without_a_decision_is_not_told_of(heard: Heard) -> None:
    heard.box.bring("says-beep")
    assert heard.after(lambda: heard.box.bring("says-beep", "says-nothing")) == []


def test_publishing_is_told_of_when_it_changes_something(heard: Heard) -> None:
    assert "tree_published" not in heard.after(lambda: heard.box.bring("says-beep", publish_after=False))
    publish = lambda: publishing.publish(heard.box.workspace, "shop/window")  # noqa: E731
    assert heard.after(publish) == ["tree_published"]
    assert heard.after(publish) == []


def test_an_upload_is_told_of_like_an_import(heard: Heard) -> None:
    path = support.toy.make_toy(heard.box.folder, "kite")
    assert heard.after(lambda: heard.box.upload(path))[:2] == ["import_decided", "package_imported"]


def test_a_plugin_that_fails_over_an_event_is_logged_by_name_and_holds_nothing_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Clumsy:
        @hookimpl
        def import_decided(self, event: ImportDecided) -> None:
            raise RuntimeError("GET https://user:hunter2@hooks") from KeyError("hunter2")

    listener = Listener()
    box = ToyBox(tmp_path, plugins=[("clumsy", Clumsy()), ("listener", listener)])
    box.upstream.add("robot")
    box.sync()
    assert box.one("robot").status == "published"
    (record,) = caplog.records
    assert record.getMessage().startswith("plugin clumsy failed in import_decided: RuntimeError (plugins.py:")
    assert record.getMessage().endswith(" import_decided) from KeyError (nowhere)")
    assert "hunter2" not in caplog.text
    assert "import_decided" in listener.names
    box.workspace.close()


def test_a_plugin_may_leave_out_the_argument(tmp_path: Path) -> None:
    class Counter:
        count = 0

        @hookimpl
        def source_synced(self) -> None:
            self.count += 1

    counter = Counter()
    box = ToyBox(tmp_path, plugins=[("counter", counter)])
    box.upstream.add("robot")
    box.sync()
    assert counter.count == 1
    box.workspace.close()


def test_every_contract_can_be_imported_by_its_name() -> None:
    assert [name for name in contracts.__all__ if not hasattr(contracts, name)] == []
    with pytest.raises(AttributeError, match="no attribute 'Teapot'"):
        getattr(contracts, "Teapot")  # noqa: B009 - mypy knows that it is not there
