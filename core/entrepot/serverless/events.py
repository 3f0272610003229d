"""What a function is called with, in the shapes that services of AWS send, told apart and taken out of their envelopes.

S3 sends ``Records`` with keys that are encoded as in a form; EventBridge sends one event with the key as it is. SQS and
SNS have either, as text, in an envelope of their own. Anything else with a ``command`` is one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from entrepot.errors import UsageError

DEEPEST = 4
"""Envelopes in each other."""


@dataclass(frozen=True, slots=True)
class ObjectCreated:
    """There is a new object in a bucket."""

    bucket: str
    key: str


@dataclass(frozen=True, slots=True)
class Due:
    """It is time to look what is due."""


@dataclass(frozen=True, slots=True)
class Command:
    """Something to be done, with its values."""

    name: str
    values: Mapping[str, Any]


Item = ObjectCreated | Due | Command


@dataclass(frozen=True, slots=True)
class Message:
    """What came together under one id. ``problem`` says why it cannot be understood."""

    id: str
    items: Sequence[Item] = ()
    problem: UsageError | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """All that a function is called for at once. ``kind`` is ``command``, ``queue`` or ``event``."""

    kind: str
    messages: Sequence[Message]


def read(event: object, request: str) -> Call:
    """What an event asks for; ``UsageError`` for what is no event. ``request`` is the id of the call."""
    document = _table(event, "an event")
    records = document.get("Records")
    if isinstance(records, list) and records and all(_source(record) == "aws:sqs" for record in records):
        return Call("queue", [_queued(record) for record in records])
    items = _items(document, DEEPEST)
    kind = "command" if isinstance(document.get("command"), str) else "event"
    given = document.get("id")
    return Call(kind, [Message(given if isinstance(given, str) and given else request, items)])


def _queued(record: Mapping[str, Any]) -> Message:
    """One message of a queue. One that cannot be understood must not hold up the others."""
    message = str(record.get("messageId"))
    try:
        return Message(message, _items(_parsed(record.get("body")), DEEPEST))
    except UsageError as error:
        return Message(message, problem=error)


def _items(document: Mapping[str, Any], depth: int) -> Sequence[Item]:
    if not depth:
        raise UsageError("too many envelopes in each other")
    if isinstance(document.get("command"), str):
        values = {name: value for name, value in document.items() if name not in ("command", "id")}
        return [Command(document["command"], values)]
    if isinstance(document.get("Records"), list):
        return [item for record in document["Records"] for item in _of_record(_table(record, "a record"), depth)]
    if document.get("Event") == "s3:TestEvent":
        return []
    if document.get("Type") == "Notification":
        return _items(_parsed(document.get("Message")), depth - 1)
    source, kind = document.get("source"), document.get("detail-type")
    if source == "aws.s3":
        detail = _table(document.get("detail"), "the detail of an event")
        return [_created(detail, encoded=False)] if kind == "Object Created" else []
    if source in ("aws.events", "aws.scheduler"):
        return [Due()]
    raise UsageError("this is no event that is known, and no command", hint='a command is {"command": NAME, ...}')


def _of_record(record: Mapping[str, Any], depth: int) -> Sequence[Item]:
    source = _source(record)
    if source == "aws:s3":
        # ``ObjectCreated:Put``; in some notifications with ``s3:`` before it. Removals are nothing to do.
        name = str(record.get("eventName")).removeprefix("s3:")
        return [_created(_table(record.get("s3"), "s3"), encoded=True)] if name.startswith("ObjectCreated:") else []
    if source == "aws:sns":
        return _items(_parsed(_table(record.get("Sns"), "Sns").get("Message")), depth - 1)
    raise UsageError(f"records of {source!r} are not known", hint="S3, SQS and SNS are")


def _source(record: object) -> str:
    # SNS writes it with a capital letter.
    return str(record.get("eventSource") or record.get("EventSource")) if isinstance(record, Mapping) else ""


def _created(place: Mapping[str, Any], *, encoded: bool) -> ObjectCreated:
    bucket = _table(place.get("bucket"), "bucket").get("name")
    key = _table(place.get("object"), "object").get("key")
    if not isinstance(bucket, str) or not isinstance(key, str) or not bucket or not key:
        raise UsageError("an event of S3 names no bucket and key")
    return ObjectCreated(bucket, unquote_plus(key) if encoded else key)


def _parsed(text: object) -> Mapping[str, Any]:
    if not isinstance(text, str):
        raise UsageError("a message without a text")
    try:
        return _table(json.loads(text), "a message")
    except (ValueError, RecursionError) as error:
        raise UsageError(f"a message that is no JSON: {error}") from error


def _table(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UsageError(f"{what} is no object of JSON")
    return value
