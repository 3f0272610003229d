"""``/import/tasks``."""

from __future__ import annotations

from typing import Any

from datasette_entrepot import sse
from datasette_entrepot.answers import Reply
from datasette_entrepot.protocols import Answer
from datasette_entrepot.routing import Call, Routes
from datasette_entrepot.schemas import TEXT, ref
from datasette_entrepot.tasking import accepted
from entrepot.services import queue, task_views

routes = Routes()


@routes.get("/import/tasks/{task}", "task.read", "How far a task is, or how it ended", answers={200: ref("Task")})
async def show_task(call: Call) -> dict[str, Any]:
    return await call.run(task_views.look_closely, call.number("task"))


@routes.get(
    "/import/tasks/{task}/events",
    "task.read",
    "What happens to a task, while it happens: its progress reports, and at last its state",
    answers={200: TEXT, 204: {}},
    media={200: sse.STREAM},
    headers={"Last-Event-ID": "Go on after this event"},
)
async def follow_task(call: Call) -> Answer:
    task_id = call.number("task")
    task = await call.site.look(task_views.look, task_id)
    return await sse.stream(call, task_id, sse.SyncShape() if task["kind"] == "sync" else sse.TaskShape())


@routes.post(
    "/import/tasks/{task}/cancel",
    "task.cancel",
    "End a task; one that runs may need a moment yet",
    answers={200: ref("Task")},
)
async def cancel_task(call: Call) -> dict[str, Any]:
    await call.run(queue.cancel, call.number("task"))
    return await call.run(task_views.look, call.number("task"))


@routes.post(
    "/import/tasks/{task}/retry",
    "task.retry",
    "Do a task again that failed or was cancelled, with what was asked for then, as a new one",
    answers={202: ref("Task")},
)
async def retry_task(call: Call) -> Reply:
    return await accepted(call, await call.run(queue.retry, call.number("task")))
