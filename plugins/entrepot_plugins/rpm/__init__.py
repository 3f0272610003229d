"""RPM repositories (Fedora, RHEL and their kin, openSUSE, all that dnf reads) as a plugin: one package format."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from entrepot.hookspecs import hookimpl

from .format import RpmFormat

if TYPE_CHECKING:
    from entrepot.contracts import Format


@hookimpl
def register_formats() -> Iterable[Format]:
    """The format ``rpm``."""
    return [RpmFormat()]
