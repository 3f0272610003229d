"""What calls of a function ask for, by the shapes in which services send it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from entrepot.errors import UsageError
from entrepot.serverless.commands import FORMS, checked
from entrepot.serverless.events import Command, Due, ObjectCreated, read
from entrepot.services.requests import KINDS
from support.function_events import eventbridge_object, queue_event, s3_event, scheduled_event, sns_event

TAKEN = ObjectCreated("uploads", "incoming/apt/stable/a b+c_1~1.deb")


@pytest.mark.parametrize(
    ("event", "kind", "items"),
    [
        (s3_event("uploads", TAKEN.key), "event", [TAKEN]),
        (s3_event("uploads", TAKEN.key, name="s3:ObjectCreated:CompleteMultipartUpload"), "event", [TAKEN]),
        (s3_event("uploads", TAKEN.key, name="ObjectRemoved:Delete"), "event", []),
        (eventbridge_object("uploads", TAKEN.key), "event", [TAKEN]),
        (eventbridge_object("uploads", TAKEN.key) | {"detail-type": "Object Deleted"}, "event", []),
        (queue_event(s3_event("uploads", TAKEN.key)), "queue", [TAKEN]),
        (queue_event(eventbridge_object("uploads", TAKEN.key)), "queue", [TAKEN]),
        (sns_event(s3_event("uploads", TAKEN.key)), "event", [TAKEN]),
        (queue_event({"Type": "Notification", "Message": json.dumps(s3_event("uploads", "x"))}), "queue", None),
        (queue_event({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "uploads"}), "queue", []),
        (scheduled_event(), "event", [Due()]),
        ({"command": "sync", "source": "up", "id": "x"}, "command", [Command("sync", {"source": "up"})]),
        (queue_event({"command": "gc"}), "queue", [Command("gc", {})]),
    ],
)
def test_every_envelope_is_opened(event: dict[str, Any], kind: str, items: list[Any] | None) -> None:
    call = read(event, "request-1")
    assert call.kind == kind
    assert list(call.messages[0].items) == ([ObjectCreated("uploads", "x")] if items is None else items)


def test_keys_are_decoded_once_and_only_where_they_are_encoded() -> None:
    assert read(s3_event("b", "100%25 é"), "").messages[0].items == [ObjectCreated("b", "100%25 é")]
    assert read(eventbridge_object("b", "a+b%20c"), "").messages[0].items == [ObjectCreated("b", "a+b%20c")]


def test_an_event_goes_by_its_own_id_and_a_command_without_one_by_that_of_the_request() -> None:
    assert read(scheduled_event(), "r").messages[0].id == scheduled_event()["id"]
    assert read({"command": "gc"}, "r").messages[0].id == "r"
    assert read({"command": "gc", "id": "mine"}, "r").messages[0].id == "mine"
    assert [message.id for message in read(queue_event({"command": "gc"}, {"command": "gc"}), "r").messages] == [
        "message-1",
        "message-2",
    ]


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        "text",
        {},
        {"Records": [1]},
        {"Records": [{"eventSource": "aws:dynamodb"}]},
        {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}]},
        {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {"bucket": {}, "object": []}}]},
        {"source": "aws.s3", "detail-type": "Object Created"},
        {"source": "aws.ec2"},
        {"command": 1},
        {"Type": "Notification", "Message": "no JSON"},
        {"Type": "Notification", "Message": json.dumps({"Type": "Notification", "Message": "[" * 5000})},
    ],
    ids=str,
)
def test_what_is_no_event_is_refused(event: object) -> None:
    with pytest.raises(UsageError):
        read(event, "r")


def test_a_message_that_is_not_understood_does_not_hold_up_the_others() -> None:
    event = queue_event({"command": "gc"}, {"command": "gc"})
    event["Records"][0]["body"] = "{"
    first, second = read(event, "r").messages
    assert first.problem
    assert second.items == [Command("gc", {})]


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("dance", {}, "there is no command 'dance'"),
        ("sync", {}, "sync needs source"),
        ("sync", {"source": 1}, "source of sync has to be a text"),
        ("sync", {"source": "a", "colour": 1}, "sync has no value 'colour'"),
        (
            "import",
            {"source": "a", "packages": "b", "distribution": "c"},
            "packages of import has to be a list of texts",
        ),
        ("publish", {"distribution": "a", "version": True}, "version of publish has to be a whole number"),
        ("gc", {"yes": True}, "gc has no value 'yes'"),
    ],
)
def test_a_command_that_is_wrong_is_told_by_the_value_that_is(name: str, values: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as raised:
        checked(name, values)
    assert told in str(raised.value)


def test_every_task_that_needs_no_files_of_the_caller_is_a_command() -> None:
    assert {*FORMS} == {*KINDS} - {"upload"} | {"schedule"}
