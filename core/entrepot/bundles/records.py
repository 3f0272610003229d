"""What stands in the members of a bundle that have text: one JSON object a line, bytes in base64."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from entrepot.advisories import Advisory, Affected, Fact
from entrepot.errors import BundleError
from entrepot.models import Extra, PackageFile, PackageRef, Sha256

LONGEST_LINE = 256 << 20
"""Bytes of one record: an installer's index, a group of packages."""

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """A package's text in an index, and what the sender's scanners said of it."""

    digest: str
    raw: bytes
    verdicts: Sequence[Mapping[str, Any]]


def line_of(document: Mapping[str, Any]) -> bytes:
    """A record as a line."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode() + b"\n"


def row_json(row: Row) -> Document:
    """A row as it is written."""
    return {"row": row.digest, "text": _packed(row.raw), "verdicts": [dict(verdict) for verdict in row.verdicts]}


def extra_json(extra: Extra) -> Document:
    """An extra as it is written."""
    return {
        "kind": extra.kind,
        "name": extra.name,
        "title": extra.title,
        "data": dict(extra.data),
        "text": _packed(extra.raw),
        "packages": [[ref.name, ref.version, ref.architecture] for ref in extra.packages],
        "files": [[file.name, file.size, file.sha256] for file in extra.files],
    }


def advisory_json(digest: bytes, advisory: Advisory) -> Document:
    """An advisory as it is written."""
    affected = [
        {
            name: value.hex() if isinstance(value, bytes) else value
            for name, value in item._asdict().items()
            if value not in ("", b"", None)
        }
        for item in advisory.affected
    ]
    values = {name: value for name, value in advisory._asdict().items() if name != "affected"}
    return {"digest": digest.hex(), **values, "affected": affected}


def fact_json(fact: Fact) -> Document:
    """A fact as it is written."""
    return {"vulnerability": fact.vulnerability, "fact": fact.kind, "value": fact.value}


def facts_digest(facts: Iterable[Fact]) -> str:
    """The sha256 of facts in their order; empty if there are none."""
    state, known = hashlib.sha256(), False
    for fact in facts:
        state.update(line_of(fact_json(fact)))
        known = True
    return state.hexdigest() if known else ""


# --------------------------------------------------------------------------------------------------------- reading


def documents(path: Path, where: str, start: int = 0) -> Iterator[Document]:
    """The records of a member from a place on; as ``placed``."""
    return (document for _, document in placed(path, where, start))


def placed(path: Path, where: str, start: int = 0) -> Iterator[tuple[int, Document]]:
    """The records of a member, each with the place where it begins.

    ``BundleError`` names the member as ``where``, and the place, for what is none.
    """
    with path.open("rb") as file:
        place = file.seek(start)
        while line := file.readline(LONGEST_LINE):
            try:
                found = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise BundleError(f"{where}: no record begins at byte {place}: {error}", member=where) from error
            if not isinstance(found, dict) or not line.endswith(b"\n"):
                raise BundleError(f"{where}: no record begins at byte {place}", member=where)
            yield place, found
            place += len(line)


def read_row(document: Document, where: str) -> Row:
    """The opposite of ``row_json``."""
    try:
        verdicts = [
            {str(key): value for key, value in item.items() if isinstance(value, str | list)}
            for item in document["verdicts"]
        ]
        return Row(_text(document["row"]), _unpacked(document["text"]), verdicts)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise _bad(where, "package", error) from error


def read_extra(document: Document, where: str) -> Extra:
    """The opposite of ``extra_json``."""
    try:
        if not isinstance(document["data"], dict):
            raise TypeError("its data is no object")
        return Extra(
            kind=_text(document["kind"]),
            name=_text(document["name"]),
            title=_text(document["title"]),
            data=document["data"],
            raw=_unpacked(document["text"]),
            packages=tuple(PackageRef(*map(_text, ref)) for ref in document["packages"]),
            files=tuple(
                PackageFile(_text(name), int(size), Sha256(_text(sha))) for name, size, sha in document["files"]
            ),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _bad(where, "extra", error) from error


def read_advisory(document: Document, where: str) -> tuple[bytes, Advisory]:
    """The opposite of ``advisory_json``: its digest, and what it says."""
    try:
        values = dict(document)
        digest = bytes.fromhex(values.pop("digest"))
        affected = tuple(map(_affected, values.pop("affected")))
        for name in ("vulnerabilities", "aliases"):
            values[name] = tuple(map(_text, values[name]))
        score = values.pop("score")
        if score is not None and not isinstance(score, int | float):
            raise TypeError("its score is no number")
        # What is no field of an advisory, or lacks, is a TypeError.
        said: Document = {name: value if isinstance(value, tuple) else _text(value) for name, value in values.items()}
        return digest, Advisory(**said, score=score, affected=affected)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise _bad(where, "advisory", error) from error


def read_fact(document: Document, where: str) -> Fact:
    """The opposite of ``fact_json``."""
    try:
        return Fact(*(_text(document[key]) for key in ("vulnerability", "fact", "value")))
    except (KeyError, TypeError) as error:
        raise _bad(where, "fact", error) from error


def _affected(document: Document) -> Affected:
    values: Document = {name: _text(value) for name, value in document.items()}
    for name in ("introduced_key", "end_key"):
        if name in values:
            values[name] = bytes.fromhex(values[name])
    return Affected(**values)


def _bad(where: str, what: str, error: Exception) -> BundleError:
    return BundleError(f"{where} has {what} that is none: {type(error).__name__}: {error}", member=where)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{str(value)[:50]!a} is no text")
    return value


def _packed(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _unpacked(text: object) -> bytes:
    try:
        return base64.b64decode(_text(text), validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
