"""The plugin manager: what comes in, what is left out, and who is named for it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

import support.toy
from entrepot.contracts import Format, Scanner
from entrepot.errors import NotFoundError, PluginError
from entrepot.hookspecs import hookimpl
from entrepot.plugins import BUILTIN_PLUGINS, Plugins, make_plugins
from support.toy import ToyFormat
from support.toy_words import ToyScanner


def load(*extra: tuple[str, object], strict: bool = False) -> Plugins:
    """The built-in plugins and these."""
    return make_plugins(extra, strict=strict, installed=False)


class GoodScanner:
    @hookimpl
    def register_scanners(self) -> Iterable[Scanner]:
        return [ToyScanner()]


class RaisingScanner:
    """Its formats come in, its scanners raise: nothing of it may stay."""

    @hookimpl
    def register_formats(self) -> Iterable[Format]:
        return [ToyFormat()]

    @hookimpl
    def register_scanners(self) -> Iterable[Scanner]:
        raise RuntimeError("no licence")


class HalfScanner:
    """Registers what has a name and nothing else."""

    class Nameless:
        name = "half"

    @hookimpl
    def register_scanners(self) -> Iterable[object]:
        return [self.Nameless()]


class UnknownHook:
    @hookimpl
    def register_scanners(self) -> Iterable[Scanner]:
        return [ToyScanner()]

    @hookimpl
    def register_teapots(self) -> Iterable[object]:
        return []


class WrongArguments:
    @hookimpl
    def register_scanners(self, teapot: object) -> Iterable[Scanner]:
        return []


BROKEN = [
    (RaisingScanner, "RuntimeError: no licence"),
    (HalfScanner, "AttributeError: 'Nameless' object has no attribute 'answers'"),
    (UnknownHook, "unknown hook 'register_teapots'"),
    (WrongArguments, "can not be found in the hookspec"),
]


def test_the_built_in_plugins_are_loaded_as_any_other() -> None:
    plugins = load()
    assert set(BUILTIN_PLUGINS) <= {name for name, _ in plugins.manager.list_name_plugin()}
    assert "apt" in plugins.formats
    assert {"format", "signature"} <= set(plugins.scanners)
    assert {"file", "memory"} <= set(plugins.storage)
    assert "gpg" in plugins.signers
    assert "threads" in plugins.executors
    assert plugins.broken == []


def test_a_module_is_a_plugin() -> None:
    plugins = load(("toy", support.toy))
    assert plugins.format("toy").title == "Toys"
    assert plugins.origins["register_scanners", "toy-words"] == "toy"


def test_objects_are_sorted_by_name_whatever_registers_them() -> None:
    plugins = load(("toy", support.toy))
    assert list(plugins.scanners) == sorted(plugins.scanners)


@pytest.mark.parametrize(("plugin", "reason"), BROKEN)
def test_a_broken_plugin_is_left_out_as_a_whole_and_reported(plugin: type, reason: str) -> None:
    plugins = load(("bad", plugin()), ("good", GoodScanner()))
    (broken,) = plugins.broken
    assert broken.name == "bad"
    assert reason in broken.error
    assert "toy" not in plugins.formats
    assert plugins.origins["register_scanners", "toy-words"] == "good"
    assert not plugins.manager.has_plugin("bad")


@pytest.mark.parametrize(("plugin", "reason"), BROKEN)
def test_a_broken_plugin_is_fatal_where_the_settings_ask_for_it(plugin: type, reason: str) -> None:
    with pytest.raises(PluginError, match="plugin bad could not be loaded: ") as caught:
        load(("bad", plugin()), strict=True)
    assert reason.removeprefix("RuntimeError: ").removeprefix("AttributeError: ") in str(caught.value)
    assert caught.value.data["plugin"] == "bad"


def test_two_objects_of_one_name_are_an_error_that_names_both_plugins() -> None:
    with pytest.raises(PluginError, match="'toy-words' is registered by first and by second") as caught:
        load(("first", GoodScanner()), ("second", GoodScanner()))
    assert caught.value.data["plugins"] == ["first", "second"]


def test_a_plugin_cannot_take_the_place_of_a_built_in_object() -> None:
    class Impostor(ToyScanner):
        name = "signature"

        @hookimpl
        def register_scanners(self) -> Iterable[Scanner]:
            return [self]

    with pytest.raises(PluginError, match=r"'signature' is registered by .* and by impostor"):
        load(("impostor", Impostor()))


def test_two_plugins_of_one_name_are_reported() -> None:
    plugins = load(("twin", GoodScanner()), ("twin", support.toy))
    assert [broken.error for broken in plugins.broken] == ["PluginError: two plugins are called 'twin'"]
    assert "toy-words" in plugins.scanners
    assert "toy" not in plugins.formats


@pytest.mark.parametrize(
    ("pick", "what"),
    [(Plugins.format, "format"), (Plugins.signer, "signer"), (Plugins.executor, "executor")],
)
def test_what_nobody_registered_is_an_error_that_lists_what_there_is(
    pick: Callable[[Plugins, str], object], what: str
) -> None:
    with pytest.raises(NotFoundError, match=f"there is no {what} called 'sand'") as caught:
        pick(load(), "sand")
    assert caught.value.hint.startswith("known: ")


# ------------------------------------------------------------------------------------------- installed distributions


def install(folder: Path, name: str, code: str) -> None:
    """What an installer leaves behind: a module and its metadata."""
    (folder / f"{name}.py").write_text(code)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[entrepot]\n{name} = {name}\n")


def test_an_installed_distribution_is_found_by_its_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "toys_found_by_entry_point", "from support.toy import register_formats, register_scanners\n")
    monkeypatch.syspath_prepend(tmp_path)
    plugins = make_plugins()
    assert plugins.origins["register_formats", "toy"] == "toys_found_by_entry_point"
    sys.modules.pop("toys_found_by_entry_point")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import no_such_module_anywhere\n", "ModuleNotFoundError: No module named 'no_such_module_anywhere'"),
        ("def broken(:\n", "SyntaxError"),
        ("raise RuntimeError('at import')\n", "RuntimeError: at import"),
    ],
    ids=["import", "syntax", "raise"],
)
def test_an_installed_distribution_that_cannot_be_imported_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, reason: str
) -> None:
    install(tmp_path, "broken_at_import", code)
    monkeypatch.syspath_prepend(tmp_path)
    (broken,) = make_plugins().broken
    assert broken.name == "broken_at_import"
    assert reason in broken.error
    with pytest.raises(PluginError, match="plugin broken_at_import could not be loaded"):
        make_plugins(strict=True)
