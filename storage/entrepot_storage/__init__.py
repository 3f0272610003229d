"""Storage backends: where published trees and the private store are kept.

This module is the plugin. The backends are imported with it, so they import only the standard library at the top.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from entrepot.hookspecs import hookimpl
from entrepot_storage.local import LocalStorageFactory
from entrepot_storage.memory import MemoryStorageFactory
from entrepot_storage.s3 import S3StorageFactory

if TYPE_CHECKING:
    from entrepot.contracts import StorageFactory


@hookimpl
def register_storage() -> Iterable[StorageFactory]:
    """``memory://name``, ``file:///folder`` or a plain path, and ``s3://bucket/prefix``."""
    return [MemoryStorageFactory(), LocalStorageFactory(), S3StorageFactory()]
