"""One package of an RPM index: its columns, its file, its fields."""

from __future__ import annotations

from typing import Any

import pytest

from entrepot.errors import IndexFormatError
from entrepot.models import Described
from entrepot_plugins.rpm.entry import describe, files
from entrepot_plugins.rpm.fields import fields
from entrepot_plugins.rpm.locations import resolve, url
from entrepot_plugins.rpm.raw import Fragments, pack, primary_of, unpack
from entrepot_plugins.rpm.version import RpmVersions
from support.rpm_repository import PART, available, package


def row(*changes: tuple[str, str], **values: Any) -> Described:
    return describe(packed(*changes, **values), PART)


def packed(*changes: tuple[str, str], **values: Any) -> bytes:
    """A package's raw text, with parts of its element in primary replaced."""
    primary, filelists, other = package(**values)
    for before, after in changes:
        assert before.encode() in primary
        primary = primary.replace(before.encode(), after.encode())
    return pack(primary, filelists, other)


PLAIN = (
    ("<packager></packager>", "<packager/><keywords/>"),
    # What follows is not in createrepo's order, so that it is not read by a single match.
)


@pytest.mark.parametrize("changes", [(), PLAIN], ids=["createrepo's", "another's"])
def test_the_columns_are_those_of_the_element(changes: tuple[tuple[str, str], ...]) -> None:
    found = row(
        *changes,
        name="nginx",
        version="1.20.1",
        release="14.el9",
        epoch="2",
        summary="A server & <proxy>",
        description='First line.\nSecond "line".',
        provides=["webserver", "config(nginx)", "nginx(x86-64)", "a name with blanks"],
        files=["/usr/sbin/nginx", "/etc/nginx & co"],
        sourcerpm="nginx-core-1.20.1-14.el9.src.rpm",
    )
    assert found == Described(
        name="nginx",
        version="2:1.20.1-14.el9",
        version_key=RpmVersions().key("2:1.20.1-14.el9"),
        architecture="x86_64",
        source_name="nginx-core",
        section="Unspecified",
        size=1000,
        sha256=found.sha256,
        location="Packages/nginx-1.20.1-14.el9.x86_64.rpm",
        summary="A server & <proxy>",
        provides="webserver config(nginx) nginx(x86-64) /usr/sbin/nginx",
        description='First line.\nSecond "line".',
    )
    assert len(found.sha256) == 64


def test_an_epoch_may_be_missing_empty_or_zero() -> None:
    for changes in ([], [('epoch="0" ', "")], [('epoch="0"', 'epoch=""')]):
        assert row(*changes).version == "1.0-1.el9"


@pytest.mark.parametrize("arch", ["src", "nosrc"])
def test_a_source_package_is_of_the_architecture_source_and_its_own_source(arch: str) -> None:
    found = row(name="hello", arch=arch, sourcerpm="")
    assert (found.architecture, found.source_name) == ("source", "hello")


def test_a_package_that_names_no_source_is_taken_for_its_own() -> None:
    assert row(sourcerpm="").source_name == "hello"


def test_another_digest_than_sha256_is_no_sha256() -> None:
    assert row(checksum="sha512").sha256 == ""


def test_characters_by_number_are_read_and_impossible_ones_stay() -> None:
    found = row(("a package", "caf&#233; &#x2764; &#0; &#xFFFFFF; &unknown;"))
    assert found.summary == "café ❤ &#0; &#xFFFFFF; &unknown;"


def test_control_characters_never_reach_a_column() -> None:
    found = row(("a package", "red\x1b[31m"), ("A package.", "bell\x07\nline"))
    assert (found.summary, found.description) == ("red\ufffd[31m", "bell\ufffd\nline")


def test_a_summary_of_several_lines_is_one_line() -> None:
    assert row(("a package", "a\n   package")).summary == "a package"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("<name>hello</name>", ""), "has an entry that cannot be used, .*it has no name"),
        (("<name>hello</name>", "<name>he llo</name>"), "its name is 'he llo'"),
        (("<name>hello</name>", "<name>../../x</name>"), "its name is"),
        (("<arch>x86_64</arch>", "<arch/>"), "hello: it has no arch"),
        (('ver="1.0"', ""), "it has no version and release"),
        (('ver="1.0"', 'ver="1 0"'), "not an RPM version"),
        (('ver="1.0"', 'ver="1é"'), "not an RPM version"),
        (('epoch="0"', 'epoch="99999999999"'), "epoch"),
        (('type="sha256"', 'type="crc32"'), "a checksum of an unknown type, 'crc32'"),
        (('type="sha256"', 'type="sha512"'), "a sha512 that is none"),
        (('package="1000"', 'package="-5"'), "a size that is no number"),
        (('href="Packages/', 'href="../'), "an unsafe location"),
        (('href="Packages/', 'xml:base="file:///etc/" href="'), "a base that is no URL"),
    ],
)
def test_what_cannot_be_used_is_an_error_naming_part_and_entry(change: tuple[str, str], message: str) -> None:
    with pytest.raises(IndexFormatError, match=message) as caught:
        row(change)
    assert caught.value.message.startswith("packages has an entry that cannot be used")


def test_an_entry_without_a_digest_is_an_error() -> None:
    with pytest.raises(IndexFormatError, match="it has no checksum"):
        row(("<checksum ", "<check "), ("</checksum>", "</check>"))


# -------------------------------------------------------------------------------------------------------- files


def test_the_file_is_fetched_from_where_the_index_says_under_the_name_that_it_must_have() -> None:
    raw = packed(name="hello", epoch="3", href="x/y%20z/Hello+World.RPM")
    (file,) = files(raw, available(describe(raw, PART)))
    assert (file.path, file.name, file.size) == ("x/y%20z/Hello+World.RPM", "hello-1.0-1.el9.x86_64.rpm", 1000)
    assert list(file.digests) == ["sha256"]


