"""The quick way through a stanza and the careful one say the same of everything that the quick one takes."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entrepot.errors import IndexFormatError
from entrepot.models import Described, IndexPart
from entrepot_plugins.apt import entry

PART = IndexPart("main/binary-amd64/Packages", "", "stable", "main", "amd64", "binary", None)
NEVER = re.compile(b"(?!)")
FIELDS = {
    "Package": ["hello", "libc6", "a b", ""],
    "Version": ["1.0-1", "1:2~rc1", "1-", "1/2", " 2.0 ", "2\u00e9"],
    "Architecture": ["amd64", "all", "-"],
    "Size": ["12", "x", "99999999999999999999"],
    "SHA256": ["0" * 64, "A" * 64, "0"],
    "Filename": ["pool/a_1.deb", "./a_1.deb", "../a", "/a", "a b.deb"],
    "Source": ["hello", "hello (1.2)", "a  b"],
    "Section": ["libs", "non-free/libs", "Section Of"],
    "Description": ["short", "short \n long\n .\n more", " spaced ", "caf\u00e9\x07"],
    "Provides": ["a, b (= 1)", "a,\n b", "", "x |"],
    "Description-md5": ["0"],
    "Package-Type": ["deb"],
    "SHA1": ["1"],
    "sha512": ["2"],
    "Tag": ["a::b,\n c::d", "x\n Version: 9"],
    "# Version": ["9"],
    "Multi-Arch": ["same"],
}


@st.composite
def stanzas(draw: st.DrawFn) -> bytes:
    """Mostly what every package has; sometimes without a field, with one twice, in other capitals or crowded."""
    names = draw(st.permutations(sorted(FIELDS)))
    names = [name for name in names if draw(st.integers(0, 30))]
    names += draw(st.lists(st.sampled_from(sorted(FIELDS)), max_size=1))
    lines = []
    for name in names:
        value = draw(st.sampled_from(FIELDS[name])) if not draw(st.integers(0, 5)) else FIELDS[name][0]
        spelled = draw(st.sampled_from((name.lower(), name.upper()))) if not draw(st.integers(0, 30)) else name
        lines.append(f"{spelled}:{'' if not draw(st.integers(0, 30)) else ' '}{value}")
    return "\n".join(lines).encode()


def described(raw: bytes) -> Described | str:
    """What is said of a stanza, or why it is refused."""
    try:
        return entry.describe(raw, PART)
    except IndexFormatError as error:
        return str(error)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stanzas())
def test_the_quick_way_says_what_the_careful_one_says(monkeypatch: pytest.MonkeyPatch, raw: bytes) -> None:
    quick = described(raw)
    with monkeypatch.context() as patch:
        patch.setattr(entry, "_USUAL", NEVER)
        assert quick == described(raw)


@pytest.mark.parametrize(
    "change",
    [
        b"",
        b"\nX-Field: x",
        b"\nPre-Depends: libc6",
        b"\nSHA512: 00",
        b"\n continued",
        b"\nTag: a::b,\n c::d",
    ],
)
def test_ordinary_stanzas_take_the_quick_way(change: bytes) -> None:
    raw = "\n".join(f"{name}: {FIELDS[name][0]}" for name in ("Package", "Version", "Architecture", "Description"))
    raw += "\n" + "\n".join(f"{name}: {FIELDS[name][0]}" for name in ("Filename", "Size", "SHA256"))
    assert entry._USUAL.fullmatch(raw.encode() + change + b"\n")


def test_a_stanza_of_a_million_lines_is_described() -> None:
    raw = "\n".join(f"{name}: {values[0]}" for name, values in FIELDS.items()).encode() + b"\nX: y" * 1_000_000
    assert entry.describe(raw, PART).name == "hello"
