"""``handler``: one call of a function is one piece of work with a workspace, from opening it to keeping what was done.

What can be done again is raised, so that whoever called tries again; what a person asked for is answered. An event that
comes a second time is answered as the first time, by its id.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entrepot.errors import BusyError, EntrepotError, SettingsError
from entrepot.serverless.commands import checked
from entrepot.serverless.events import Call, Command, Due, Message, ObjectCreated, read
from entrepot.services import handled, incoming, queue, schedule
from entrepot.services.tasks import problem
from entrepot.services.workspaces import open_workspace

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

Answer = dict[str, Any]

FAILED = 400
"""The first status that says that nothing was done."""
SHARE_KEPT, MOST_KEPT = 0.3, 120.0
"""Of the time that a call has, what is kept for deciding and publishing, and seconds that this is at most."""

_log = logging.getLogger("entrepot.serverless")


def handler(event: object, context: object = None) -> Answer:
    """Does what an event asks for, with the workspace that ``ENTREPOT_HOME`` names.

    A command is answered with ``{"status", "result"}`` or ``{"status", "problem"}``, messages of a queue with
    ``batchItemFailures``, and other events with what came in.
    """
    request, kind = str(getattr(context, "aws_request_id", "") or ""), "unknown"
    try:
        call = read(event, request)
        kind = call.kind
        actor = f"function/{getattr(context, 'function_name', '') or 'local'}"
        with open_workspace(_home(), actor=actor, origin=request) as workspace:
            answer = _Calling(workspace, _clock(context)).answer(call)
    except EntrepotError as error:
        _log.error(json.dumps({"event": kind, "problem": problem(error)}, default=str))
        if kind != "command":
            raise
        return _problem(problem(error))
    _log.info(json.dumps({"event": kind, "answer": answer}, default=str))
    return answer


def _home() -> str:
    home = os.environ.get("ENTREPOT_HOME")
    if not home:
        raise SettingsError("ENTREPOT_HOME is not set", hint="name the workspace: s3://bucket/prefix, or a folder")
    # Nothing else of a function's file system can be written to, and there is no home folder.
    os.environ.setdefault("ENTREPOT_CACHE", str(Path(tempfile.gettempdir()) / "entrepot"))
    return home


def _clock(context: object) -> Callable[[], bool]:
    """Whether there is time to begin something; always, where nobody says how much there is."""
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    if not callable(remaining):
        return lambda: True
    kept = min(remaining() / 1000 * SHARE_KEPT, MOST_KEPT)
    return lambda: remaining() / 1000 > kept


class _Calling:
    def __init__(self, workspace: Workspace, has_time: Callable[[], bool]) -> None:
        self.workspace = workspace
        self.has_time = has_time
        self.intake: incoming.Intake | None = None

    def answer(self, call: Call) -> Answer:
        if call.kind == "command":
            (message,) = call.messages
            return self._once(message.id, lambda: self._done(message)[-1])
        failures: dict[str, EntrepotError] = {}
        answers: list[Answer] = []
        # What came in is taken once for all that tell of it, after everything else.
        for message in sorted(call.messages, key=_tells_of_objects):
            try:
                answers += self._message(message)
            except EntrepotError as error:
                failures[message.id] = error
                _log.error(json.dumps({"message": message.id, "problem": problem(error)}, default=str))
        if call.kind == "queue":
            return {"batchItemFailures": [{"itemIdentifier": message} for message in failures]}
        if failures:
            raise next(iter(failures.values()))
        return {"answers": answers, "intake": self.intake.as_json() if self.intake else None}

    def _message(self, message: Message) -> list[Answer]:
        if message.problem:
            raise message.problem
        if _tells_of_objects(message):
            return self._done(message)
        return [self._once(message.id, lambda: {"answers": [_well(answer) for answer in self._done(message)]})]

    def _once(self, event: str, do: Callable[[], Answer]) -> Answer:
        """Does something unless the same event was handled before; what was answered then is answered again."""
        if not event:
            return do()
        if (before := handled.answer(self.workspace, event)) is not None:
            return before
        answer = do()
        if answer.get("status", 200) < FAILED:
            handled.note(self.workspace, event, answer)
        return answer

    def _done(self, message: Message) -> list[Answer]:
        answers: list[Answer] = []
        for item in message.items:
            if isinstance(item, ObjectCreated):
                self._object(item)
            elif isinstance(item, Due):
                # The clock of a deployment may be there before the first job is.
                if self.workspace.settings.schedule:
                    answers.append(self._schedule(()))
            else:
                answers.append(self._command(item))
        return answers

    def _object(self, item: ObjectCreated) -> None:
        """Makes sure that an object was taken; ``BusyError`` where there was no time for it."""
        key = incoming.waits_at(self.workspace, item.bucket, item.key)
        if key is None:
            # Reports and moved packages are objects of the same bucket.
            return
        if self.intake is None:
            self.intake = self._take()
        if any(taken.key == key and taken.outcome == incoming.WAITING for taken in self.intake.objects):
            raise BusyError(f"there was no time left for {key}", hint="the next run takes it")

    def _take(self) -> incoming.Intake:
        intake = incoming.take(self.workspace, has_time=self.has_time)
        for publication in intake.publications:
            if publication["status"] == "failed":
                # The same event again would find nothing to do.
                _log.error(json.dumps({"publication": publication}, default=str))
        return intake

    def _command(self, command: Command) -> Answer:
        subject, values = checked(command.name, command.values)
        if command.name == "schedule":
            return self._schedule(values.get("jobs", ()))
        if command.name == "incoming":
            return {"status": 200, "result": self._take().as_json()}
        task_id = queue.submit(self.workspace, command.name, subject, values)
        (task,) = queue.wait(self.workspace, [task_id])
        if task["state"] != "completed":
            return _problem(task["error"] or {}) | {"task": task_id}
        result = dict(task["result"] or {})
        return {"status": 207 if result.get("publish_error") else 200, "result": result, "task": task_id}

    def _schedule(self, jobs: tuple[str, ...]) -> Answer:
        runs, tasks = schedule.run(self.workspace, jobs)
        failed = [str(error) for task in tasks if (error := queue.failed(task))]
        rows = {"runs": [run.as_json() for run in runs], "failures": failed}
        return {"status": 207 if failed else 200, "result": rows}


def _tells_of_objects(message: Message) -> bool:
    return any(isinstance(item, ObjectCreated) for item in message.items)


def _well(answer: Answer) -> Answer:
    """An answer that nobody waits for: where something failed, it has to be an error for somebody to hear of it."""
    failures = answer["result"].get("failures") if "result" in answer else [str(answer["problem"].get("detail", ""))]
    if failures:
        raise EntrepotError("; ".join(failures))
    return answer


def _problem(document: Mapping[str, Any]) -> Answer:
    return {"status": document.get("status", 500), "problem": dict(document)}
