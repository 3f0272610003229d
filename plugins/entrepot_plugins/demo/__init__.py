"""``entrepot demo``: the main job on a real upstream, in a fresh folder, with every step shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from entrepot.hookspecs import hookimpl

if TYPE_CHECKING:
    import click


@hookimpl
def register_commands() -> Iterable[click.Command]:
    """The command; what it does is imported when it runs."""
    from entrepot_plugins.demo.command import demo

    return [demo]
