"""Answers: one JSON document, text, a problem, or a stream of events."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from datasette_entrepot.protocols import Send

JSON = "application/json"
PROBLEM = "application/problem+json"


@dataclass(frozen=True)
class Reply:
    """A whole answer. ``head`` leaves the body out, and not its length."""

    body: bytes
    status: int = 200
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    head: bool = False

    async def asgi_send(self, send: Send) -> None:
        """Sends it."""
        fields = {"content-type": self.content_type, "content-length": str(len(self.body))} | dict(self.headers)
        if self.status in (204, 304):
            del fields["content-length"], fields["content-type"]
        await send({"type": "http.response.start", "status": self.status, "headers": raw_headers(fields)})
        await send({"type": "http.response.body", "body": b"" if self.head else self.body})


def reply(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """A JSON document."""
    return Reply(encoded(document), status, headers=headers or {})


def encoded(document: Any) -> bytes:
    """JSON as bytes; what is not Unicode (names of files have it) stays an escape."""
    return json.dumps(document, ensure_ascii=False, default=str).encode("utf-8", "backslashreplace")


def raw_headers(fields: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Headers as ASGI wants them. A line break in a value would begin another header."""
    return [
        (name.lower().encode("latin-1"), value.replace("\r", " ").replace("\n", " ").encode("latin-1", "replace"))
        for name, value in fields.items()
    ]
