"""Tokens and users, for admins."""

from __future__ import annotations

from datasette_entrepot.pages.routing import Page, PageCall, Pages, Redirect, require_text
from entrepot.errors import UsageError
from entrepot.models import Role
from entrepot.services import browse, identity

pages = Pages()


@pages.get("/access", "access.change")
async def show(call: PageCall) -> Page:
    """Who may what, and the forms that change it."""
    return await _page(call, None)


@pages.post("/access/tokens", "access.change", shown_on=show)
async def create_token(call: PageCall) -> Page:
    """Makes a token. The answer to the form shows its secret: no other page ever does."""
    days = call.form.text("expires_in_days")
    if days and not (days.isascii() and days.isdecimal() and len(days) < 7):
        raise UsageError("days are a number", field="expires_in_days")
    issued = await call.run(
        identity.create_token,
        require_text(call, "name", "a token needs a name"),
        _role(call),
        distributions=call.form.texts("distributions"),
        expires_in_days=int(days) if days else None,
    )
    return await _page(call, issued)


@pages.post("/access/tokens/revoke", "access.change", shown_on=show)
async def revoke_token(call: PageCall) -> Redirect:
    """Ends a token."""
    token = await call.run(identity.revoke_token, require_text(call, "name", "say which token"))
    return Redirect("/access", f"The token {token['name']} is revoked")


@pages.post("/access/users", "access.change", shown_on=show)
async def add_user(call: PageCall) -> Redirect:
    """Adds somebody with a password."""
    name = require_text(call, "name", "a user needs a name")
    password = _password(call)
    user = await call.run(
        identity.add_user, name, password, _role(call), distributions=call.form.texts("distributions")
    )
    return Redirect("/access", f"{user['name']} may sign in now")


@pages.post("/access/users/change", "access.change", shown_on=show)
async def change_user(call: PageCall) -> Redirect:
    """Another role or password, no access for a while, or none at all any more."""
    name, what = require_text(call, "name", "say which user"), call.form.text("what")
    if what == "remove":
        await call.run(identity.remove_user, name)
        return Redirect("/access", f"{name} is removed")
    if what in ("disable", "enable"):
        await call.run(identity.set_user, name, disabled=what == "disable")
        return Redirect("/access", f"{name} may {'not ' if what == 'disable' else ''}sign in now")
    if what == "role":
        await call.run(identity.set_user, name, role=_role(call))
        return Redirect("/access", f"{name} has another role, and has to sign in again")
    if what == "password":
        await call.run(identity.set_user, name, password=_password(call))
        return Redirect("/access", f"{name} has another password, and has to sign in again")
    raise UsageError("say what is to change", field="what")


async def _page(call: PageCall, issued: identity.IssuedToken | None) -> Page:
    found = await call.run(browse.repositories)
    context = {
        "tokens": await call.run(identity.list_tokens),
        "users": await call.run(identity.list_users),
        "roles": [role.value for role in Role],
        "distributions": [item["path"] for repository in found for item in repository["distributions"]],
        "issued": issued,
    }
    return Page("access.html", "Tokens and users", context)


def _role(call: PageCall) -> Role:
    text = call.form.text("role")
    if text not in [role.value for role in Role]:
        raise UsageError("choose a role", field="role")
    return Role(text)


def _password(call: PageCall) -> str:
    """As it was typed, blanks included."""
    return next((value for name, value in reversed(call.form.pairs) if name == "password"), "")
