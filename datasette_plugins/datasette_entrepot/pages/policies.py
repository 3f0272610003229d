"""Policies: which there are, who has them, what each of them says."""

from __future__ import annotations

from datasette_entrepot.pages.routing import Page, PageCall, Pages
from entrepot.services import policies

pages = Pages()


@pages.get("/policies", "review.read")
async def show_all(call: PageCall) -> Page:
    """Every policy with the distributions that have it."""
    return Page("policies.html", "Policies", {"policies": await call.run(policies.policies)})


@pages.get("/policies/{policy}", "review.read")
async def show(call: PageCall) -> Page:
    """The rules of a policy, those that it inherits included."""
    view = await call.run(policies.show_policy, call.parameters["policy"])
    return Page("policy.html", view["name"], {"policy": view}, crumbs=[("Policies", "/policies")])
