"""What is read out of one stanza of an index."""

from __future__ import annotations

from typing import Any

import pytest

from entrepot.errors import IndexFormatError
from entrepot.models import Available, IndexPart, Source
from entrepot_plugins.apt.index import AptIndexReader
from support.apt_repository import stanza

READER = AptIndexReader()
SHA256 = "ab" * 32


def part(kind: str = "binary") -> IndexPart:
    return IndexPart("dists/stable/main/x", "digest", "stable", "main", "amd64", kind, None)


def available(kind: str = "binary") -> Available:
    values: dict[str, Any] = dict.fromkeys(Available.__slots__, "")
    values |= {"name": "hello", "version": "1.0", "kind": kind, "source": "upstream"}
    return Available(**values)


def source_stanza(**fields: str) -> bytes:
    base = {
        "Architecture": "any all",
        "Filename": "",
        "Size": "",
        "SHA256": "",
        "Description": "",
        "Directory": "pool/main/h/hello",
        "Files": f"\n {'1' * 32} 100 hello_1.0-1.dsc\n {'2' * 32} 2000 hello_1.0.orig.tar.gz",
        "Checksums-Sha256": f"\n {SHA256} 100 hello_1.0-1.dsc\n {'cd' * 32} 2000 hello_1.0.orig.tar.gz",
    }
    return stanza("hello", "1.0-1", **(base | fields))


def test_the_columns_of_a_binary_package() -> None:
    raw = stanza(
        "libhello1",
        "1:2.0-1+b1",
        Source="hello (2.0-1)",
        Section="libs",
        Filename="./pool/h/libhello1_2.0.deb",
        SHA256=SHA256.upper(),
        Provides="hello-abi-1 (= 1), libhello, hello-abi-1",
        Description="short text\n A long\n .\n text.",
    )
    found = READER.describe(raw, part())
    assert (found.name, found.version, found.architecture) == ("libhello1", "1:2.0-1+b1", "amd64")
    assert (found.source_name, found.section, found.size) == ("hello", "libs", 1000)
    assert (found.sha256, found.location) == (SHA256, "pool/h/libhello1_2.0.deb")
    assert (found.summary, found.provides) == ("short text", "hello-abi-1 libhello")
    assert found.description == "short text\n A long\n .\n text."


def test_a_package_without_source_field_is_its_own_source_and_a_summary_alone_is_no_description() -> None:
    found = READER.describe(stanza("hello"), part())
    assert (found.source_name, found.summary, found.description) == ("hello", "the package hello", "")


def test_fields_may_be_missing_empty_duplicated_odd_or_in_another_case() -> None:
    raw = b"package: a\nVERSION: 1\nVersion: 2\nArchitecture: all\nfilename: a.deb\nSection:\nX-Odd-Field: \xff\n"
    found = READER.describe(raw, part())
    assert (found.version, found.size, found.sha256, found.section) == ("1", 0, "", "")


def test_text_that_is_not_utf_8_or_steers_a_terminal_is_made_harmless() -> None:
    found = READER.describe(stanza(Section="x\x1b[0m", Description="caf\u00e9\x07"), part())
    assert (found.section, found.summary) == ("x\ufffd[0m", "caf\u00e9\ufffd")


def test_a_name_of_the_real_world_with_an_underscore_is_taken() -> None:
    assert READER.describe(stanza("Some_Tool.x"), part()).name == "Some_Tool.x"


def test_the_columns_of_a_source_package() -> None:
    found = READER.describe(source_stanza(), part("source"))
    assert (found.name, found.architecture, found.size, found.sha256) == ("hello", "source", 2100, SHA256)
    assert found.location == "pool/main/h/hello/hello_1.0-1.dsc"


def test_a_binary_package_has_one_file_known_by_its_strong_digests() -> None:
    raw = stanza(Filename="./pool/h/hello_1.0.deb", SHA256=SHA256, MD5sum="1" * 32, SHA1="2" * 40, SHA512="3" * 128)
    (file,) = READER.files(raw, available())
    assert (file.path, file.name, file.size) == ("pool/h/hello_1.0.deb", "hello_1.0.deb", 1000)
    assert file.digests == {"sha512": "3" * 128, "sha256": SHA256}


