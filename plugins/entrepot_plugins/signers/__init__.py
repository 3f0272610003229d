"""Who signs published trees: GnuPG."""

from __future__ import annotations

from collections.abc import Iterable

from entrepot.contracts import SignerFactory
from entrepot.hookspecs import hookimpl
from entrepot_plugins.signers.gpg import GpgSignerFactory

__all__ = ["GpgSignerFactory"]


@hookimpl
def register_signers() -> Iterable[SignerFactory]:
    """``gpg``."""
    return [GpgSignerFactory()]
