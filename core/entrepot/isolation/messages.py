"""What command and worker say to each other: frames with their length before them.

A request is a pickle: the worker is a fork of who wrote it. An answer is JSON with a limit to its length, and is read
as strictly as a file from the network: hostile data may have taken over who wrote it. In between, a worker may ask what
only the command can look up: see ``line`` and ``clerk``.
"""

from __future__ import annotations

import json
import pickle
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

from entrepot.models import Basis, Finding, Scalar, Status, Verdict

HEAD = struct.Struct(">Q")
QUESTION = 1 << 63
"""In the length of a frame: a worker asks something, and will answer later; or what it asked is answered."""
MAX_TEXTS = 500
"""Names in one question: few questions, and no statement with too many parameters."""
TEXTS = ("reason", "message", "tool", "tool_version", "database_version")
FINDING_TEXTS = ("id", "severity", "summary", "where", "kind")


class Request(NamedTuple):
    """``scan`` or ``basis`` of one scanner. A tuple, which is pickled in a third of the time of a dataclass."""

    question: str
    scanner: str
    cases: bytes
    """Pickled already, several packages at once: several scanners are asked about each."""
    place: int
    """Of the one that is asked about among them."""
    folder: str
    memory: int
    """MiB that it may take."""
    output: int
    """KiB of its answer."""
    batch: str = ""
    """The file with the packages of the batch, and the place of this one among them (-1: it could not be read)."""
    position: int = -1


@dataclass(frozen=True, slots=True)
class Failure:
    """What a worker says where the scanner gave no verdict: a reason, a sentence, and where it happened."""

    reason: str
    message: str
    traceback: str = ""
    output: str = ""
    """The first of what it wrote to standard output and error; not part of the worker's answer."""


Answer = Verdict | Basis | Failure | None
"""None is a scanner's answer that it has no basis."""

STATUSES = tuple(status for status in Status if status is not Status.ABSENT)
"""What a scanner may say; that it is absent, others say of it."""

REASONS = frozenset(("scanner_failed", "out_of_memory", "flooded"))
"""What a worker says of itself; the command finds out about the rest."""


class BadAnswerError(ValueError):
    """An answer, or a question, is not of the form that it must have."""


class FloodError(Exception):
    """The worker says more than it may."""


def pack(requests: Sequence[Request]) -> bytes:
    """The frame of some requests: what they have in common is in it once."""
    body = pickle.dumps(requests, pickle.HIGHEST_PROTOCOL)
    return HEAD.pack(len(body)) + body


def encode(answer: Answer) -> bytes:
    """The JSON of an answer; ``TypeError`` or ``ValueError`` if it holds what JSON cannot."""
    document: dict[str, Any]
    if isinstance(answer, Verdict):
        document = {
            "verdict": {
                "status": answer.status,
                **{name: getattr(answer, name) for name in TEXTS},
                "findings": [
                    {**{name: getattr(finding, name) for name in FINDING_TEXTS}, "data": dict(finding.data)}
                    for finding in answer.findings
                ],
                "evidence": dict(answer.evidence),
            }
        }
    elif isinstance(answer, Failure):
        document = {"failure": [answer.reason, answer.message, answer.traceback]}
    else:
        document = {"basis": None if answer is None else list(answer)}
    return json.dumps(document, allow_nan=False, separators=(",", ":")).encode()


def decode(data: bytes, question: str) -> Answer:
    """The answer to a question; ``BadAnswerError`` says what is wrong with it."""
    try:
        document = json.loads(data, parse_constant=_no_number, parse_float=_no_number)
    except (ValueError, RecursionError) as error:
        raise BadAnswerError(f"it is no JSON: {error}") from None
    key, value = _only(document)
    if key == "failure":
        reason, message, traceback = _texts(value, 3)
        if reason not in REASONS:
            raise BadAnswerError(f"{reason!r} is no reason for a failure")
        return Failure(reason, message, traceback)
    if key == "basis" and question == "basis":
        return None if value is None else Basis(*_texts(value, 3))
    if key == "verdict" and question == "scan":
        return _verdict(value)
    raise BadAnswerError(f"{key!r} is no answer to {question!r}")


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no whole number")


def _only(document: Any) -> tuple[str, Any]:
    if not isinstance(document, dict) or len(document) != 1:
        raise BadAnswerError("it is not one object with one key")
    return next(iter(document.items()))


def _texts(value: Any, count: int) -> list[str]:
    if not isinstance(value, list) or len(value) != count or not all(type(text) is str for text in value):
        raise BadAnswerError(f"it is not a list of {count} texts")
    return value


def _verdict(value: Any) -> Verdict:
    fields = _object(value, "the verdict", (*TEXTS, "status", "findings", "evidence"))
    if fields["status"] not in STATUSES:
        raise BadAnswerError(f"status {fields['status']!r} is none of {', '.join(STATUSES)}")
    if not isinstance(fields["findings"], list):
        raise BadAnswerError("findings is no list")
    findings = []
    for item in fields["findings"]:
        finding = _object(item, "a finding", (*FINDING_TEXTS, "data"))
        texts = {name: _text(finding, name, "a finding's") for name in FINDING_TEXTS}
        findings.append(Finding(**texts, data=_scalars(finding["data"], "a finding's data")))
    return Verdict(
        status=Status(fields["status"]),
        findings=tuple(findings),
        evidence=_scalars(fields["evidence"], "evidence"),
        **{name: _text(fields, name, "the verdict's") for name in TEXTS},
    )


def _object(value: Any, what: str, names: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict) or value.keys() != set(names):
        raise BadAnswerError(f"{what} has not the keys {', '.join(sorted(names))}")
    return value


def _text(fields: Mapping[str, Any], name: str, whose: str) -> str:
    value = fields[name]
    if type(value) is not str:
        raise BadAnswerError(f"{whose} {name} is {type(value).__name__}, not a text")
    return value


def _scalars(value: Any, what: str) -> Mapping[str, Scalar]:
    if not isinstance(value, dict):
        raise BadAnswerError(f"{what} is no object")
    for name, item in value.items():
        if item is not None and type(item) not in (str, int, bool):
            raise BadAnswerError(
                f"{what} has a {type(item).__name__} under {name!r}: texts, whole numbers, bool and None may be"
            )
    return value
