"""Storages as a plugin offers them."""

from __future__ import annotations

import pluggy
import pytest

import entrepot_storage
from entrepot import hookspecs
from entrepot.contracts import ObjectMeta
from entrepot.errors import NotFoundError, SettingsError, StorageError
from entrepot_storage.contract.base import content
from entrepot_storage.memory import MemoryStorage, MemoryStorageFactory
from support.children import start_python


def test_the_plugin_registers_its_backends() -> None:
    manager = pluggy.PluginManager("entrepot")
    manager.add_hookspecs(hookspecs)
    manager.register(entrepot_storage)
    manager.check_pending()
    (factories,) = manager.hook.register_storage()
    assert sorted(factory.scheme for factory in factories) == ["file", "memory", "s3"]


def test_the_plugin_imports_nothing_heavy() -> None:
    heavy = "boto3 botocore httpx pytest sqlite3 tempfile random asyncio"
    child = start_python(f"import sys, entrepot_storage; print([m for m in '{heavy}'.split() if m in sys.modules])")
    assert child.communicate(timeout=60)[0] == "[]\n"
    assert child.returncode == 0


def test_one_name_is_one_storage_in_the_whole_process() -> None:
    MemoryStorageFactory().open("memory://shared", {}).write("a", b"a")
    assert content(MemoryStorageFactory().open("memory://shared", {}), "a") == b"a"
    assert MemoryStorageFactory().open("memory://another", {}).stat("a") is None


def test_closing_a_named_storage_keeps_its_objects() -> None:
    opened = MemoryStorageFactory().open("memory://closed", {})
    opened.write("a", b"a")
    opened.close()
    assert content(MemoryStorageFactory().open("memory://closed", {}), "a") == b"a"


@pytest.mark.parametrize("url", ["memory://", "memory:", "memory://a//b", "memory://a b", "file:///srv", "shared"])
def test_a_memory_url_needs_a_name(url: str) -> None:
    with pytest.raises(SettingsError):
        MemoryStorageFactory().open(url, {})


def test_memory_has_no_settings() -> None:
    with pytest.raises(SettingsError, match="fsync"):
        MemoryStorageFactory().open("memory://a", {"fsync": True})


def test_memory_remembers_what_travels_with_an_object() -> None:
    storage = MemoryStorage()
    meta = ObjectMeta(content_type="text/plain", cache_control="max-age=60")
    storage.write("a", b"a", meta=meta)
    storage.copy(storage, "a", "b")
    storage.copy(storage, "a", "c", meta=ObjectMeta(content_type="text/html"))
    assert storage.meta("a") == storage.meta("b") == meta
    assert storage.meta("c").content_type == "text/html"
    with pytest.raises(NotFoundError):
        storage.meta("d")


def test_memory_checks_the_digest_of_a_copy() -> None:
    storage = MemoryStorage()
    storage.write("a", b"a")
    with pytest.raises(StorageError, match="0" * 64):
        storage.copy(storage, "a", "b", meta=ObjectMeta(sha256="0" * 64))
    assert storage.stat("b") is None