def test_a_source_package_has_its_own_ending() -> None:
    raw = packed(name="hello", arch="src", sourcerpm="")
    (file,) = files(raw, available(describe(raw, PART), "source"))
    assert file.name == "hello-1.0-1.el9.src.rpm"


def test_sha_is_sha1() -> None:
    raw = packed(checksum="sha")
    (file,) = files(raw, available(describe(raw, PART)))
    assert list(file.digests) == ["sha1"]


def test_a_package_may_be_on_another_server() -> None:
    raw = packed(('href="', 'xml:base="https://cdn.example.org/x/" href="'))
    (file,) = files(raw, available(describe(raw, PART)))
    assert file.path == "https://cdn.example.org/x/Packages/hello-1.0-1.el9.x86_64.rpm"
    assert url("https://mirror.example.org/", file.path) == file.path


@pytest.mark.parametrize(
    ("href", "base", "found"),
    [
        ("a.rpm", "", "a.rpm"),
        ("./a//b/./c.rpm", "", "a/b/c.rpm"),
        ("a.rpm", "sub/folder/", "sub/folder/a.rpm"),
        ("a b.rpm", "", "a b.rpm"),
        ("%7Ea.rpm", "", "%7Ea.rpm"),
        ("...a/..b.rpm", "", "...a/..b.rpm"),
        ("a.rpm", "http://example.org", "http://example.org/a.rpm"),
    ],
)
def test_locations_are_paths_or_urls(href: str, base: str, found: str) -> None:
    assert resolve(href, base) == found


@pytest.mark.parametrize(
    ("href", "base"),
    [
        ("", ""),
        ("/etc/passwd", ""),
        ("../a.rpm", ""),
        ("a/../../b.rpm", ""),
        ("a/..", ""),
        ("%2e%2E/a.rpm", ""),
        ("a/.%2e/b.rpm", ""),
        ("a\\b.rpm", ""),
        ("a\nb.rpm", ""),
        ("a\x1b.rpm", ""),
        ("folder/", ""),
        ("http://evil.example.org/a.rpm", ""),
        ("file:///etc/passwd", ""),
        ("a.rpm?token=1", ""),
        ("a.rpm#part", ""),
        ("a.rpm", "../up/"),
        ("a.rpm", "/abs/"),
        ("a.rpm", "ftp://example.org/"),
        ("a.rpm", "media://1234#2"),
        ("a.rpm", "https://user:word@example.org/"),
        ("a.rpm", "https:///x"),
        ("a.rpm", "https://example.org/../x"),
        ("a.rpm", "https://example.org/?x="),
        ("../a.rpm", "https://example.org/x/"),
    ],
)
def test_locations_that_are_not_safe_are_refused(href: str, base: str) -> None:
    with pytest.raises(ValueError, match=r"location|base"):
        resolve(href, base)


@pytest.mark.parametrize(
    ("path", "quoted"),
    [
        ("a+b.rpm", "a%2Bb.rpm"),
        ("a b~1.rpm", "a%20b~1.rpm"),
        ("a%2Bb.rpm", "a%2Bb.rpm"),
        ("100%.rpm", "100%25.rpm"),
        ("a^1.rpm", "a%5E1.rpm"),
        ("é.rpm", "%C3%A9.rpm"),
    ],
)
def test_urls_are_quoted_once(path: str, quoted: str) -> None:
    assert url("http://example.org/x", path) == f"http://example.org/x/{quoted}"


# ----------------------------------------------------------------------------------------------- fields and raw


def test_fields_are_what_a_person_wants_to_read() -> None:
    requires = (
        '<rpm:requires><rpm:entry name="libc" flags="GE" epoch="0" ver="2.34" rel="1"/>'
        '<rpm:entry name="sh" pre="1"/><rpm:entry name="x" flags="LT" epoch="1" ver="2"/></rpm:requires></rpm:provides>'
    )
    raw = packed(
        ("</rpm:provides>", "</rpm:provides>" + requires.removesuffix("</rpm:provides>")),
        name="nginx",
        epoch="2",
        summary="a & b\x1b",
        files=["/usr/sbin/nginx", "/etc/nginx.conf"],
    )
    primary, filelists, other = unpack(raw)
    raw = pack(primary.replace(b"\x1b", "\x9b".encode()), filelists, other)
    found = dict(fields(raw))
    assert found["version"] == "2:1.0-1.el9"
    assert found["summary"] == "a & b\ufffd"
    assert found["checksum"].startswith("sha256:")
    assert found["size"] == "package=1000, installed=2000, archive=2100"
    assert found["requires"] == "libc >= 2.34-1\nsh (pre)\nx < 1:2"
    assert found["files"] == "/usr/sbin/nginx\n/etc/nginx.conf"
    assert found["changelog"] == "Somebody <somebody@example.org> (1770000000)\n- a change"
    assert [name for name, _ in fields(raw)][:4] == ["name", "arch", "version", "checksum"]


def test_fields_of_a_package_without_filelists_are_those_of_primary() -> None:
    primary, _, _ = package()
    assert "changelog" not in dict(fields(pack(primary, b"", b"")))


@pytest.mark.parametrize(
    "parts", [(b"a", b"b", b"c"), (b"a", b"", b""), (b"a", b"", b"c"), (b"\xff", b"x" * 99999, b"")]
)
def test_what_is_packed_comes_back(parts: tuple[bytes, bytes, bytes]) -> None:
    assert unpack(pack(*parts)) == Fragments(*parts)
    assert primary_of(pack(*parts)) == parts[0]
