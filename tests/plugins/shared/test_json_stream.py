"""Large JSON documents are read value by value, in whatever pieces they arrive."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.errors import IndexFormatError
from entrepot_plugins.shared import json_stream
from entrepot_plugins.shared.json_stream import JsonStream


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def two_levels(data: bytes, size: int = 1 << 20, limit: int = 1 << 20) -> dict[str, dict[str, Any]]:
    stream = JsonStream(pieces(data, size), name="x.json", limit=limit)
    found: dict[str, dict[str, Any]] = {}
    for outer in stream.members():
        inner = found.setdefault(outer, {})
        for name in stream.members():
            inner[name] = stream.value(f"{outer} {name}")[0]
    assert stream.starts_with("")
    return found


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text(max_size=4), st.dictionaries(st.text(max_size=4), values, max_size=4), max_size=4),
       st.integers(1, 40), st.sampled_from([None, 2]), st.booleans())  # fmt: skip
def test_a_document_is_the_same_in_pieces_of_any_size(
    document: dict[str, dict[str, Any]], size: int, indent: int | None, plain: bool
) -> None:
    data = json.dumps(document, indent=indent, ensure_ascii=plain).encode()
    fill, json_stream.FILL = json_stream.FILL, 1
    try:
        assert two_levels(data, size) == document
    finally:
        json_stream.FILL = fill


def test_the_text_of_a_value_is_what_stood_there() -> None:
    stream = JsonStream([b'[ {"b": 1,  "a": 2.50} , 17]'], name="x", limit=100)
    assert [stream.value()[1] for _ in stream.items()] == ['{"b": 1,  "a": 2.50}', "17"]


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_number_at_the_end_of_a_piece_is_whole(size: int) -> None:
    assert two_levels(b'{"a":{"b":12345}}', size) == {"a": {"b": 12345}}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it is cut short"),
        (b"[]", "{ is missing before '\\['"),
        (b"<html>", "{ is missing before '<'"),
        (b'{"a":{"b":{"c":1', "x.json: a b is malformed"),
        (b'{"a":{"b":1}', "cut short"),
        (b'{"a":{"b":1 "c":2}}', ", is missing before '\"'"),
        (b'{"a":{b:1}}', "a key is missing"),
        (b'{"a" {}}', ": is missing before '{'"),
        (b'{"a":{"b":\xff}}', "it is not UTF-8"),
        (b'{"a":{"b":' + b"[" * 100_000, "RecursionError"),
        (b'{"a":{"b":' + b"9" * 10_000 + b"}}", "ValueError"),
        (b'{"a":{"b":"' + b"x" * 3_000_000, "more than 1048576 characters"),
    ],
)
def test_every_flaw_is_told_with_file_and_record(data: bytes, message: str) -> None:
    with pytest.raises(IndexFormatError, match=message) as caught:
        two_levels(data)
    assert caught.value.data["file"] == "x.json"


def test_an_endless_record_is_not_read_to_its_end() -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        yield b'{"a":{"b":"'
        while True:
            taken += 1 << 16
            yield b"x" * (1 << 16)

    stream = JsonStream(endless(), name="x.json", limit=1_000_000)
    next(stream.members())
    next(stream.members())
    with pytest.raises(IndexFormatError, match="a b is malformed: it has more than 1000000 characters"):
        stream.value("a b")
    assert taken < 5_000_000
