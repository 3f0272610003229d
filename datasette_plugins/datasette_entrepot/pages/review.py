"""The review queue: what waits, what was decided, and the page on which somebody decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from datasette_entrepot.forms import Field
from datasette_entrepot.pages.paging import cut, offset_field
from datasette_entrepot.pages.routing import Page, PageCall, Pages, Redirect
from datasette_entrepot.pages.work import begin
from entrepot.errors import UsageError
from entrepot.services import browse, listings, reviews

pages = Pages()

STATES = ("pending_review", "published", "rejected", "failed")
AT_ONCE = 50
DAYS = (7, 30, 90, 365)
"""What is offered at once as the end of a waiver."""


@pages.get(
    "/review",
    "review.read",
    query=(
        Field("to", about="Path of a distribution", length=300),
        Field("state", about="State of the imports", choices=STATES),
        Field("expired", "flag", "Only those that a waiver let in which has expired"),
    ),
)
async def show(call: PageCall) -> Page:
    """The queue, oldest first, with the waivers that end."""
    to, state = call.query.get("to"), call.query.get("state", STATES[0])
    expired = call.query.get("expired", False)
    rows = await call.run(reviews.queue, to=to, states=(state,), expired=expired)
    rows = rows if state == STATES[0] else rows[::-1]
    shown = rows[:AT_ONCE]
    context = {
        "rows": shown,
        "more": len(rows) - len(shown),
        "severities": await call.run(listings.severities, [row["id"] for row in shown]),
        "waivers": await call.run(listings.decisions, AT_ONCE, to=to, waivers_only=True),
        "distributions": await _distributions(call),
        "states": STATES,
        "to": to or "",
        "state": state,
        "expired": expired,
    }
    return Page("review.html", "Review", context)


@pages.get(
    "/review/decided",
    "review.read",
    query=(Field("to", about="Path of a distribution", length=300), offset_field()),
)
async def show_decided(call: PageCall) -> Page:
    """What was decided, newest first: by whom, when, why."""
    to, offset = call.query.get("to"), call.query.get("from", 0)
    rows = await call.run(listings.decisions, AT_ONCE + 1, offset, to=to)
    shown, paging = cut(rows, offset, AT_ONCE, {"to": to})
    context = {"rows": shown, "paging": paging, "to": to or "", "distributions": await _distributions(call)}
    return Page("decided.html", "Decisions", context, crumbs=[("Review", "/review")])


@pages.get("/review/{import}", "review.read")
async def show_one(call: PageCall) -> Page:
    """One import: what holds it, what is different from what is in, and the form."""
    view = await call.run(reviews.show_import, call.number("import"), comparing=True)
    document = view.as_json()
    findings = [
        {"scanner": verdict["scanner"], **finding} for verdict in view.verdicts for finding in verdict["findings"]
    ]
    context = {
        "view": view,
        "row": view.row,
        "path": view.distribution.path,
        "rulings": document["rulings"],
        "findings": findings,
        "vulnerabilities": _vulnerabilities(findings),
        "comparison": view.comparison,
        "waits": view.row["state"] == STATES[0],
        "chosen": set(call.form.texts("cve_ids")),
        "days": DAYS,
    }
    title = f"{view.row['name']} {view.row['version'] or ''}".strip()
    return Page("decide.html", title, context, crumbs=[("Review", "/review")])


@pages.post("/review/{import}/decide", "review.decide", shown_on=show_one)
async def decide(call: PageCall) -> Redirect:
    """Approves or rejects, as the button that was pressed says."""
    import_id = call.number("import")
    view = await call.run(reviews.show_import, import_id)
    call.require("review.decide", view.distribution.path)
    decision, justification = call.form.text("decision"), call.form.text("justification")
    if decision not in ("approve", "reject"):
        raise UsageError("say whether it is approved or rejected", field="decision")
    if not justification:
        raise UsageError("a decision needs a justification", hint="it is kept, and others will read it")
    values: dict[str, Any] = {"import_id": import_id, "justification": justification}
    if decision == "reject":
        return await begin(call, "reject", view.distribution.path, values)
    await call.run(reviews.require_approvable, import_id)
    values |= _limits(call)
    return await begin(call, "approve", view.distribution.path, values)


def _limits(call: PageCall) -> Mapping[str, Any]:
    """How far an approval goes: until when, and for which vulnerabilities alone."""
    limits: dict[str, Any] = {}
    if days := call.form.text("expires_in_days"):
        if not days.isascii() or not days.isdecimal() or not 1 <= int(days[:9]) <= reviews.LONGEST:
            raise UsageError(f"a waiver ends in 1 to {reviews.LONGEST} days", field="expires_in_days")
        limits["expires_in_days"] = int(days)
    if call.form.text("covers") == "some":
        limits["cve_ids"] = call.form.texts("cve_ids")
        if not limits["cve_ids"]:
            raise UsageError("tick the vulnerabilities that are let through", field="cve_ids")
    return limits


def _vulnerabilities(findings: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """The vulnerabilities among the findings that hold the import, each once."""
    held = [item for item in findings if item.get("kind") == "vulnerability" and item.get("action") != "allow"]
    return list({item["id"]: item for item in held}.values())


async def _distributions(call: PageCall) -> Sequence[str]:
    found = await call.run(browse.repositories)
    return [item["path"] for repository in found for item in repository["distributions"]]
