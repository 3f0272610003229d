"""Who signs published trees: GnuPG."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from entrepot.hookspecs import hookimpl
from entrepot_plugins.signers.gpg import GpgSignerFactory

if TYPE_CHECKING:
    from entrepot.contracts import SignerFactory

__all__ = ["GpgSignerFactory"]


@hookimpl
def register_signers() -> Iterable[SignerFactory]:
    """``gpg``."""
    return [GpgSignerFactory()]
