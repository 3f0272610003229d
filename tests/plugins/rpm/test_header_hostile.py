"""Hostile packages are refused with a message; odd ones are read; whatever comes, nothing else happens."""

from __future__ import annotations

import contextlib
import stat
import tempfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.errors import PackageError
from entrepot_plugins.rpm.header import RpmReader
from entrepot_plugins.rpm.structure import parse_header, read_parts
from entrepot_plugins.rpm.tags import SigTag, Tag, Type
from entrepot_plugins.rpm.writing import Value, compose_header
from support.corpus import corpus_files
from support.hostile_rpms import DIGESTS, FILE, GALLERY, LIMITS, PLAIN, START, TRAILER, cpio, file, header, whole
from support.rpms import Member, assemble, cpio_archive, make_rpm, texts

reader = RpmReader(LIMITS)


@pytest.mark.parametrize(("content", "message"), [entry[1:] for entry in GALLERY], ids=[entry[0] for entry in GALLERY])
def test_a_hostile_package_is_refused_with_a_message(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], content: bytes, message: str
) -> None:
    path = tmp_path / "evil.rpm"
    path.write_bytes(content)
    with pytest.raises(PackageError, match=message) as raised:
        reader.read([path], None)
    assert raised.value.message.startswith("evil.rpm: ")
    assert raised.value.message.isprintable()
    assert capfd.readouterr() == ("", "")


LINK = Member("/usr/bin/link", b"/opt/x", stat.S_IFLNK | 0o777)
FOLDER = Member("/usr/share/folder", b"", stat.S_IFDIR | 0o755)
ROOT = Member("/", b"", stat.S_IFDIR | 0o755)


@pytest.mark.parametrize(
    "content",
    [
        whole(),
        whole(members=[LINK, FOLDER]),
        whole(members=[ROOT]),
        whole(members=[]),
        cpio(TRAILER),
        cpio(file(b"/usr/share/evil"), TRAILER),
        cpio(file(b"usr/share/evil"), TRAILER),
        cpio(file(b"./usr/share/evil"), TRAILER, bytes(300)),
        cpio(file(b"./usr/share/evil", b""), TRAILER),
        whole(members=[Member("/usr/share/bl\xe4tter")]),
        whole(texts(Tag.PAYLOADCOMPRESSOR)),
        assemble(header(), cpio_archive([FILE]), compression=""),
        whole(signature=[Value(tag, Type.BIN, b"") for tag in (*DIGESTS, SigTag.SIZE)]),
        whole(texts(Tag.SUMMARY, "clear \x1b[2J"), texts(Tag.DESCRIPTION, b"latin-1 \xe4 and \x01")),
        whole(texts(Tag.SUMMARY, "one", "\xfcbers")),
    ],
    ids=[
        "nothing odd",
        "a link and a folder",
        "the root folder",
        "no files",
        "files that the payload does not have",
        "full paths",
        "names as rpm 3 had them",
        "a filled block",
        "an empty file where the header has one with content",
        "a name that is not ASCII",
        "no compressor",
        "no compression",
        "no digests in the signature header",
        "control characters in texts",
        "a translation",
    ],
)
def test_what_looks_odd_but_is_a_package_is_read(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.rpm"
    path.write_bytes(content)
    assert reader.read([path], None).name == "evil"


def test_a_header_without_a_region_is_read_as_rpm_3_wrote_it() -> None:
    blob = compose_header(Tag.REGION, [texts(Tag.NAME, "old")])
    bare = blob[:8] + (1).to_bytes(4, "big") + (4).to_bytes(4, "big") + blob[32:48] + b"old\0"
    assert parse_header(bare, Tag.REGION, "header").text(Tag.NAME) == "old"


def test_a_region_of_a_signature_header_may_end_as_rpm_4_0_ended_it() -> None:
    blob = compose_header(SigTag.REGION, [texts(SigTag.SHA1, "0")])
    old = blob[:-16] + (61).to_bytes(4, "big") + blob[-12:]
    assert parse_header(old, SigTag.REGION, "signature header").text(SigTag.SHA1) == "0"


@pytest.mark.parametrize("compression", ["gzip", "xz", "zstd", "bzip2", "lzma"])
def test_memory_does_not_grow_with_what_a_package_unpacks_to(tmp_path: Path, compression: str) -> None:
    patient = RpmReader()
    patient.read([make_rpm(tmp_path, compression=compression)], None)
    path = make_rpm(tmp_path, "large", files={"/zeros": bytes(8 << 20)}, compression=compression)
    tracemalloc.start()
    try:
        patient.read([path], None)
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()


def test_a_file_of_another_name_or_kind_is_refused(tmp_path: Path) -> None:
    path = make_rpm(tmp_path)
    for wrong in ([path.rename(tmp_path / "hello.deb")], [tmp_path / "missing.rpm"], [tmp_path]):
        with pytest.raises(PackageError):
            reader.read(wrong, None)
    with pytest.raises(PackageError, match="is one file, not 2"):
        reader.read([tmp_path / "a.rpm", tmp_path / "b.rpm"], None)


# Of real packages, too, when they are here; a package without digests, so that changes get further than to them.
SEEDS = [
    PLAIN,
    whole(signature=[Value(tag, Type.BIN, b"") for tag in (*DIGESTS, SigTag.SIZE)]),
    *(path.read_bytes() for path in corpus_files("rpm/rpm-rs", ".rpm")[::4]),
]


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=4)), min_size=1, max_size=4),
    st.floats(0.3, 1),
)
def test_whatever_is_changed_in_a_package_it_is_read_or_refused(
    seed: bytes, changes: list[tuple[float, bytes]], length: float
) -> None:
    content = bytearray(seed)
    for place, new in changes:
        at = int(place * (len(content) - len(new)))
        content[at : at + len(new)] = new
    read_or_refuse(bytes(content[: int(len(content) * length)] if length < 0.5 else content))


KINDS = st.sampled_from(Type)
ENTRIES = st.tuples(st.sampled_from([*Tag]), KINDS, st.integers(1, 3), st.binary(min_size=24, max_size=40))


@settings(max_examples=100, deadline=None)
@given(st.lists(ENTRIES, max_size=4, unique_by=lambda entry: entry[0]))
def test_whatever_types_and_values_tags_have_a_package_is_read_or_refused(
    entries: list[tuple[Tag, Type, int, bytes]],
) -> None:
    read_or_refuse(whole(*(value(*entry) for entry in entries if entry[0] is not Tag.REGION)))


def value(tag: Tag, kind: Type, count: int, data: bytes) -> Value:
    if kind in (Type.STRING, Type.STRING_ARRAY, Type.I18NSTRING):
        found = data.replace(b"\0", b"0")
        return Value(tag, kind, [found[number::count] for number in range(1 if kind is Type.STRING else count)])
    if kind is Type.BIN:
        return Value(tag, kind, data)
    width = {Type.INT16: 2, Type.INT32: 4, Type.INT64: 8}.get(kind, 1)
    return Value(tag, kind, [int.from_bytes(data[at * width : (at + 1) * width], "big") for at in range(count)])


def read_or_refuse(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "some.rpm"
        path.write_bytes(content)
        with contextlib.suppress(PackageError):
            assert reader.read([path], None).files[0].size == len(content)


def test_a_file_that_shrinks_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = make_rpm(tmp_path)
    path.write_bytes(path.read_bytes()[: START + 20])
    with path.open("rb") as opened, pytest.raises(PackageError, match="header is cut short"):
        read_parts(opened, 1 << 20, "some.rpm", LIMITS)
