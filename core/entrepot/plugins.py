"""The plugin manager's factory and what it collected: every extension point as a mapping by name."""

from __future__ import annotations

import importlib
import importlib.metadata
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar

import pluggy

from entrepot import hookspecs
from entrepot.contracts import ExecutorFactory, Format, Scanner, SignerFactory, StorageFactory
from entrepot.errors import NotFoundError, PluginError

if TYPE_CHECKING:
    import click

ENTRY_POINT_GROUP = "entrepot"

BUILTIN_PLUGINS = (
    "entrepot_plugins.apt",
    "entrepot_plugins.scanners",
    "entrepot_plugins.signers",
    "entrepot_plugins.executors",
    "entrepot_plugins.demo",
    "entrepot_storage",
)
"""The plugins that come with Entrepôt, as dotted names: the one place where the core names an upper layer."""

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
    storage: Mapping[str, StorageFactory]
    signers: Mapping[str, SignerFactory]
    executors: Mapping[str, ExecutorFactory]
    commands: Mapping[str, click.Command]
    origins: Mapping[tuple[str, str], str]
    broken: Sequence[BrokenPlugin] = field(default_factory=tuple)

    def format(self, name: str) -> Format:
        """The format of this name; ``NotFoundError`` that lists those there are."""
        return _pick("format", self.formats, name)

    def signer(self, name: str) -> SignerFactory:
        """The signer of this name."""
        return _pick("signer", self.signers, name)

    def executor(self, scheme: str) -> ExecutorFactory:
        """The executor of this URL scheme."""
        return _pick("executor", self.executors, scheme)

    def tell(self, hook: str, event: object) -> None:
        """Calls an event hook in every plugin; what a plugin raises is logged under its name and goes no further."""
        for implementation in getattr(self.manager.hook, hook).get_hookimpls():
            try:
                implementation.function(event)
            except Exception:
                logger.exception("plugin %s failed in %s", implementation.plugin_name, hook)


def _pick(what: str, table: Mapping[str, T], name: str) -> T:
    try:
        return table[name]
    except KeyError:
        known = ", ".join(sorted(table)) or "none"
        raise NotFoundError(f"there is no {what} called {name!r}", hint=f"known: {known}", name=name) from None


def make_plugins(extra: Sequence[tuple[str, object]] = (), *, strict: bool = False, installed: bool = True) -> Plugins:
    """Loads the built-in plugins, those installed in the environment, then ``extra`` (name, module or object).

    A plugin of somebody else's that cannot be loaded is left out and listed as broken; with ``strict`` it is a
    ``PluginError``. A built-in that cannot be loaded always is.
    """
    manager = pluggy.PluginManager("entrepot")
    manager.add_hookspecs(hookspecs)
    broken: list[BrokenPlugin] = []
    for dotted in BUILTIN_PLUGINS:
        manager.register(importlib.import_module(dotted), name=dotted)
    candidates: list[tuple[str, Callable[[], object]]] = []
    if installed:
        for entry in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP):
            candidates.append((entry.name, entry.load))
    for name, plugin in extra:
        candidates.append((name, partial(_itself, plugin)))
    for name, load in candidates:
        try:
            manager.register(load(), name=name)
        except Exception as error:  # noqa: BLE001 - a third party's import may fail in any way
            broken.append(_broken(name, error, strict))
    manager.check_pending()
    return _collect(manager, broken, strict)


def _itself(plugin: object) -> object:
    return plugin


def _broken(name: str, error: Exception, strict: bool) -> BrokenPlugin:
    if strict:
        raise PluginError(f"plugin {name} could not be loaded: {error}", plugin=name) from error
    logger.warning("plugin %s is left out: %s", name, error)
    return BrokenPlugin(name, f"{type(error).__name__}: {error}")


def _collect(manager: pluggy.PluginManager, broken: list[BrokenPlugin], strict: bool) -> Plugins:
    origins: dict[tuple[str, str], str] = {}

    def gather(hook: str, name_of: Callable[[Any], str]) -> dict[str, Any]:
        table: dict[str, Any] = {}
        for implementation in getattr(manager.hook, hook).get_hookimpls():
            plugin = implementation.plugin_name
            try:
                objects = [(name_of(item), item) for item in implementation.function()]
            except Exception as error:
                if plugin in BUILTIN_PLUGINS:
                    raise
                broken.append(_broken(plugin, error, strict))
                continue
            for name, item in objects:
                if name in table:
                    other = origins[hook, name]
                    raise PluginError(
                        f"{hook}: {name!r} is registered by {other} and by {plugin}", plugins=[other, plugin]
                    )
                table[name] = item
                origins[hook, name] = plugin
        return dict(sorted(table.items()))

    by_name = attrgetter("name")
    by_scheme = attrgetter("scheme")
    return Plugins(
        manager=manager,
        formats=gather("register_formats", by_name),
        scanners=gather("register_scanners", by_name),
        storage=gather("register_storage", by_scheme),
        signers=gather("register_signers", by_name),
        executors=gather("register_executors", by_scheme),
        commands=gather("register_commands", by_name),
        origins=origins,
        broken=broken,
    )
