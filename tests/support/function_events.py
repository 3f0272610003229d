"""Events as AWS sends them to functions, with all their fields, and the context of a call."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus


def s3_event(bucket: str, *keys: str, name: str = "ObjectCreated:Put") -> dict[str, Any]:
    """What S3 sends, structure 2.1: keys are encoded as in a form."""
    return {"Records": [_s3_record(bucket, key, name) for key in keys]}


def _s3_record(bucket: str, key: str, name: str) -> dict[str, Any]:
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-central-1",
        "eventTime": "2026-03-01T12:00:00.000Z",
        "eventName": name,
        "userIdentity": {"principalId": "AWS:EXAMPLE"},
        "requestParameters": {"sourceIPAddress": "192.0.2.1"},
        "responseElements": {"x-amz-request-id": "EXAMPLE1", "x-amz-id-2": "EXAMPLE2"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "incoming",
            "bucket": {"name": bucket, "ownerIdentity": {"principalId": "EXAMPLE"}, "arn": f"arn:aws:s3:::{bucket}"},
            "object": {
                "key": quote_plus(key, safe="/"),
                "size": 1024,
                "eTag": "d41d8cd98f00b204e9800998ecf8427e",
                "sequencer": "0055AED6DCD90281E5",
            },
        },
    }


def eventbridge_object(bucket: str, key: str) -> dict[str, Any]:
    """What EventBridge sends for a new object: the key is as it is."""
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": "111122223333",
        "time": "2026-03-01T12:00:00Z",
        "region": "eu-central-1",
        "resources": [f"arn:aws:s3:::{bucket}"],
        "detail": {
            "version": "0",
            "bucket": {"name": bucket},
            "object": {
                "key": key,
                "size": 5,
                "etag": "b1946ac92492d2347c6235b4d2611184",
                "sequencer": "617f08299329d189",
            },
            "request-id": "N4N7GDK58NMKJ12R",
            "requester": "123456789012",
            "source-ip-address": "192.0.2.1",
            "reason": "PutObject",
        },
    }


def scheduled_event(event: str = "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa") -> dict[str, Any]:
    """What a rule of EventBridge with a schedule sends."""
    return {
        "version": "0",
        "id": event,
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "111122223333",
        "time": "2026-03-01T12:00:00Z",
        "region": "eu-central-1",
        "resources": ["arn:aws:events:eu-central-1:111122223333:rule/entrepot"],
        "detail": {},
    }


def queue_event(*bodies: Mapping[str, Any], ids: Sequence[str] = ()) -> dict[str, Any]:
    """What a queue (SQS) hands over: a batch of messages."""
    names = ids or [f"message-{number}" for number in range(1, len(bodies) + 1)]
    return {
        "Records": [
            {
                "messageId": name,
                "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
                "body": json.dumps(body),
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": "1772366400000",
                    "SenderId": "AIDAEXAMPLE",
                    "ApproximateFirstReceiveTimestamp": "1772366400100",
                },
                "messageAttributes": {},
                "md5OfBody": "098f6bcd4621d373cade4e832627b4f6",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-central-1:111122223333:entrepot",
                "awsRegion": "eu-central-1",
            }
            for name, body in zip(names, bodies, strict=True)
        ]
    }


def sns_event(message: Mapping[str, Any]) -> dict[str, Any]:
    """What SNS sends to a function."""
    return {
        "Records": [
            {
                "EventSource": "aws:sns",
                "EventVersion": "1.0",
                "EventSubscriptionArn": "arn:aws:sns:eu-central-1:111122223333:entrepot:EXAMPLE",
                "Sns": {
                    "Type": "Notification",
                    "MessageId": "95df01b4-ee98-5cb9-9903-4c221d41eb5e",
                    "TopicArn": "arn:aws:sns:eu-central-1:111122223333:entrepot",
                    "Subject": "Amazon S3 Notification",
                    "Message": json.dumps(message),
                    "Timestamp": "2026-03-01T12:00:00.000Z",
                    "MessageAttributes": {},
                },
            }
        ]
    }


@dataclass
class Context:
    """The context of a call, with a clock that runs only when it is looked at: so many milliseconds each time."""

    aws_request_id: str = "request-1"
    function_name: str = "entrepot"
    left: int = 900_000
    step: int = 0
    looks: int = field(default=0)

    def get_remaining_time_in_millis(self) -> int:
        """What the runtime tells."""
        self.looks += 1
        self.left -= self.step
        return self.left
