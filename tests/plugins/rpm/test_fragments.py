"""Cutting packages out of primary, filelists and other, and joining them."""

from __future__ import annotations

import itertools
import random
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.errors import IndexFormatError
from entrepot_plugins.rpm.fragments import Document, Entry, Join, batches
from entrepot_plugins.rpm.raw import Fragments, unpack
from support.rpm_repository import document, package

PACKAGES = [package(f"package-{number}", files=[f"/usr/bin/{number}"]) for number in range(20)]
PRIMARY = document("primary", [item.primary for item in PACKAGES])


def source(content: bytes, kind: str = "primary", size: int = 1000) -> Document:
    def chunks() -> Iterator[bytes]:
        for start in range(0, len(content), size):
            yield content[start : start + size]

    return Document(kind, f"upstream: {kind}.xml", chunks)


def cut(content: bytes, kind: str = "primary", size: int = 1000) -> list[bytes]:
    return [element for batch in batches(source(content, kind, size)) for element in batch]


def joined(
    packages: Sequence[Fragments], folder: Path, filelists: bytes | None, other: bytes | None
) -> Iterator[Entry]:
    primary = source(document("primary", [item.primary for item in packages]))
    others = [
        source(content, kind) if content is not None else None
        for kind, content in (("filelists", filelists), ("other", other))
    ]
    return Join(primary, others, folder).entries()


@pytest.mark.parametrize("kind", ["primary", "filelists", "other"])
def test_elements_come_as_they_were_written(kind: str) -> None:
    elements = [getattr(item, kind) for item in PACKAGES]
    assert cut(document(kind, elements), kind) == elements


@given(st.integers(1, 5000))
def test_it_does_not_matter_where_chunks_end(size: int) -> None:
    assert cut(PRIMARY, size=size) == [item.primary for item in PACKAGES]


@pytest.mark.parametrize(
    "content",
    [
        document("primary", []),
        document("primary", []).replace(b"></metadata>", b"/>").replace(b">\n</metadata>", b"/>"),
        document("primary", []).replace(b' packages="0"', b""),
    ],
)
def test_a_document_may_be_empty(content: bytes) -> None:
    assert cut(content) == []


def test_a_mark_of_utf8_and_other_blanks_do_not_matter() -> None:
    content = b"\xef\xbb\xbf" + PRIMARY.replace(b"\n<package", b"\r\n\t <package")
    assert cut(content)[1:] == [item.primary for item in PACKAGES[1:]]


