"""Parsing Release files."""

from __future__ import annotations

import datetime as dt

import pytest

from entrepot.errors import IndexFormatError
from entrepot_plugins.apt.release import parse
from support.apt_repository import Suite

MD5, SHA1, SHA256, SHA512 = "1" * 32, "2" * 40, "3" * 64, "4" * 128


def release(*lines: str) -> bytes:
    return "\n".join(lines).encode() + b"\n"


def test_the_fields_of_a_release_are_typed() -> None:
    header = {
        "Valid-Until": "Sun, 08 Mar 2026 10:00:00 +0100",
        "Acquire-By-Hash": "yes",
        "No-Support-for-Architecture-all": "Packages",
        "Label": "Everything",
    }
    found = parse(Suite(indexes={"main/binary-amd64/Packages": b""}, header=header).release(), name="Release")
    assert (found.origin, found.label, found.suite, found.codename) == ("Test", "Everything", "stable", "stable")
    assert found.date == dt.datetime(2026, 3, 1, 10, tzinfo=dt.UTC)
    assert found.valid_until == dt.datetime(2026, 3, 8, 9, tzinfo=dt.UTC)
    assert (found.components, found.architectures) == (("main",), ("amd64",))
    assert found.acquire_by_hash
    assert found.no_support_for_architecture_all


def test_a_release_that_says_little_has_empty_values() -> None:
    found = parse(release("Suite: x"), name="Release")
    assert (found.date, found.valid_until, found.components, found.architectures) == (None, None, (), ())
    assert not found.acquire_by_hash
    assert not found.no_support_for_architecture_all


def test_tables_that_differ_are_united_and_the_strongest_digest_is_known() -> None:
    found = parse(
        release("MD5Sum:", f" {MD5} 1 both", f" {MD5} 2 weak", "SHA256:", f" {SHA256} 1 both", f" {SHA256}\t3 strong"),
        name="Release",
    ).files
    assert found["both"].strongest == ("sha256", SHA256)
    assert found["weak"].strongest == ("md5", MD5)
    assert [found[name].weak for name in ("both", "weak", "strong")] == [False, True, False]
    assert found["strong"].size == 3


def test_sha512_is_stronger_than_sha256() -> None:
    found = parse(release("SHA256:", f" {SHA256} 1 a", "SHA512:", f" {SHA512} 1 ./a"), name="Release").files
    assert found["a"].strongest == ("sha512", SHA512)


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_line_ends_of_both_kinds_are_read(ending: str) -> None:
    text = ending.join(["Suite: x", "SHA256:", f" {SHA256} 1 a b", ""]).encode()
    assert parse(text, name="Release").files["a b"].size == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "it has 0 stanzas"),
        (b"Suite: a\n\nSuite: b\n", "it has 2 stanzas"),
        (b"<html>login</html>", "a line that is no field"),
        (b"Foo: bar", "it starts with 'Foo: bar'"),
        (b"Suite: a\nDate: tomorrow", "a Date that is no date: 'tomorrow'"),
        (b"Suite: a\nValid-Until: never", "a Valid-Until that is no date"),
        (release("SHA256:", f" {SHA1} 1 a"), "malformed line in its table of sha256 digests"),
        (release("SHA256:", f" {SHA256} -1 a"), "malformed line"),
        (release("SHA256:", f" {SHA256} 1"), "malformed line"),
        (release("MD5Sum:", f" {MD5} 1 a", "SHA256:", f" {SHA256} 2 a"), "two sizes"),
    ],
)
def test_a_malformed_release_is_an_error_that_names_it(text: bytes, message: str) -> None:
    with pytest.raises(IndexFormatError, match=message) as caught:
        parse(text, name="InRelease of upstream")
    assert "InRelease of upstream" in caught.value.message
