"""Jobs that are done by themselves: what is due becomes tasks, whoever looks first.

A server that looks every few seconds, a cron job and somebody at a terminal may look at the same workspace at once.
What is due is taken in one transaction that moves the job on to its next time, so that each run is begun once; and a
job with a task that still waits or runs is not begun again. Tasks whose process is gone are ended first.
"""

from __future__ import annotations

import datetime as dt
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from entrepot.catalog.database import to_text
from entrepot.catalog.schedule import JobState
from entrepot.errors import NotFoundError, UsageError
from entrepot.progress import Progress, silent
from entrepot.services import queue
from entrepot.services.advisories import updatable
from entrepot.services.publishing import distribution_paths
from entrepot.services.sources import syncable
from entrepot.services.tasks import recover
from entrepot.timetable import Job
from entrepot.transfer.urls import redact

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

Request = tuple[str, str, Mapping[str, Any]]
"""Kind, subject and values of a task."""


@dataclass(frozen=True, slots=True)
class Run:
    """What became of a job that was due: the tasks that were begun, or those of the run before that hold it up."""

    job: Job
    due_at: dt.datetime
    tasks: Sequence[int] = ()
    held_up_by: Sequence[int] = ()
    joined: Sequence[int] = ()
    """Tasks of somebody else that do the same already."""
    missed: int = 0
    """How many runs before this one came to nothing, because nobody looked."""

    @property
    def status(self) -> str:
        """``begun``, ``running`` (still) or ``nothing`` to do."""
        return "running" if self.held_up_by else "begun" if self.tasks or self.joined else "nothing"

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "job": self.job.name,
            "what": self.job.what,
            "due": to_text(self.due_at),
            "status": self.status,
            "tasks": [*self.tasks, *self.joined, *self.held_up_by],
            "missed": self.missed,
        }


@dataclass(frozen=True, slots=True)
class JobView:
    """A job with its next run and its last one. ``state`` is None where nobody looked at the schedule yet."""

    job: Job
    next_at: dt.datetime
    state: JobState | None = None
    tasks: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    """Of the last run that began any: id, kind, subject and state of each."""

    @property
    def status(self) -> str:
        """``never``, ``running``, ``failed`` (or one of its tasks did), ``canceled`` or ``completed``."""
        states = [task["state"] for task in self.tasks]
        if not states:
            return "completed" if self.state and self.state.last_at else "never"
        if "waiting" in states or "running" in states:
            return "running"
        return next((state for state in ("failed", "canceled") if state in states), "completed")

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        state = self.state
        return {
            "job": self.job.name,
            "what": self.job.what,
            "when": self.job.rule,
            "next": to_text(self.next_at),
            "last": to_text(state.last_at) if state and state.last_at else None,
            "status": self.status,
            "tasks": [dict(task) for task in self.tasks],
            "missed": state.missed if state else 0,
            "skipped": to_text(state.skipped_at) if state and state.skipped_at else None,
        }


def jobs(workspace: Workspace) -> Sequence[JobView]:
    """Every job of the settings, with when it is next and what became of it last."""
    if not workspace.settings.schedule:
        # A published copy of a catalog has no such table.
        return ()
    table, now = workspace.catalog.schedule, workspace.now()
    states = table.states()
    views = []
    for job in workspace.settings.schedule.values():
        state = states.get(job.name)
        fits = state is not None and state.rule == job.rule
        next_at = state.next_at if state is not None and fits else _upcoming(workspace, job, now).next_at
        views.append(JobView(job, next_at, state, table.last_tasks(job.name)))
    return views


def begin_due(workspace: Workspace) -> Sequence[Run]:
    """Notes what is due as tasks that wait. A job that is new, or has another rule, is due at its next time."""
    settled, now = workspace.catalog.schedule.states(), workspace.now()
    if not any(_is_open(settled.get(job.name), job, now) for job in workspace.settings.schedule.values()):
        return ()
    runs = []
    with workspace.catalog.transaction():
        recover(workspace, others=True)
        # Somebody else may have been here in the meantime.
        states = workspace.catalog.schedule.states()
        for job in workspace.settings.schedule.values():
            state = states.get(job.name)
            if state is None or state.rule != job.rule:
                workspace.catalog.schedule.save(_upcoming(workspace, job, now, state))
            elif state.next_at <= now:
                runs.append(_take(workspace, job, state))
    return runs


