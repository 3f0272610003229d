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
    "SHA512": ["2"],
    "Tag": ["a::b,\n c::d", "x\n Version: 9"],
    "# Version": ["9"],
    "Multi-Arch": ["same"],
}


@st.composite
def stanzas(draw: st.DrawFn) -> bytes:
    """What every package has, in any order, with up to three things that are not as usual."""
    fields = [(name, " ", FIELDS[name][0]) for name in draw(st.permutations(sorted(FIELDS)))]
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(fields) - 1))
        name, blank, value = fields[at]
        match draw(st.sampled_from(("value", "value", "value", "missing", "twice", "capitals", "crowded"))):
            case "value":
                fields[at] = name, blank, draw(st.sampled_from(FIELDS.get(name, [value])))
            case "missing":
                del fields[at]
            case "twice":
                fields.append((name, blank, draw(st.sampled_from(FIELDS.get(name, [value])))))
            case "capitals":
                fields[at] = draw(st.sampled_from((name.lower(), name.upper()))), blank, value
            case "crowded":
                fields[at] = name, "", value
    return "\n".join(f"{name}:{blank}{value}" for name, blank, value in fields).encode()


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
