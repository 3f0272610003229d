"""Hostile packages are refused with a message; odd ones are read; whatever comes, nothing else happens."""

from __future__ import annotations

import os
import re
import tarfile
import tempfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.errors import PackageError
from entrepot_plugins.apt.debfile import DebReader
from support.debs import ar_archive, compress, make_deb, tar_archive
from support.hostile_debs import CONTROL, FORMAT, GALLERY, LIMITS, control, data, member, plain

reader = DebReader(LIMITS)


@pytest.mark.parametrize(("content", "message"), [entry[1:] for entry in GALLERY], ids=[entry[0] for entry in GALLERY])
def test_a_hostile_package_is_refused_with_a_message(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "evil.deb"
    path.write_bytes(content)
    with pytest.raises(PackageError, match=message) as raised:
        reader.read([path], None)
    assert raised.value.message.startswith("evil.deb: ")
    assert raised.value.message.isprintable()


@pytest.mark.parametrize(
    "members",
    [
        (FORMAT, control(), data(), ("_gpgorigin", b"signature")),
        (FORMAT, ("_gpgbuilder", b"x"), control(), ("_x", b""), data()),
        (("debian-binary", b"2.1\nmore\n"), control(), data()),
        (FORMAT, control(CONTROL.replace(b"\n", b"\r\n")), data()),
        (FORMAT, control(b"\n" + CONTROL + b"\n \n"), data()),
        (FORMAT, control(), data(member("etc/x", tarfile.SYMTYPE, "/opt/x"), member("etc/xy"))),
        (FORMAT, control(), data(member("a", tarfile.LNKTYPE, "./usr/share/evil"))),
        (FORMAT, control(), data(member("dev/null", tarfile.CHRTYPE), member("run/fifo", tarfile.FIFOTYPE))),
        (FORMAT, control(), data(member("n" * 300 + "/" + "m" * 300), member("s", tarfile.SYMTYPE, "t" * 300))),
        (FORMAT, control(), ("data.tar.gz", data()[1] + compress(b"", "gz"))),
        (FORMAT, control(), data(member("latin-\udce9"))),
    ],
    ids=[
        "a signature at the end",
        "members that older programs leave out",
        "a minor version and more lines",
        "CR LF in the control file",
        "blank lines around the stanza",
        "an absolute symbolic link and a name that begins like it",
        "a hard link",
        "a device and a FIFO",
        "long names",
        "gzip of several members",
        "a name that is not UTF-8",
    ],
)
def test_what_looks_odd_but_is_a_package_is_read(tmp_path: Path, members: tuple[tuple[str, bytes], ...]) -> None:
    path = tmp_path / "odd.deb"
    path.write_bytes(ar_archive(members))
    assert reader.read([path], None).name == "evil"


def test_a_last_member_without_its_padding_is_read(tmp_path: Path) -> None:
    path = tmp_path / "odd.deb"
    path.write_bytes(ar_archive([FORMAT, control(), data(), ("_x", b"abc")])[:-1])
    assert reader.read([path], None).name == "evil"


@pytest.mark.parametrize("compression", ["gz", "xz", "zst", "bz2"])
def test_memory_does_not_grow_with_what_a_package_unpacks_to(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "large.deb"
    path.write_bytes(plain(FORMAT, control(), data(member("zeros", content=bytes(24 << 20)), compression=compression)))
    patient = DebReader()
    patient.read([make_deb(tmp_path, compression=compression if compression != "bz2" else "gz")], None)
    tracemalloc.start()
    try:
        patient.read([path], None)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20


def test_a_name_with_terminal_escapes_is_shown_without_them(tmp_path: Path) -> None:
    path = tmp_path / "\x1b[2J\nevil.deb"
    path.write_bytes(b"nothing")
    with pytest.raises(PackageError) as raised:
        reader.read([path], None)
    assert raised.value.message.startswith(r"\x1b[2J\nevil.deb: ")


def test_a_fifo_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "fifo.deb"
    os.mkfifo(path)
    with pytest.raises(PackageError, match=r"fifo\.deb: is not a regular file"):
        reader.read([path], None)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"gone\.deb: cannot be opened: No such file"):
        reader.read([tmp_path / "gone.deb"], None)


SEEDS = [
    *(plain(FORMAT, control(), data(compression=kind)) for kind in ("", "gz", "xz", "zst", "bz2", "lzma")),
    *(
        plain(FORMAT, (f"control.tar{kind}", compress(tar_archive({"control": CONTROL}), kind[1:])), data())
        for kind in ("", ".xz", ".zst")
    ),
]


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_a_mutated_package_is_read_or_refused_and_nothing_else(choices: st.DataObject) -> None:
    content = bytearray(choices.draw(st.sampled_from(SEEDS)))
    for _ in range(choices.draw(st.integers(1, 4))):
        start = choices.draw(st.integers(0, len(content)))
        end = start + choices.draw(st.integers(0, 30))
        content[start:end] = choices.draw(st.binary(max_size=30))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mutated.deb"
        path.write_bytes(content)
        try:
            info = reader.read([path], None)
        except PackageError:
            return
    assert re.fullmatch(r"[a-z0-9][A-Za-z0-9+.~:_-]+\.u?deb", info.files[0].name)
