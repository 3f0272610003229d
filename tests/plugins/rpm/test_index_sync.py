"""Syncing an RPM source: what is fetched when, and what is believed."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from entrepot.errors import DigestError, EntrepotError, IndexFormatError, MissingError, TransferError, TrustError
from support.apt_repository import Key, key_maker
from support.rpm_repository import REPOMD, Reader, Repo, later, package
from support.upstream import Fault, Upstream

HELLO = Repo([package("hello"), package("nginx", epoch="1", provides=["webserver"], files=["/usr/bin/nginx"])])


@pytest.fixture(scope="module")
def keys() -> Iterator[tuple[Key, Key]]:
    with key_maker() as make:
        yield make("Builder <builder@example.org>"), make("Other <other@example.org>")


@pytest.fixture
def up() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def reader(up: Upstream, tmp_path: Path) -> Reader:
    return Reader(up, tmp_path)


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz", ".bz2", ".zst"])
def test_a_first_read_hands_over_every_package_with_all_that_is_said_of_it(
    reader: Reader, up: Upstream, suffix: str
) -> None:
    up.files = replace(HELLO, suffix=suffix).files()
    update = reader.read()
    assert update is not None
    assert [(row.name, row.version) for row in reader.rows["packages"]] == [
        ("hello", "1.0-1.el9"),
        ("nginx", "1:1.0-1.el9"),
    ]
    assert reader.fragments == HELLO.packages
    assert {(part.key, part.kind, part.architecture, part.component) for part in update.parts} == {
        ("packages", "binary", "", "main"),
        ("sources", "source", "source", "main"),
    }


def test_source_packages_are_a_part_of_their_own(reader: Reader, up: Upstream) -> None:
    repo = Repo([package("hello", arch="src", sourcerpm=""), package("hello"), package("x", arch="nosrc")])
    up.files = repo.files()
    reader.read()
    assert [row.name for row in reader.rows["packages"]] == ["hello"]
    assert [(row.name, row.architecture) for row in reader.rows["sources"]] == [("hello", "source"), ("x", "source")]


def test_only_packages_of_the_chosen_architectures_and_of_none_are_read(reader: Reader, up: Upstream) -> None:
    architectures = ("x86_64", "i686", "noarch", "src")
    up.files = Repo([package(f"on-{name}", arch=name) for name in architectures]).files()
    reader.architectures = ["x86_64"]
    reader.read()
    assert reader.names == ["on-x86_64", "on-noarch"]
    reader.architectures = ["source"]
    reader.read()
    assert reader.names == ["on-src"]


def test_an_unchanged_source_costs_one_conditional_request(reader: Reader, up: Upstream) -> None:
    up.files = HELLO.files()
    reader.read()
    reader.state = json.loads(json.dumps(reader.state))
    up.forget()
    assert reader.read() is None
    assert [(request.path, request.status) for request in up.requests] == [(REPOMD, 304)]


def test_a_server_without_validators_is_noticed_to_be_unchanged_by_content(reader: Reader, up: Upstream) -> None:
    up.files = HELLO.files()
    up.fail(REPOMD, Fault(no_validators=True))
    reader.read()
    up.forget()
    assert reader.read() is None
    assert [(request.path, request.status) for request in up.requests] == [(REPOMD, 200)]


def test_only_what_changed_is_fetched(reader: Reader, up: Upstream) -> None:
    repo = replace(HELLO, documents={"updateinfo": b"<updates/>"})
    up.files = repo.files()
    reader.read()
    up.forget()
    advisory = b"<updates><update><id>A-1</id><pkglist/></update></updates>"
    up.files = later(repo, documents={"updateinfo": advisory}).files()
    reader.read()
    assert len(up.requests) == 2
    assert "updateinfo" in up.last().path
    assert [extra.name for extra in reader.extras["updateinfo"]] == ["A-1"]
    assert reader.names == ["hello", "nginx"]


def test_packages_that_another_compression_lists_are_not_read_again(reader: Reader, up: Upstream) -> None:
    up.files = HELLO.files()
    reader.read()
    up.forget()
    up.files = later(HELLO, suffix=".zst").files()
    assert reader.read() is not None
    assert up.count() == 1


def test_other_options_of_the_source_read_it_again(reader: Reader, up: Upstream) -> None:
    up.files = HELLO.files()
    reader.read()
    reader.architectures = ["aarch64"]
    assert reader.read() is not None
    assert reader.names == []


def test_force_reads_everything_again(reader: Reader, up: Upstream) -> None:
    up.files = HELLO.files()
    reader.read()
    up.forget()
    assert reader.read(force=True) is not None
    assert up.count() == 4


def test_filelists_and_other_may_be_missing(reader: Reader, up: Upstream) -> None:
    up.files = replace(HELLO, documents={"filelists": None, "other": None}).files()
    update = reader.read()
    assert update is not None
    assert [len(text) for text in update.warnings] != []
    assert [(item.filelists, item.other) for item in reader.fragments] == [(b"", b""), (b"", b"")]


def test_packages_get_their_filelists_once_the_repository_has_them(reader: Reader, up: Upstream) -> None:
    up.files = replace(HELLO, documents={"filelists": None}).files()
    reader.read()
    up.files = later(HELLO).files()
    reader.read()
    assert [item.filelists for item in reader.fragments] == [item.filelists for item in HELLO.packages]


def test_a_repository_without_primary_is_an_error(reader: Reader, up: Upstream) -> None:
    up.files = replace(HELLO, documents={"primary": None}).files()
    with pytest.raises(IndexFormatError, match="lists no primary, and so no packages: it lists filelists, other"):
        reader.read()


def test_sizes_and_open_checksums_may_be_missing(reader: Reader, up: Upstream) -> None:
    nothing = {"size": None, "open-size": None, "open-checksum": None, "timestamp": None}
    up.files = replace(HELLO, record=dict.fromkeys(("primary", "filelists", "other"), nothing)).files()
    reader.read()
    assert reader.names == ["hello", "nginx"]


def test_digests_of_sha1_alone_are_refused_unless_the_source_allows_them(reader: Reader, up: Upstream) -> None:
    up.files = replace(HELLO, checksum="sha").files()
    with pytest.raises(TrustError, match="only MD5 or SHA-1 digests of primary"):
        reader.read()
    reader.options = {"allow_weak": True}
    reader.read()
    assert reader.names == ["hello", "nginx"]


# ------------------------------------------------------------------------------------------------- what is wrong


def path_of(up: Upstream, kind: str) -> str:
    return next(path for path in up.files if f"-{kind}." in path)


def test_a_file_that_is_not_what_repomd_says_is_an_error(reader: Reader, up: Upstream) -> None:
    up.files = HELLO.files()
    up.files[path_of(up, "primary")] = gzip.compress(b"something else")
    with pytest.raises(DigestError):
        reader.read()


def test_a_content_that_is_not_what_repomd_says_is_an_error(reader: Reader, up: Upstream) -> None:
    up.files = replace(HELLO, record={"primary": {"open-checksum": "0" * 64}}).files()
    with pytest.raises(DigestError, match=r"is not what repomd\.xml says when decompressed"):
        reader.read()


def test_a_file_that_no_mirror_has_is_an_error_if_it_is_primary(reader: Reader, up: Upstream) -> None:
    up.files = HELLO.files()
    del up.files[path_of(up, "primary")]
    with pytest.raises(MissingError, match=r"lacks repodata/.*primary"):
        reader.read()


def test_any_other_file_that_no_mirror_has_is_gone_without_and_looked_for_again(reader: Reader, up: Upstream) -> None:
    repo = replace(HELLO, documents={"updateinfo": b"<updates/>"})
    up.files = repo.files()
    whole = dict(up.files)
    del up.files[path_of(up, "filelists")]
    del up.files[path_of(up, "updateinfo")]
    update = reader.read()
    assert update is not None
    assert len(update.warnings) == 2
    assert reader.extras == {}
    assert [item.filelists for item in reader.fragments] == [b"", b""]
    up.files = whole
    reader.read()
    assert reader.extras == {"updateinfo": []}
    assert [item.filelists for item in reader.fragments] == [item.filelists for item in HELLO.packages]
    assert reader.read() is None


def test_a_repository_that_changes_while_it_is_read_is_read_again(reader: Reader, up: Upstream) -> None:
    new = later(HELLO, packages=[package("hello", "2.0")])
    up.files = new.files() | {REPOMD: HELLO.repomd()}
    up.fail(REPOMD, Fault(times=1, content=HELLO.repomd()), Fault(content=new.repomd()))
    reader.read()
    assert [row.version for row in reader.rows["packages"]] == ["2.0-1.el9"]


def test_a_bomb_is_stopped(reader: Reader, up: Upstream) -> None:
    bomb = b'<?xml version="1.0"?>\n<metadata packages="1">' + b" " * 80_000_000
    up.files = replace(HELLO, documents={"primary": bomb}, record={"primary": {"open-size": None}}).files()
    with pytest.raises(IndexFormatError, match="larger than the 67108864 bytes"):
        reader.read()


def test_a_size_that_lies_is_an_error(reader: Reader, up: Upstream) -> None:
    up.files = replace(HELLO, record={"primary": {"open-size": "20"}}).files()
    with pytest.raises(IndexFormatError, match="larger than the 20 bytes"):
        reader.read()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<!DOCTYPE html><html><body>Please log in</body></html>", "its root is <html>"),
        (b"<repomd><data", "malformed"),
        (b"", "malformed"),
        (b"not XML at all", "malformed"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><repomd><data type="primary"/></repomd>', "declares entities"),
        (b'<repomd><data type="primary"/></repomd>', "has a record that cannot be used, 'primary': it has no location"),
        (
            b'<repomd><data type="x"><location href="a"/><checksum type="crc">1</checksum></data></repomd>',
            "unknown type",
        ),
        (
            b'<repomd><data type="x"><location href="../a"/><checksum type="md5">%b</checksum></data></repomd>'
            % (b"0" * 32),
            "unsafe location",
        ),
    ],
)
def test_what_is_no_repomd_is_an_error_that_says_so(reader: Reader, up: Upstream, content: bytes, message: str) -> None:
    up.files = {REPOMD: content}
    with pytest.raises(IndexFormatError, match=message) as caught:
        reader.read()
    assert "repomd.xml of upstream" in caught.value.message


def test_a_url_without_a_repository_says_what_it_should_be(reader: Reader, up: Upstream) -> None:
    with pytest.raises(MissingError, match=r"has no repodata/repomd\.xml") as caught:
        reader.read()
    assert "the folder that repodata is in" in caught.value.hint


def test_zchunk_files_are_not_taken_for_something_else(reader: Reader, up: Upstream) -> None:
    up.files = replace(HELLO, suffix="", documents={"primary": b"\0ZCK1" + bytes(100)}).files()
    with pytest.raises(IndexFormatError, match="zchunk"):
        reader.read()


# ---------------------------------------------------------------------------------------------------- what is trusted


def test_a_signed_repomd_says_who_signed(reader: Reader, up: Upstream, keys: tuple[Key, Key]) -> None:
    reader.key, reader.options = keys[0], {"repo_gpgcheck": True}
    up.files = HELLO.files(keys[0])
    update = reader.read()
    assert update is not None
    assert {part.signed_by for part in update.parts} == {keys[0].fingerprint}


def test_a_repomd_without_a_signature_is_refused_where_one_is_asked_for(
    reader: Reader, up: Upstream, keys: tuple[Key, Key]
) -> None:
    reader.key, reader.options = keys[0], {"repo_gpgcheck": True}
    up.files = HELLO.files()
    with pytest.raises(TrustError, match=r"is not signed: there is no repomd\.xml\.asc"):
        reader.read()


def test_a_signature_by_another_key_or_of_another_text_is_refused(
    reader: Reader, up: Upstream, keys: tuple[Key, Key]
) -> None:
    reader.key, reader.options = keys[0], {"repo_gpgcheck": True}
    up.files = HELLO.files(keys[1])
    with pytest.raises(TrustError, match="not in the source's keyring"):
        reader.read()
    up.files = HELLO.files(keys[0]) | {REPOMD: later(HELLO).repomd()}
    with pytest.raises(TrustError, match="bad signature"):
        reader.read()


def test_without_repo_gpgcheck_nobody_asks_for_a_signature(reader: Reader, up: Upstream, keys: tuple[Key, Key]) -> None:
    reader.key = keys[0]
    up.files = HELLO.files()
    update = reader.read()
    assert update is not None
    assert update.parts[0].signed_by is None
    assert up.count(f"{REPOMD}.asc") == 0


@pytest.mark.parametrize("older", [{"time": 1_600_000_000}, {"revision": "5"}])
def test_a_repository_that_went_back_in_time_is_refused_unless_the_source_allows_it(
    reader: Reader, up: Upstream, older: dict[str, Any]
) -> None:
    up.files = HELLO.files()
    reader.read()
    up.files = replace(HELLO, packages=[package("old")], **older).files()
    with pytest.raises(TrustError, match="went back in time"):
        reader.read()
    reader.options = {"allow_stale": True}
    reader.read()
    assert reader.names == ["old"]


def test_a_revision_that_is_no_number_says_nothing_of_time(reader: Reader, up: Upstream) -> None:
    up.files = replace(HELLO, revision="9.4-beta").files()
    reader.read()
    up.files = replace(HELLO, revision="9.3", time=HELLO.time + 1).files()
    assert reader.read() is not None


# ------------------------------------------------------------------------------------------------------- extras


def test_unknown_files_are_kept_as_they_are_and_other_forms_of_known_ones_are_not(reader: Reader, up: Upstream) -> None:
    kinds = ("productid", "appstream", "primary_db", "other_zck", "updateinfo_zck", "filelists-ext")
    up.files = replace(HELLO, documents={kind: kind.encode() for kind in kinds}).files()
    reader.read()
    assert {key: (found[0].kind, gzip.decompress(found[0].raw)) for key, found in reader.extras.items()} == {
        "productid": ("file:productid", b"productid"),
        "appstream": ("file:appstream", b"appstream"),
    }
    assert reader.extras["productid"][0].data["name"].endswith("-productid.xml.gz")


def test_of_a_file_in_several_compressions_one_is_read(reader: Reader, up: Upstream) -> None:
    comps = b"<comps><group><id>core</id><name>Core</name><packagelist/></group></comps>"
    up.files = replace(HELLO, documents={"group": comps, "group_gz": comps}).files()
    reader.read()
    assert {key: [extra.name for extra in found] for key, found in reader.extras.items()} == {"group": ["core"]}
    up.files = later(HELLO, documents={"group_gz": comps}).files()
    reader.read()
    assert {key: [extra.name for extra in found] for key, found in reader.extras.items()} == {"group_gz": ["core"]}


def test_a_file_that_is_too_large_to_be_kept_is_left_out_and_told(reader: Reader, up: Upstream) -> None:
    record = {"appstream": {"size": str(40 << 20)}}
    up.files = replace(HELLO, documents={"appstream": b"x"}, record=record).files()
    update = reader.read()
    assert update is not None
    assert "appstream is left out" in update.warnings[0]


def test_an_error_never_leaves_a_state_behind(reader: Reader, up: Upstream) -> None:
    up.files = HELLO.files()
    reader.read()
    before = reader.state
    up.fail(REPOMD, Fault(status=500))
    with pytest.raises(TransferError):
        reader.read()
    up.fail(REPOMD, Fault(content=b"<html/>"))
    with pytest.raises(EntrepotError):
        reader.read()
    assert reader.state is before
