"""Server-Sent Events (WHATWG HTML, 9.2): what happens to a task, while it happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from datasette_entrepot.answers import Reply, encoded, raw_headers
from datasette_entrepot.protocols import Answer, Receive, Send
from datasette_entrepot.routing import Call
from datasette_entrepot.tasking import until_gone
from entrepot.services import queue, task_views

LOOK_EVERY = 0.2
HEARTBEAT_EVERY = 15.0
STREAM = "text/event-stream"


class Shape(Protocol):
    """How events are told."""

    def progress(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """The document of one progress event."""

    def end(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """The document of the end of a task."""


class TaskShape:
    """Events of any task: its progress reports, and at last its state with its result or error."""

    def progress(self, event: Mapping[str, Any]) -> dict[str, Any]:
        return {"status": "running", **event}

    def end(self, task: Mapping[str, Any]) -> dict[str, Any]:
        error = task["error"] or {}
        return {
            "status": task["state"],
            "message": error.get("detail", ""),
            "result": task["result"],
            "error": task["error"],
            "created_resources": task["created_resources"],
        }


class SyncShape:
    """Events of a sync: ``syncing`` with a count of packages, then ``done`` or ``error``."""

    def __init__(self) -> None:
        self._count = 0

    def progress(self, event: Mapping[str, Any]) -> dict[str, Any]:
        if event["unit"] in ("packages", ""):
            self._count = max(self._count, int(event["done"]))
        return {"status": "syncing", "count": self._count, "message": event["message"]}

    def end(self, task: Mapping[str, Any]) -> dict[str, Any]:
        result, error = task["result"] or {}, task["error"] or {}
        if task["state"] == "completed":
            changed = result.get("changed_upstream", True)
            message = "Index updated" if changed else "Nothing changed"
            return {"status": "done", "count": int(result.get("packages", self._count)), "message": message}
        message = error.get("detail") or task["state"]
        return {"status": "error", "count": self._count, "message": message, "hint": error.get("hint", "")}


@dataclass(frozen=True)
class EventStream:
    """An answer that goes on until its events end, or the client leaves.

    A generator that nobody reads would otherwise stay, and keep the server from ending.
    """

    events: AsyncGenerator[bytes]
    receive: Receive

    async def asgi_send(self, send: Send) -> None:
        """Sends events as they come."""
        fields = {"content-type": STREAM, "cache-control": "no-store", "x-accel-buffering": "no"}
        await send({"type": "http.response.start", "status": 200, "headers": raw_headers(fields)})
        left = asyncio.ensure_future(until_gone(self.receive))
        step: asyncio.Future[bytes] | None = None
        try:
            while True:
                step = asyncio.ensure_future(anext(self.events))
                await asyncio.wait({step, left}, return_when=asyncio.FIRST_COMPLETED)
                if not step.done():
                    return
                try:
                    block = step.result()
                except StopAsyncIteration:
                    break
                await send({"type": "http.response.body", "body": block, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        except asyncio.CancelledError:
            # The server ends, and with it every stream; who followed goes on with another one.
            await send({"type": "http.response.body", "body": b""})
        finally:
            for pending in (step, left):
                if pending is not None:
                    pending.cancel()
                    with suppress(asyncio.CancelledError, StopAsyncIteration):
                        await pending
            await self.events.aclose()


async def stream(call: Call, task_id: int, shape: Shape) -> Answer:
    """The events of a task, those after the header ``Last-Event-ID`` where there is one.

    204 where there are none any more: that is how a browser is told not to connect again.
    """
    text = call.request.headers.get("last-event-id", "").strip()
    seen = int(text) if text.isdecimal() and len(text) < 18 else 0
    task, events, _ = await call.site.look(task_views.follow, task_id, 0)
    if seen and task["state"] in queue.ENDED and seen > len(events):
        return Reply(b"", 204)
    return EventStream(_events(call, task_id, shape, seen), call.request.receive)


async def _events(call: Call, task_id: int, shape: Shape, seen: int) -> AsyncGenerator[bytes]:
    number, offset, quiet = 0, 0, 0.0
    yield b": task %d\n\n" % task_id
    with call.site.watched():
        while True:
            task, events, offset = await call.site.look(task_views.follow, task_id, offset)
            for event in events:
                number += 1
                document = shape.progress(event)
                if number > seen:
                    quiet = 0.0
                    yield block(number, document)
            if events:
                continue
            if task["state"] in queue.ENDED:
                yield block(number + 1, shape.end(task))
                return
            if quiet >= HEARTBEAT_EVERY:
                quiet = 0.0
                yield b": still here\n\n"
            await asyncio.sleep(LOOK_EVERY)
            quiet += LOOK_EVERY


def block(number: int, document: Mapping[str, Any]) -> bytes:
    """One event. JSON has no line break outside of its escapes, so one line of data is enough."""
    return b"id: %d\ndata: %s\n\n" % (number, encoded(document))
