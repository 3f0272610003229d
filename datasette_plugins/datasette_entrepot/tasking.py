"""Long work of a request: asked for as a task, waited for, and answered as if it had been done here."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from datasette_entrepot.answers import Reply, reply
from datasette_entrepot.problems import stored_problem
from datasette_entrepot.protocols import Receive
from datasette_entrepot.routing import Call
from entrepot.services import queue, task_views

FIRST_LOOK = 0.05
"""Seconds; each look is a fraction of a millisecond, and they become rarer up to ``LAST_LOOK``."""
LAST_LOOK = 0.5
PREFER = {"Prefer": "`respond-async`: answer 202 with the task at once"}


async def perform(
    call: Call, kind: str, subject: str, values: Mapping[str, Any], *, later: bool = False, follow: bool = False
) -> Reply:
    """Asks for a task. Answers its result, how it failed, or, where that is wished or takes long, where to look."""
    task_id = await call.run(queue.submit, kind, subject, values, follow=follow)
    if later or call.later:
        return await accepted(call, task_id)
    task = await wait(call, task_id)
    if task is None:
        return await accepted(call, task_id)
    if task["state"] != "completed":
        return stored_problem(task)
    result = dict(task["result"] or {})
    return reply(result, 207 if result.get("publish_error") else 200)


async def accepted(call: Call, task_id: int) -> Reply:
    """202 with the task as it is now."""
    task = await call.site.look(task_views.look, task_id)
    return reply(task, 202, {"location": f"/import/tasks/{task_id}", "retry-after": "1"})


async def wait(call: Call, task_id: int) -> dict[str, Any] | None:
    """The task when it has ended; None when that takes too long, or nobody waits any more."""
    pause, waited = FIRST_LOOK, 0.0
    left = asyncio.ensure_future(until_gone(call.request.receive))
    try:
        with call.site.watched():
            while waited < call.site.settings.web.wait_seconds and not left.done():
                task = await call.site.look(task_views.look, task_id)
                if task["state"] in queue.ENDED:
                    return task
                await asyncio.wait({left}, timeout=pause)
                waited += pause
                pause = min(pause * 1.3, LAST_LOOK)
            return None
    finally:
        left.cancel()
        with suppress(asyncio.CancelledError):
            await left


async def until_gone(receive: Receive) -> None:
    """Ends when the client has left. Nobody else may read from the connection meanwhile."""
    while (await receive())["type"] != "http.disconnect":
        pass
