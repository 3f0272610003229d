"""Licences out of copyright files, and who maintains a package."""

from __future__ import annotations

from pathlib import Path

import pytest

from entrepot_plugins.apt.copyright import LONGEST_EXPRESSION, licence_expression
from entrepot_plugins.apt.debfile import DebReader
from support.debs import MAINTAINER, make_deb, make_source

FORMAT = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"
reader = DebReader()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("Nobody's.\n", ""),
        ("It is under the GPL.\nLicense: GPL\n", ""),
        (FORMAT, ""),
        (f"{FORMAT}\nFiles: *\nLicense: MIT\n The text.\n", "MIT"),
        (
            f"{FORMAT}\nFiles: *\nLicense: GPL-2+\n\nFiles: x\nlicense:  MIT \n\nLicense: GPL-2+\n text\n",
            "GPL-2+ and MIT",
        ),
        (f"{FORMAT}License: GPL-2+ or MIT\n\nFiles: *\nLicense: BSD\n", "(GPL-2+ or MIT) and BSD"),
        (f"{FORMAT}\nFiles: *\nLicense: GPL-2+ or MIT\n", "GPL-2+ or MIT"),
        (f"{FORMAT}\r\nFiles: *\r\nLicense: MIT\r\n", "MIT"),
        (f"\n{FORMAT}\nFiles: *\nLicense:\n no name\n", ""),
        (f"Upstream-Name: x\n{FORMAT}\nFiles: *\nLicense: MIT\n", "MIT"),
        ("Format-Specification: http://dep.debian.net/deps/dep5/\n\nFiles: *\nLicense: MIT\n", "MIT"),
        (f"Comment: none\n\n{FORMAT}License: MIT\n", ""),
    ],
)
def test_the_distinct_short_names_of_a_machine_readable_file_are_an_expression(text: str, expected: str) -> None:
    assert licence_expression(text.encode()) == expected


def test_an_expression_has_an_end() -> None:
    text = FORMAT + "".join(f"\nFiles: {number}\nLicense: licence-{number}\n" for number in range(10_000))
    found = licence_expression(text.encode())
    assert found.startswith("licence-0 and licence-1 and ")
    assert found.endswith(" and others")
    assert len(found) <= LONGEST_EXPRESSION


@pytest.mark.parametrize("compression", ["", "gz", "xz", "zst"])
def test_a_package_says_its_licence_and_who_maintains_it(tmp_path: Path, compression: str) -> None:
    files = {"usr/share/doc/hello/copyright": f"{FORMAT}\nFiles: *\nLicense: MIT\n".encode(), "usr/bin/x": b"x"}
    info = reader.read([make_deb(tmp_path, files=files, compression=compression)], None)
    assert (info.licence, info.maintainer) == ("MIT", MAINTAINER)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"usr/share/doc/other/copyright": f"{FORMAT}\nLicense: MIT\n".encode()},
        {"usr/share/doc/hello/copyright": f"{FORMAT}\nLicense: MIT\n".encode() + b"x" * (1 << 20)},
        {"usr/share/doc/hello/copyright": b"\xff\xfe\x00"},
    ],
    ids=["no file", "another package's file", "a huge file", "no text"],
)
def test_without_a_file_that_can_be_read_there_is_no_licence(tmp_path: Path, files: dict[str, bytes]) -> None:
    assert reader.read([make_deb(tmp_path, files=files)], None).licence == ""


def test_a_source_package_says_who_maintains_it(tmp_path: Path) -> None:
    info = reader.read(make_source(tmp_path), None)
    assert (info.licence, info.maintainer) == ("", MAINTAINER)
