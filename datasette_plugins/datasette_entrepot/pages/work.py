"""Long work that a form asks for: a task, and the page that shows how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from datasette_entrepot.pages.routing import PageCall, Redirect
from entrepot.services import queue

UNTIL_IMPORT = "/tasks/{}?then=import"
"""The page of a task that goes on to the page of its import once there is one, if it is the only one."""


async def begin(
    call: PageCall,
    kind: str,
    subject: str,
    values: Mapping[str, Any],
    *,
    follow: bool = False,
    page: str = "/tasks/{}",
    part: str = "",
) -> Redirect:
    """Asks for a task and goes to its page, or to another ``page`` that shows it, filled with ``part``.

    With ``follow`` a task of this kind and subject that is under way already is enough.
    """
    task_id = await call.run(queue.submit, kind, subject, values, follow=follow)
    return Redirect(page.format(quote(part or str(task_id), safe="")))
