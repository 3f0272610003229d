"""The plugin manager's factory and what it collected: every extension point as a mapping by name."""

from __future__ import annotations

import importlib
import importlib.metadata
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import pluggy

from entrepot import hookspecs
from entrepot.errors import NotFoundError, PluginError, UsageError, without_text

if TYPE_CHECKING:
    import click

    from entrepot.contracts import (
        AdvisoryFormat,
        ExecutorFactory,
        Format,
        NotifierFactory,
        ReportFormat,
        Scanner,
        SignerFactory,
        Storage,
        StorageFactory,
    )

ENTRY_POINT_GROUP = "entrepot"

BUILTIN_PLUGINS = (
    "entrepot_plugins.apt",
    "entrepot_plugins.rpm",
    "entrepot_plugins.scanners",
    "entrepot_plugins.reports",
    "entrepot_plugins.signers",
    "entrepot_plugins.executors",
    "entrepot_plugins.notifiers",
    "entrepot_plugins.demo",
    "entrepot_storage",
    "datasette_entrepot.command",
)
"""The plugins that come with Entrepôt, as dotted names: the one place where the core names an upper layer."""

EXTENSION_POINTS: Mapping[str, tuple[str, ...]] = {
    "register_formats": ("name", "title", "source_options", "distribution_options"),
    "register_scanners": ("name", "answers", "version"),
    "register_advisory_formats": ("name", "title", "generation"),
    "register_report_formats": ("name", "kind", "title", "media_type"),
    "register_storage": ("scheme",),
    "register_signers": ("name",),
    "register_executors": ("scheme",),
    "register_notifiers": ("kind", "hears"),
    "register_commands": ("name",),
}
"""The hooks that hand over objects, and what each object must have at once, its name among them first."""

T = TypeVar("T")
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BrokenPlugin:
    """A plugin that could not be loaded, and why."""

    name: str
    error: str


@dataclass(frozen=True)
class Plugins:
    """What all plugins together offer. ``origins`` says which plugin registered what."""

    manager: pluggy.PluginManager
    formats: Mapping[str, Format]
    scanners: Mapping[str, Scanner]
    advisory_formats: Mapping[str, AdvisoryFormat]
    report_formats: Mapping[str, ReportFormat]
    storage: Mapping[str, StorageFactory]
    signers: Mapping[str, SignerFactory]
    executors: Mapping[str, ExecutorFactory]
    notifiers: Mapping[str, NotifierFactory]
    commands: Mapping[str, click.Command]
    origins: Mapping[tuple[str, str], str]
    broken: Sequence[BrokenPlugin] = field(default_factory=tuple)

    def format(self, name: str) -> Format:
        """The format of this name; ``NotFoundError`` that lists those there are."""
        return _pick("format", self.formats, name)

    def scanner(self, name: str) -> Scanner:
        """The scanner of this name."""
        return _pick("scanner", self.scanners, name)

    def storage_of(self, scheme: str) -> StorageFactory:
        """The storage backend of this URL scheme."""
        return _pick("storage", self.storage, scheme)

    def advisory_format(self, name: str) -> AdvisoryFormat:
        """The form of vulnerability data of this name."""
        return _pick("form of vulnerability data", self.advisory_formats, name)

    def report_format(self, name: str) -> ReportFormat:
        """The form of reports of this name."""
        return _pick("form of reports", self.report_formats, name)

    def open_storage(self, url: str, settings: Mapping[str, Mapping[str, Any]]) -> Storage:
        """The storage of a URL, by its scheme, with the settings of that; a plain path is a folder."""
        scheme = urlsplit(url).scheme or "file"
        if scheme not in self.storage:
            known = ", ".join(self.storage)
            raise UsageError(f"no storage is known for {scheme}: URLs", hint=f"known: {known}", scheme=scheme)
        return self.storage[scheme].open(url, settings.get(scheme, {}))

    def signer(self, name: str) -> SignerFactory:
        """The signer of this name."""
        return _pick("signer", self.signers, name)

    def executor(self, scheme: str) -> ExecutorFactory:
        """The executor of this URL scheme."""
        return _pick("executor", self.executors, scheme)

    def notifier(self, kind: str) -> NotifierFactory:
        """The notifier of this kind."""
        return _pick("kind of notifier", self.notifiers, kind)

    def listens(self, hook: str) -> bool:
        """Whether some plugin has an event hook: what it would be told may cost something to find out."""
        return bool(getattr(self.manager.hook, hook).get_hookimpls())

    def tell(self, hook: str, event: object) -> None:
        """Calls an event hook in every plugin; what a plugin raises is logged under its name and goes no further."""
        for implementation in getattr(self.manager.hook, hook).get_hookimpls():
            # As everywhere in pluggy, an implementation may leave out the arguments that it does not look at.
            arguments = [event] if implementation.argnames else []
            try:
                implementation.function(*arguments)
            except Exception as error:  # noqa: BLE001 - a plugin may fail in any way; its text may quote its secrets
                logger.error("plugin %s failed in %s: %s", implementation.plugin_name, hook, without_text(error))


