"""Splitting indexes into stanzas, and stanzas into fields."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.errors import IndexFormatError
from entrepot_plugins.apt.stanzas import Stanza, fields, needle, split, text

A, B = b"Package: a\nVersion: 1", b"Package: b\nVersion: 2"


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(
    "data",
    [
        A + b"\n\n" + B + b"\n\n",
        A + b"\n\n" + B + b"\n",
        A + b"\n\n" + B,
        A + b"\n\n\n\n\n" + B + b"\n\n\n",
        b"\n\n\n" + A + b"\n\n" + B,
        A + b"\n \n" + B + b"\n",
        A + b"\n\t\n  \n\n" + B + b"\n \t\n",
        (A + b"\n\n" + B + b"\n\n").replace(b"\n", b"\r\n"),
        (A + b"\n\n" + B).replace(b"\n", b"\r\n"),
        A + b"\n\n" + B + b"\n   ",
    ],
)
def test_stanzas_are_the_same_however_they_are_separated_and_cut(data: bytes, size: int) -> None:
    assert list(split(pieces(data, size), name="x")) == [A, B]


@pytest.mark.parametrize("size", [1, 4, 1000])
def test_a_line_of_blanks_inside_a_value_does_not_end_the_stanza(size: int) -> None:
    data = b"Package: a\nDescription: short\n long\n \n longer\nVersion: 1\n"
    assert list(split(pieces(data + b"\n" + B, size), name="x")) == [data.rstrip(b"\n"), B]


@pytest.mark.parametrize("data", [b"", b"\n", b"\n\n\n", b" \n\t\n", b"\r\n\r\n"])
def test_nothing_but_blanks_is_no_stanza(data: bytes) -> None:
    assert list(split([data], name="x")) == []


def test_a_stanza_that_is_too_long_is_an_error_that_names_the_index_and_its_start() -> None:
    endless = (b"x" * 1000 for _ in range(10**9))
    with pytest.raises(IndexFormatError, match=r"index has a stanza of more than 5000 bytes, .*xxx"):
        list(split(endless, name="index", limit=5000))


def test_a_long_stanza_among_short_ones_is_found_in_one_piece_as_well() -> None:
    with pytest.raises(IndexFormatError, match="more than 100 bytes"):
        list(split([A + b"\n\n" + b"Package: " + b"x" * 200 + b"\n\n" + B], name="index", limit=100))


LINES = st.lists(st.sampled_from([b"A: 1", b"B: 2", b" more", b"C:", b"D: x \t"]), min_size=1, max_size=5)


@given(st.lists(LINES, max_size=6), st.integers(1, 40))
def test_any_stanzas_come_back_as_they_were(stanzas: list[list[bytes]], size: int) -> None:
    texts = [b"A: 0\n" + b"\n".join(lines) for lines in stanzas]
    found = list(split(pieces(b"\n\n".join(texts) + b"\n\n", size), name="x"))
    assert [item.rstrip() for item in found] == [item.rstrip() for item in texts]


def test_fields_are_found_whatever_their_case_and_the_first_counts() -> None:
    stanza = Stanza(b"PACKAGE: a\nversion:1\nVersion: 2\nDescription: short\n long\n\tlonger\nTag:\n x,\n y")
    assert stanza.lines([needle("Package"), needle("Version"), needle("Missing")]) == [b"a", b"1", b""]
    assert stanza.value(needle("description")) == b"short\n long\n\tlonger"
    assert stanza.value(needle("Tag")) == b"x,\n y"
    assert stanza.value(needle("Missing")) == b""


def test_a_field_is_not_found_inside_of_another_ones_value() -> None:
    stanza = Stanza(b"Description: short\n Version: 9\nX-Version: 3")
    assert stanza.lines([needle("Version")]) == [b""]


def test_fields_come_in_order_with_duplicates_and_continuations() -> None:
    raw = b"Package: a\nTag: x,\n y,\n z\nPackage: again\nEmpty:\n"
    assert fields(raw) == [("Package", "a"), ("Tag", "x,\ny,\nz"), ("Package", "again"), ("Empty", "")]


def test_text_that_is_not_utf_8_or_steers_a_terminal_is_replaced() -> None:
    assert fields(b"Maintainer: J\xf6rg\nDescription: \x1b[31mred\x9b\x07") == [
        ("Maintainer", "J\ufffdrg"),
        ("Description", "\ufffd[31mred\ufffd\ufffd"),
    ]
    assert text(b"a\x1b]0;x\x07\xff") == "a\ufffd]0;x\ufffd\ufffd"


@pytest.mark.parametrize("raw", [b" continuation first", b"no colon", b"bad name: x", b": x"])
def test_a_line_that_is_no_field_is_an_error(raw: bytes) -> None:
    with pytest.raises(IndexFormatError):
        fields(raw)
