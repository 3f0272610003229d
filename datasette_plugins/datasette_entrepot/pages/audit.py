"""The audit log: who did what, from where, what was before and what is after; and whether the log is whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from datasette_entrepot.forms import Field
from datasette_entrepot.pages.paging import cut, offset_field
from datasette_entrepot.pages.routing import Page, PageCall, Pages, Redirect
from entrepot.services import listings, operations

pages = Pages()

AT_ONCE = 50


@pages.get(
    "/audit",
    "review.read",
    query=(
        Field("by", about="Who", length=200),
        Field("action", about="What was done", length=100),
        Field("subject", about="To what: a text in it", length=300),
        offset_field(),
    ),
)
async def show(call: PageCall) -> Page:
    """Entries, newest first."""
    chosen = {name: call.query.get(name, "") for name in ("by", "action", "subject")}
    offset = call.query.get("from", 0)
    rows = await call.run(listings.audit, AT_ONCE + 1, offset, **chosen)
    shown, paging = cut(rows, offset, AT_ONCE, chosen)
    actors, actions = await call.run(listings.audit_words)
    groups = sorted({action.partition(".")[0] for action in actions if "." in action} - set(actions))
    context = {
        "entries": [{**row, "changes": changes_of(row["detail"])} for row in shown],
        "paging": paging,
        "chosen": chosen,
        "actors": actors,
        "actions": sorted([*actions, *groups]),
        "head": await call.run(operations.audit_head),
    }
    return Page("audit.html", "Audit log", context)


@pages.post("/audit/verify", "review.read", shown_on=show)
async def verify(call: PageCall) -> Redirect:
    """Follows the whole chain. An error of it is shown on the page."""
    head = await call.run(operations.verify_audit)
    message = f"The log is whole: {head.entries} entries, the last one has the digest {head.digest}"
    return Redirect("/audit", message)


def changes_of(detail: Mapping[str, Any]) -> Sequence[tuple[str, str, str]]:
    """What an entry tells, as (name, before, after); ``before`` is empty for what is only told."""
    before, after = detail.get("before"), detail.get("after")
    if not isinstance(before, Mapping) and not isinstance(after, Mapping):
        return [(name, "", _text(value)) for name, value in detail.items() if value not in (None, "", [], {})]
    was = before if isinstance(before, Mapping) else {}
    now = after if isinstance(after, Mapping) else {}
    told = [(name, _text(was.get(name)), _text(now.get(name))) for name in {**was, **now}]
    rest = [(name, "", _text(value)) for name, value in detail.items() if name not in ("before", "after")]
    return [*told, *rest]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_text(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        apart = "; " if any(isinstance(item, Mapping) for item in value) else ", "
        return apart.join(_text(item) for item in value)
    return str(value)