def _pick(what: str, table: Mapping[str, T], name: str) -> T:
    try:
        return table[name]
    except KeyError:
        known = ", ".join(sorted(table)) or "none"
        raise NotFoundError(f"there is no {what} called {name!r}", hint=f"known: {known}", name=name) from None


def make_plugins(extra: Sequence[tuple[str, object]] = (), *, strict: bool = False, installed: bool = True) -> Plugins:
    """Loads the built-in plugins, those installed in the environment, then ``extra`` (name, module or object).

    A plugin of somebody else's that cannot be loaded is left out as a whole and listed as broken; with ``strict`` it is
    a ``PluginError``. A built-in that cannot be loaded always is one.
    """
    manager = pluggy.PluginManager("entrepot")
    manager.add_hookspecs(hookspecs)
    broken: list[BrokenPlugin] = []
    for dotted in BUILTIN_PLUGINS:
        manager.register(importlib.import_module(dotted), name=dotted)
    manager.check_pending()
    candidates: list[tuple[str, Callable[[], object]]] = []
    if installed:
        for entry in _entry_points(tuple(sys.path)):
            candidates.append((entry.name, entry.load))
    for name, plugin in extra:
        candidates.append((name, partial(_itself, plugin)))
    for name, load in candidates:
        try:
            _register(manager, name, load())
        except Exception as error:  # noqa: BLE001 - a third party's import may fail in any way
            broken.append(_broken(name, error, strict))
    return _collect(manager, broken, strict)


@lru_cache(maxsize=4)
def _entry_points(
    path: tuple[str, ...],  # noqa: ARG001 - what the answer depends on
) -> Sequence[importlib.metadata.EntryPoint]:
    """Of the distributions on a path; looked for once in a process, since all of their files are read for it."""
    return tuple(importlib.metadata.entry_points(group=ENTRY_POINT_GROUP))


def _itself(plugin: object) -> object:
    return plugin


def _register(manager: pluggy.PluginManager, name: str, plugin: object) -> None:
    """Registers a plugin whole or not at all; one that implements a hook which does not exist is an error."""
    if manager.has_plugin(name):
        raise PluginError(f"two plugins are called {name!r}", plugin=name)
    try:
        manager.register(plugin, name=name)
        manager.check_pending()
    except Exception:
        manager.unregister(name=name)
        raise


def _broken(name: str, error: Exception, strict: bool) -> BrokenPlugin:
    if strict:
        raise PluginError(f"plugin {name} could not be loaded: {error}", plugin=name) from error
    logger.warning("plugin %s is left out: %s", name, error)
    return BrokenPlugin(name, f"{type(error).__name__}: {error}")


def _collect(manager: pluggy.PluginManager, broken: list[BrokenPlugin], strict: bool) -> Plugins:
    tables: dict[str, dict[str, Any]] = {hook: {} for hook in EXTENSION_POINTS}
    origins: dict[tuple[str, str], str] = {}
    for plugin, _ in manager.list_name_plugin():
        try:
            offers = list(_offers(manager, plugin))
        except Exception as error:
            if plugin in BUILTIN_PLUGINS:
                raise
            broken.append(_broken(plugin, error, strict))
            manager.unregister(name=plugin)
            continue
        for hook, name, item in offers:
            if other := origins.get((hook, name)):
                raise PluginError(f"{hook}: {name!r} is registered by {other} and by {plugin}", plugins=[other, plugin])
            tables[hook][name] = item
            origins[hook, name] = plugin
    by_hook = {hook: dict(sorted(table.items())) for hook, table in tables.items()}
    return Plugins(
        manager=manager,
        formats=by_hook["register_formats"],
        scanners=by_hook["register_scanners"],
        advisory_formats=by_hook["register_advisory_formats"],
        report_formats=by_hook["register_report_formats"],
        storage=by_hook["register_storage"],
        signers=by_hook["register_signers"],
        executors=by_hook["register_executors"],
        notifiers=by_hook["register_notifiers"],
        commands=by_hook["register_commands"],
        origins=origins,
        broken=broken,
    )


def _offers(manager: pluggy.PluginManager, plugin: str) -> Iterator[tuple[str, str, object]]:
    """What one plugin registers: hook, name and object; ``AttributeError`` for an object without what it must have."""
    for hook, (key, *others) in EXTENSION_POINTS.items():
        for implementation in getattr(manager.hook, hook).get_hookimpls():
            if implementation.plugin_name == plugin:
                for item in implementation.function():
                    attrgetter(key, *others)(item)
                    yield hook, str(getattr(item, key)), item