def test_weak_digests_are_handed_over_only_where_there_is_nothing_else() -> None:
    (file,) = READER.files(stanza(SHA256="", MD5sum="1" * 32, Size=""), available())
    assert (file.digests, file.size) == ({"md5": "1" * 32}, None)


def test_a_source_package_has_its_dsc_first() -> None:
    raw = source_stanza(Files="", Checksums_Sha256=f"\n {'cd' * 32} 2000 a.tar.gz\n {SHA256} 100 a.dsc")
    files = READER.files(raw, available("source"))
    assert [(file.path, file.size, file.digests) for file in files] == [
        ("pool/main/h/hello/a.dsc", 100, {"sha256": SHA256}),
        ("pool/main/h/hello/a.tar.gz", 2000, {"sha256": "cd" * 32}),
    ]


@pytest.mark.parametrize("directory", ["", ".", "./"])
def test_a_source_package_of_a_flat_repository_has_no_folder(directory: str) -> None:
    assert READER.files(source_stanza(Directory=directory), available("source"))[0].path == "hello_1.0-1.dsc"


@pytest.mark.parametrize(
    ("kind", "raw", "message"),
    [
        ("binary", stanza(Filename=""), "no Filename"),
        ("binary", stanza(Filename="../x.deb"), "unsafe path"),
        ("binary", stanza(Filename="pool/../../x.deb"), "unsafe path"),
        ("binary", stanza(Filename="/x.deb"), "unsafe path"),
        ("binary", stanza(Filename="pool\\x.deb"), "unsafe path"),
        ("binary", stanza(Filename="pool/x\x1b.deb"), "unsafe path"),
        ("binary", stanza(Filename="pool/"), "unsafe path"),
        ("binary", stanza(SHA256=""), "gives no digest"),
        ("binary", stanza(SHA256="12"), "sha256 that is none"),
        ("source", source_stanza(Directory="../x"), "unsafe path"),
        ("source", source_stanza(Checksums_Sha256=f"\n {SHA256} 100 ../a.dsc"), "unsafe path"),
        ("source", source_stanza(Checksums_Sha256=f"\n {SHA256} 100 x/a.dsc"), "a file with a slash"),
        ("source", source_stanza(Checksums_Sha256=f"\n {SHA256} 7 hello_1.0-1.dsc"), "two sizes"),
        ("source", source_stanza(Checksums_Sha256=f"\n {SHA256} hello"), "malformed line"),
        ("source", source_stanza(Checksums_Sha256="", Files=""), "0 .dsc files"),
    ],
)
def test_files_that_cannot_be_trusted_are_an_error_that_names_the_package(kind: str, raw: bytes, message: str) -> None:
    with pytest.raises(IndexFormatError, match=message) as caught:
        READER.files(raw, available(kind))
    assert "upstream has an entry that cannot be used, hello 1.0:" in caught.value.message


def test_every_field_survives_for_a_person_to_read() -> None:
    extra = {"Phased-Update-Percentage": "10", "Multi-Arch": "same", "Important": "yes", "Protected": "yes"}
    raw = stanza(**extra, Task="x, y", Tag="a::b,\n c::d", Description_md5="0" * 32)
    found = dict(READER.fields(raw))
    assert found.items() >= (extra | {"Task": "x, y", "Tag": "a::b,\nc::d", "Description-md5": "0" * 32}).items()


@pytest.mark.parametrize(
    ("path", "quoted"),
    [
        ("pool/g/g++_1.0~rc1_amd64.deb", "pool/g/g%2B%2B_1.0~rc1_amd64.deb"),
        ("pool/a_1%3a2.deb", "pool/a_1%253a2.deb"),
        ("pool/a_1:2.deb", "pool/a_1:2.deb"),
        ("pool/a b#c?d.deb", "pool/a%20b%23c%3Fd.deb"),
        ("pool//caf\u00e9.deb", "pool//caf%C3%A9.deb"),
    ],
)
def test_urls_are_quoted_exactly_once(source: Source, path: str, quoted: str) -> None:
    assert READER.urls(source, {}, path) == [f"https://example.org/debian/{quoted}"]


@pytest.fixture
def source() -> Source:
    values: dict[str, Any] = dict.fromkeys(Source.__slots__, "")
    return Source(**(values | {"url": "https://example.org/debian"}))
