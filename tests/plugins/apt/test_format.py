"""The format as a plugin."""

from __future__ import annotations

import subprocess
import sys

import pytest

from entrepot_plugins.apt import register_formats
from entrepot_plugins.apt.format import AptFormat


def test_the_plugin_registers_one_format_called_apt() -> None:
    assert [(item.name, item.title) for item in register_formats()] == [("apt", "APT (Debian)")]


@pytest.mark.parametrize("member", ["versions", "index", "packages", "solver", "tree", "clients"])
def test_every_member_is_made_once(member: str) -> None:
    format_ = AptFormat()
    assert getattr(format_, member) is getattr(format_, member)


def test_options_have_names_of_their_own_and_say_what_they_do() -> None:
    for options in (AptFormat.source_options, AptFormat.distribution_options):
        assert len({option.name for option in options}) == len(options)
        assert all(option.help and isinstance(option.default, option.type) for option in options)


def test_registering_imports_nothing_that_only_some_commands_need() -> None:
    code = (
        "import sys, entrepot_plugins.apt as plugin\n"
        "plugin.register_formats()\n"
        "print(*(name for name in ('httpx', 'zstandard', 'solv', 'debian', 'gnupg', 'entrepot_plugins.apt.index')"
        " if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_environment())
    assert done.stdout.strip() == ""


def _environment() -> dict[str, str]:
    return {"PYTHONPATH": ":".join(path for path in sys.path if path), "PATH": "/usr/bin:/bin"}