def begin(workspace: Workspace, names: Sequence[str]) -> Sequence[Run]:
    """The same for jobs by name, due or not. ``NotFoundError`` names those there are."""
    known = workspace.settings.schedule
    for name in names:
        if name not in known:
            raise NotFoundError(f"the schedule has no job {name!r}", hint=f"known: {', '.join(known) or 'none'}")
    now, runs = workspace.now(), []
    with workspace.catalog.transaction():
        recover(workspace, others=True)
        states = workspace.catalog.schedule.states()
        for name in dict.fromkeys(names):
            job, state = known[name], states.get(name)
            if state is None or state.rule != job.rule:
                state = _upcoming(workspace, job, now, state)
            run = _begin_tasks(workspace, job, now)
            if not run.held_up_by:
                state = replace(state, last_due_at=now, last_at=now, missed=0)
            workspace.catalog.schedule.save(state)
            runs.append(run)
    return runs


def run(
    workspace: Workspace, names: Sequence[str] = (), progress: Progress = silent
) -> tuple[Sequence[Run], Sequence[Mapping[str, Any]]]:
    """Begins what is due, or the jobs that are named, and waits for its tasks; answers them as they ended."""
    require_jobs(workspace)
    runs = begin(workspace, names) if names else begin_due(workspace)
    # A job that is held up is somebody else's to wait for.
    return runs, queue.wait(workspace, [task for run in runs for task in (*run.tasks, *run.joined)], progress)


def require_jobs(workspace: Workspace) -> None:
    """``UsageError`` where the settings have no job."""
    if not workspace.settings.schedule:
        raise UsageError("nothing is scheduled", hint="add a table [schedule.NAME] to entrepot.toml")


def _is_open(state: JobState | None, job: Job, now: dt.datetime) -> bool:
    return state is None or state.rule != job.rule or state.next_at <= now


def _upcoming(workspace: Workspace, job: Job, now: dt.datetime, state: JobState | None = None) -> JobState:
    """The state of a job that is due next after now; what is known of its last run stays."""
    due = job.after(now)
    place = f"{socket.gethostname()}:{workspace.url}"
    following = JobState(job.name, job.rule, due, job.start(due, place))
    if state is None:
        return following
    return replace(state, rule=job.rule, due_at=due, next_at=following.next_at)


def _take(workspace: Workspace, job: Job, state: JobState) -> Run:
    """Begins a job that is due, unless it still runs; either way its next time is the one after now."""
    now = workspace.now()
    due, missed = job.last(state.due_at, now)
    run = replace(_begin_tasks(workspace, job, due), missed=missed)
    following = _upcoming(workspace, job, now, state)
    if run.held_up_by:
        following = replace(following, skipped_at=due)
    else:
        following = replace(following, last_due_at=due, last_at=now, missed=missed)
    workspace.catalog.schedule.save(following)
    return run


def _begin_tasks(workspace: Workspace, job: Job, due: dt.datetime) -> Run:
    catalog = workspace.catalog
    if held := catalog.schedule.under_way(job.name):
        return Run(job, due, held_up_by=held)
    begun, joined = [], []
    for kind, subject, values in WORK[job.run](workspace, job.of):
        if (other := catalog.tasks.find(kind, subject)) is not None:
            joined.append(other)
            continue
        begun.append(
            catalog.tasks.wait(
                kind, subject, workspace.actor, workspace.origin, values, workspace.now(), job=(job.name, due)
            )
        )
    return Run(job, due, begun, joined=joined)


# --------------------------------------------------------------------------------------------- what the jobs can do


def _sync(workspace: Workspace, names: Sequence[str]) -> Sequence[Request]:
    chosen = names or syncable(workspace)
    return [("sync", name, {"source": name}) for name in chosen]


def _advisories(workspace: Workspace, names: Sequence[str]) -> Sequence[Request]:
    chosen = names or updatable(workspace)
    return [("advisories", name, {"name": name}) for name in chosen]


def _of_distributions(kind: str, **values: bool) -> Callable[[Workspace, Sequence[str]], Sequence[Request]]:
    def requests(workspace: Workspace, names: Sequence[str]) -> Sequence[Request]:
        return [(kind, path, {"distribution": path, **values}) for path in _paths(workspace, names)]

    return requests


def _paths(workspace: Workspace, names: Sequence[str]) -> Sequence[str]:
    """The distributions that are named. One that is not there has a task that fails, as somebody has to be told."""
    paths: list[str] = []
    for name in names:
        try:
            paths += distribution_paths(workspace, [name])
        except NotFoundError:
            paths.append(name)
    return list(dict.fromkeys(paths)) if names else distribution_paths(workspace, ())


WORK: Mapping[str, Callable[[Workspace, Sequence[str]], Sequence[Request]]] = {
    "sync": _sync,
    "advisories": _advisories,
    "scan": _of_distributions("scan"),
    "publish": _of_distributions("publish"),
    "refresh": _of_distributions("publish", refresh=True),
    "catalog": lambda workspace, _names: [("catalog", redact(workspace.settings.publish.catalog), {})],
    "incoming": lambda workspace, _names: [("incoming", redact(workspace.settings.incoming.url), {})],
    "gc": lambda _workspace, _names: [("gc", "workspace", {})],
}
