"""Keys, whatever text they are, and listings, whatever keys there are."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.errors import StorageKeyError
from entrepot_storage.base import check_key, is_key
from entrepot_storage.contract.base import keys
from entrepot_storage.local import LocalStorage
from entrepot_storage.memory import MemoryStorage

segments = st.text(alphabet="ab.-0é🙂 ~%", min_size=1, max_size=3).filter(lambda text: text not in (".", ".."))
some_keys = st.lists(st.lists(segments, min_size=1, max_size=3).map("/".join), max_size=12, unique=True)


def without_folders(found: list[str]) -> list[str]:
    """The keys of which none is a folder of another, as a file system needs it."""
    return [key for key in found if not any(other.startswith(f"{key}/") for other in found)]


@settings(deadline=None)
@given(st.text(alphabet=st.characters(), max_size=40) | st.text(alphabet="a./\\\0 \n", max_size=12))
def test_any_text_is_a_safe_key_or_refused(text: str) -> None:
    if not is_key(text):
        with pytest.raises(StorageKeyError) as caught:
            check_key(text)
        assert str(caught.value).isascii()
        return
    assert check_key(text) == text
    path = Path("/root") / text
    assert path.parts[:2] == ("/", "root")
    assert ".." not in path.parts
    assert str(path) == f"/root/{text}"


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=1030), st.sampled_from(["a", "é", "🙂"]))
def test_the_length_of_a_key_is_measured_in_bytes(length: int, character: str) -> None:
    key = "/".join([character] * length)
    assert is_key(key) == (0 < len(key.encode()) <= 1024)


def test_the_error_of_an_over_long_key_is_short() -> None:
    with pytest.raises(StorageKeyError) as caught:
        check_key("x" * 1_000_000)
    assert len(str(caught.value)) < 250


@settings(max_examples=40, deadline=None)
@given(some_keys.map(without_folders), st.text(alphabet="ab.-0é/", max_size=4))
def test_memory_and_disk_list_the_same(found: list[str], prefix: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for storage in (MemoryStorage(), LocalStorage(Path(folder))):
            for key in found:
                storage.write(key, b"")
            assert keys(storage, prefix) == sorted(key for key in found if key.startswith(prefix))
            for key in found:
                storage.delete(key)
            assert keys(storage) == []
        assert [path.name for path in Path(folder).iterdir()] in ([], [".tmp"])
