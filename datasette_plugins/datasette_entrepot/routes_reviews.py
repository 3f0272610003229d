"""``/security``: imports that wait for a person, and what persons decide."""

from __future__ import annotations

from typing import Any

from datasette_entrepot.forms import Field
from datasette_entrepot.protocols import Answer
from datasette_entrepot.routing import Call, Routes
from datasette_entrepot.schemas import list_of, ref
from datasette_entrepot.tasking import PREFER, perform
from entrepot.services import reviews

routes = Routes()

JUSTIFICATION = Field("justification", required=True, about="Why; it is kept")


@routes.get(
    "/security/review-queue",
    "review.read",
    "The imports that wait for a decision, oldest first",
    answers={200: list_of("WaitingImport")},
)
async def review_queue(call: Call) -> list[dict[str, Any]]:
    return list(await call.run(reviews.waiting))


@routes.get(
    "/security/imports/{import}",
    "review.read",
    "An import with all that scanners said of it, and what was decided",
    answers={200: ref("Import")},
)
async def show_import(call: Call) -> dict[str, Any]:
    view = await call.run(reviews.show_import, call.number("import"))
    return view.as_json()


@routes.post(
    "/security/imports/{import}/approve",
    "review.decide",
    "Let exactly the package that waits into a new version, and publish it",
    body=(
        JUSTIFICATION,
        Field("expires_in_days", "integer", "The import waits again then; never unless given", least=1, most=36500),
        Field("cve_ids", "list", "Let only these vulnerabilities through"),
    ),
    answers={200: ref("ImportResult"), 202: ref("Task"), 207: ref("ImportResult")},
    headers=PREFER,
)
async def approve(call: Call) -> Answer:
    import_id, distribution = await _allowed(call)
    return await perform(call, "approve", distribution, {"import_id": import_id, **call.body})


@routes.post(
    "/security/imports/{import}/reject",
    "review.decide",
    "Refuse the package that waits; other versions of it are not touched",
    body=(JUSTIFICATION,),
    answers={200: ref("Import")},
)
async def reject(call: Call) -> dict[str, Any]:
    import_id, _ = await _allowed(call)
    view = await call.run(reviews.reject, import_id, call.body["justification"])
    return view.as_json()


async def _allowed(call: Call) -> tuple[int, str]:
    import_id = call.number("import")
    view = await call.run(reviews.show_import, import_id)
    call.require("review.decide", view.distribution.path)
    return import_id, view.distribution.path
