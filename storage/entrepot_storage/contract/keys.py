"""Contract of storages: which keys there are, and how they are listed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from entrepot.contracts import Storage
from entrepot.errors import StorageKeyError
from entrepot_storage.contract.base import ContractBase, content, keys

HOSTILE_KEYS = {
    "empty": "",
    "absolute": "/etc/passwd",
    "parent": "..",
    "parent inside": "pool/../../etc/passwd",
    "parent at the end": "pool/..",
    "here": "./pool",
    "here inside": "pool/./a",
    "double slash": "pool//a",
    "slash at the end": "pool/",
    "only a slash": "/",
    "backslash": "pool\\..\\a",
    "nul": "pool/a\0b",
    "newline": "pool/a\nb",
    "terminal escape": "pool/\x1b[2Ja",
    "c1 control": "pool/\x9b2Ja",
    "line separator": "pool/a\u2028b",
    "lone surrogate": "pool/\udcff",
    "over-long": "a/" * 600 + "a",
    "over-long segment": "a" * 256,
    "over-long segment in bytes": "é" * 128,
    "reserved": ".tmp/a",
    "reserved folder": ".tmp",
}
ODD_KEYS = (
    "pool/main/g/g++/g++_12~rc1+b1%2b_amd64.deb",
    "pool/a/1:2.0-1.deb",
    "a b/c d.txt",
    " lead and trail ",
    "naïve/日本語/🙂.deb",
    "e\u0301 is not é",
    ".well-known/security.txt",
    "...",
    "a/.tmp/b",
    "x?y#z&w=1;'\"<>|*[]{}$`!",
    "-rf",
    "a" * 255,
    "/".join(["abcdefg"] * 128),
)


class KeyContract(ContractBase):
    """Hostile keys, odd keys, prefixes."""

    def test_a_hostile_key_is_refused_everywhere(self, storage: Storage, other: Storage) -> None:
        other.write("a", b"a")
        for title, key in HOSTILE_KEYS.items():
            for attempt in self._attempts(storage, other, key):
                with pytest.raises(StorageKeyError) as caught:
                    attempt()
                assert str(caught.value).isprintable(), title
        assert keys(storage) == []

    @staticmethod
    def _attempts(storage: Storage, other: Storage, key: str) -> list[Callable[[], object]]:
        return [
            lambda: storage.read(key),
            lambda: storage.write(key, b"x"),
            lambda: storage.write(key, b"x", if_absent=True),
            lambda: storage.stat(key),
            lambda: storage.delete(key),
            lambda: storage.copy(other, "a", key),
            lambda: storage.copy(other, key, "a"),
        ]

    @pytest.mark.parametrize("key", ODD_KEYS)
    def test_an_odd_key_is_kept_as_it_is(self, storage: Storage, other: Storage, key: str) -> None:
        storage.write(key, b"odd")
        found = storage.stat(key)
        assert found is not None
        assert found.key == key
        assert content(storage, key) == b"odd"
        assert keys(storage) == keys(storage, key) == [key]
        other.copy(storage, key, key)
        storage.delete(key)
        assert keys(storage) == []
        assert content(other, key) == b"odd"

    def test_keys_that_look_alike_are_different_objects(self, storage: Storage) -> None:
        alike = ["a+b", "a b", "a%20b", "a%2Bb", "A+b", "\u00e9", "e\u0301"]
        for key in alike:
            storage.write(key, key.encode())
        assert [content(storage, key) for key in alike] == [key.encode() for key in alike]

    LISTED = (
        "a",
        "b-c",
        "b.c",
        "b/a",
        "b/c/d",
        "b/c/e",
        "b/cc",
        "b0",
        "dists/bookworm/InRelease",
        "dists/bookworm-updates/InRelease",
        "dists/trixie/InRelease",
        "é",
        "🙂",
        "\uffee",
    )
    PREFIXES = (
        *("", "a", "b", "b/", "b/c", "b/c/", "b/c/d", "b/c/d/", "dists/book", "dists/bookworm", "dists/bookworm/"),
        *("c", "nothing/here", "é", "/", "//", "b//", "../", "b/../b/", "./", ".", ".tmp", ".tmp/", "b\0", "\n"),
    )

    def test_a_listing_is_in_key_order(self, storage: Storage) -> None:
        for key in reversed(self.LISTED):
            storage.write(key, b"")
        assert keys(storage) == sorted(self.LISTED)

    def test_a_prefix_is_any_text(self, storage: Storage) -> None:
        for key in self.LISTED:
            storage.write(key, b"")
        expected = {prefix: sorted(key for key in self.LISTED if key.startswith(prefix)) for prefix in self.PREFIXES}
        assert {prefix: keys(storage, prefix) for prefix in self.PREFIXES} == expected

    def test_listed_objects_can_be_deleted_on_the_way(self, storage: Storage) -> None:
        for number in range(50):
            storage.write(f"pool/{number % 7}/{number}", b"")
        for info in storage.list("pool/"):
            storage.delete(info.key)
        assert keys(storage) == []