def variants() -> dict[str, bytes]:
    middle = PRIMARY.index(b"<package", len(PRIMARY) // 2)
    root = b'xmlns="http://linux.duke.edu/metadata/common"'
    prefixed = PRIMARY.replace(root, b'xmlns:c="http://linux.duke.edu/metadata/common"')
    names = ("package", "name", "arch", "version", "checksum", "summary", "description", "packager", "url", "time")
    for name in (*names, "size", "location", "format", "file", "metadata"):
        for before, after in (("<", "<c:"), ("</", "</c:")):
            for end in (" ", ">", "/>"):
                prefixed = prefixed.replace(f"{before}{name}{end}".encode(), f"{after}{name}{end}".encode())
    return {
        "a comment between packages": PRIMARY[:middle] + b"<!-- </package> -->" + PRIMARY[middle:],
        "a comment in a package": PRIMARY.replace(b"<packager>", b"<!-- <package > --><packager>", 1),
        "CDATA": PRIMARY.replace(b"A package.", b"<![CDATA[A package.]]>", 1),
        "an instruction": PRIMARY[:middle] + b"<?stop </package>?>" + PRIMARY[middle:],
        "a document type": PRIMARY.replace(b"<metadata", b"<!DOCTYPE metadata>\n<metadata", 1),
        "another encoding": PRIMARY.decode().replace("UTF-8", "UTF-16").encode("utf-16"),
        "another prefix": PRIMARY.replace(b"rpm:", b"r:").replace(b"xmlns:rpm", b"xmlns:r"),
        "a prefix for all": prefixed,
        "single quotes": PRIMARY.replace(b'<size package="1000"', b"<size package='1000'"),
        "a blank in an end tag": PRIMARY.replace(b"</package>", b"</package\n>", 3),
        "a line end in a start tag": PRIMARY.replace(b"<package type", b"<package\ntype"),
        "a comment at the end": PRIMARY + b"<!-- made by hand -->",
    }


@pytest.mark.parametrize("what", variants())
def test_what_is_not_of_the_plain_kind_says_the_same(what: str) -> None:
    def told(element: bytes) -> bytes:
        return b"".join(element.split()).replace(b"<packager></packager>", b"<packager/>")

    assert list(map(told, cut(variants()[what]))) == [told(item.primary) for item in PACKAGES]


def test_what_came_before_the_first_oddity_comes_once() -> None:
    found = cut(PRIMARY + b"<!-- late -->", size=100)
    assert found == [item.primary for item in PACKAGES]


def test_an_apostrophe_in_a_text_is_nothing_odd() -> None:
    element = PACKAGES[0].primary.replace(b"A package.", b"set a='b'")
    assert cut(document("primary", [element])) == [element]


def test_text_of_another_namespace_keeps_its_declaration() -> None:
    element = PACKAGES[0].primary.replace(b"<packager>", b"<s:keywords>fast</s:keywords><packager>")
    content = document("primary", [element]).replace(b"<metadata ", b'<metadata xmlns:s="http://example.org/s" ')
    assert b'<s:keywords xmlns:s="http://example.org/s">fast</s:keywords>' in cut(content)[0]


def test_bytes_that_are_no_utf8_are_replaced() -> None:
    element = PACKAGES[0].primary.replace(b"A package.", b"Paquet g\xe9nial")
    assert "Paquet g\ufffdnial".encode() in cut(document("primary", [element, PACKAGES[1].primary]))[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (PRIMARY[: len(PRIMARY) // 2], "malformed"),
        (PRIMARY.replace(b"</metadata>", b""), "malformed"),
        (PRIMARY + PRIMARY, "malformed"),
        (PRIMARY.replace(b"metadata", b"filelists"), "its root is <filelists>, not <metadata>"),
        (document("primary", [PACKAGES[0].primary], 2), "says that it has 2 packages, and has 1"),
        (document("primary", [PACKAGES[0].primary] * 3, 2), "says that it has 2 packages, and has 3"),
        (document("primary", [PACKAGES[0].primary + b"<!-- -->"], 2), "says that it has 2 packages, and has 1"),
        (b"", "malformed"),
        (b"<html><body>404</body></html>", "its root is <html>"),
        (PRIMARY.replace(b"A package.", b"A\0package.", 1), "malformed"),
    ],
)
def test_what_is_wrong_is_an_error_that_names_the_file(content: bytes, message: str) -> None:
    with pytest.raises(IndexFormatError, match=message) as caught:
        cut(content)
    assert "upstream: primary.xml" in caught.value.message


def test_entities_are_refused() -> None:
    laughs = "".join(f'<!ENTITY l{n} "&l{n - 1};&l{n - 1};&l{n - 1};&l{n - 1};">' for n in range(1, 30))
    head = f'<!DOCTYPE metadata [<!ENTITY l0 "lol">{laughs}]>\n<metadata'.encode()
    content = PRIMARY.replace(b"<metadata", head, 1).replace(b"A package.", b"&l29;", 1)
    with pytest.raises(IndexFormatError, match="entit"):
        cut(content)
    file = PRIMARY.replace(b"<metadata", b'<!DOCTYPE m [<!ENTITY f SYSTEM "file:///etc/passwd">]><metadata', 1)
    with pytest.raises(IndexFormatError, match="declares entities"):
        cut(file.replace(b"A package.", b"&f;", 1))


def test_an_element_without_an_end_is_stopped_with_bounded_memory() -> None:
    def chunks() -> Iterator[bytes]:
        yield PRIMARY[: PRIMARY.index(b"</name>")]
        yield from itertools.repeat(bytes(1 << 20).replace(b"\0", b"x"))

    tracemalloc.start()
    try:
        with pytest.raises(IndexFormatError, match="an element of more than"):
            list(batches(Document("primary", "upstream: primary.xml", chunks)))
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_number_of_packages() -> None:
    element = PACKAGES[0].primary + b"\n"
    head, tail = document("primary", [], 30_000).split(b"\n</")

    def chunks() -> Iterator[bytes]:
        yield head
        for _ in range(300):
            yield element * 100
        yield b"</" + tail

    def peak(open_: Document) -> int:
        tracemalloc.start()
        try:
            assert sum(map(len, batches(open_))) == 30_000
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(Document("primary", "x", chunks)) < 4 << 20


# ------------------------------------------------------------------------------------------------------- joining


def whole(packages: Sequence[Fragments], kind: str) -> bytes:
    return document(kind, [getattr(item, kind) for item in packages])


def test_what_the_three_say_of_a_package_comes_together(tmp_path: Path) -> None:
    entries = joined(PACKAGES, tmp_path, whole(PACKAGES, "filelists"), whole(PACKAGES, "other"))
    assert [unpack(entry.raw) for entry in entries] == PACKAGES


def test_only_what_is_asked_for_is_looked_up(tmp_path: Path) -> None:
    entries = joined(PACKAGES, tmp_path, b"broken", whole(PACKAGES, "other"))
    assert len({entry.digest for entry in entries}) == 20


def test_another_order_is_put_right(tmp_path: Path) -> None:
    mixed = random.Random(1).sample(PACKAGES, len(PACKAGES))
    entries = list(joined(PACKAGES, tmp_path, whole(mixed, "filelists"), whole(mixed[::-1], "other")))
    assert [unpack(entry.raw) for entry in entries] == PACKAGES


def test_a_package_that_filelists_lacks_is_without(tmp_path: Path) -> None:
    entries = joined(PACKAGES, tmp_path, whole(PACKAGES[:5] + PACKAGES[6:], "filelists"), whole(PACKAGES, "other"))
    found = [unpack(entry.raw).filelists for entry in entries]
    assert found == [item.filelists if number != 5 else b"" for number, item in enumerate(PACKAGES)]


def test_a_package_at_two_places_may_stand_once_in_filelists(tmp_path: Path) -> None:
    again = package("package-3", files=["/usr/bin/3"], href="elsewhere/package-3.rpm")
    packages = [*PACKAGES, again]
    entries = joined(packages, tmp_path, whole(PACKAGES, "filelists"), whole(packages, "other"))
    assert [unpack(entry.raw) for entry in entries] == packages


def test_the_digest_is_that_of_what_primary_says(tmp_path: Path) -> None:
    moved = [package("package-0", files=["/usr/bin/0"], href="elsewhere.rpm"), *PACKAGES[1:]]
    before = [entry.digest for entry in joined(PACKAGES, tmp_path, None, None)]
    after = [entry.digest for entry in joined(moved, tmp_path, None, None)]
    assert before[1:] == after[1:]
    assert before[0] != after[0]
    assert {len(digest) for digest in before} == {16}


def test_a_package_that_gained_filelists_is_another_one(tmp_path: Path) -> None:
    without = [entry.digest for entry in joined(PACKAGES, tmp_path, None, None)]
    with_ = [entry.digest for entry in joined(PACKAGES, tmp_path, whole(PACKAGES, "filelists"), None)]
    assert not set(without) & set(with_)


def test_a_package_without_a_pkgid_is_an_error(tmp_path: Path) -> None:
    broken = PACKAGES[0]._replace(primary=PACKAGES[0].primary.replace(b' pkgid="YES"', b""))
    with pytest.raises(IndexFormatError, match="a package without a pkgid"):
        list(map(lambda entry: entry.raw, joined([broken], tmp_path, None, None)))  # noqa: C417
