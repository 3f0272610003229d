"""Errors as ``application/problem+json`` (RFC 9457): the one converter for HTTP."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from datasette_entrepot.answers import PROBLEM, Reply, encoded
from entrepot.errors import EntrepotError, UsageError
from entrepot.services import tasks


class MediaTypeError(UsageError):
    """A body of another content type than the call takes."""

    status = 415
    title = "Unsupported media type"


class MalformedError(UsageError):
    """A body that is not what its content type says."""

    status = 400
    title = "Malformed"


class MethodError(EntrepotError):
    """A path that is there, and does not know this method; ``data["allow"]`` are those it knows."""

    status = 405
    title = "Method not allowed"


def problem(error: EntrepotError) -> Reply:
    """An error as an answer."""
    document = {"type": f"urn:entrepot:problem:{_slug(error.title)}", **tasks.problem(error)}
    return _reply(document, error.status, _headers(error))


def stored_problem(task: Mapping[str, Any]) -> Reply:
    """How a task failed, as if it had failed in this request."""
    error = task["error"] or {}
    title = str(error.get("title", "Failed"))
    status = int(error.get("status", 500)) if task["state"] == "failed" else 409
    document = {
        "type": f"urn:entrepot:problem:{_slug(title)}",
        **error,
        "title": title,
        "status": status,
        "detail": str(error.get("detail", "")),
        "hint": str(error.get("hint", "")),
        "task": task["id"],
    }
    return _reply(document, status, {})


def unexpected() -> Reply:
    """What is said of an error that nobody expected: nothing of its inside."""
    return problem(EntrepotError("the server failed", hint="its log says why"))


def _headers(error: EntrepotError) -> dict[str, str]:
    if error.status == 401:
        return {"www-authenticate": 'Bearer realm="entrepot"'}
    if error.status == 429:
        return {"retry-after": str(error.data.get("retry_after", 1))}
    if error.status == 405:
        return {"allow": str(error.data["allow"])}
    return {}


def _reply(document: Mapping[str, Any], status: int, headers: Mapping[str, str]) -> Reply:
    return Reply(encoded(document), status, PROBLEM, {"cache-control": "no-store", **headers})


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
