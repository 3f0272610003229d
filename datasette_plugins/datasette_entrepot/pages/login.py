"""Signing in and out: with name and password, or with a token; both are looked at as the API does."""

from __future__ import annotations

import time

from datasette_entrepot.cookies import base62, clear_cookie, set_cookie
from datasette_entrepot.forms import Field
from datasette_entrepot.identify import cookie_value, token_cookie_value
from datasette_entrepot.pages.routing import Page, PageCall, Pages, Redirect, require_text
from datasette_entrepot.pages.show import local_path
from datasette_entrepot.routes_auth import sign_in
from datasette_entrepot.site import authenticated
from entrepot.models import Identity
from entrepot.services import identity as identities

pages = Pages()

HOURS = 12
"""How long a browser stays signed in."""


@pages.get("/login", "", query=(Field("next", length=2000),))
async def show(call: PageCall) -> Page:
    """The form to sign in."""
    wanted = call.form.text("next") or call.query.get("next", "")
    return Page("login.html", "Sign in", {"next": local_path(wanted), "username": call.form.text("username")})


@pages.post("/login", "", shown_on=show)
async def login(call: PageCall) -> Redirect:
    """Signs in, and goes on to where that was asked for: a place of this server, and no other."""
    authenticated(call.site)
    seconds = HOURS * 3600
    if call.form.text("token"):
        found = await _by_token(call, call.form.text("token"))
        stamp, seconds = await call.run(identities.token_session, found.token_id, seconds)
        value = token_cookie_value(call.datasette, found.name, found.token_id or 0, stamp, _until(seconds))
    else:
        name = require_text(call, "username", "type your name and password, or a token")
        found = await sign_in(call, name, _password(call))
        stamp = await call.run(identities.stamp_of, found.name)
        value = cookie_value(call.datasette, found.name, stamp, _until(seconds))
    cookie = set_cookie(value, seconds, secure=call.request.scope.get("scheme") == "https")
    message = f"Signed in as {found.name} ({found.role})"
    return Redirect(message=message, local=local_path(call.form.text("next")), cookies=(cookie,))


@pages.post("/logout", "", shown_on=show)
async def logout(call: PageCall) -> Redirect:
    """Signs out. To sign somebody out everywhere, change the password or revoke the token."""
    del call
    return Redirect("/login", "Signed out", cookies=(clear_cookie(),))


async def _by_token(call: PageCall, secret: str) -> Identity:
    call.site.limiter.begin(call.address)
    found = await call.run(identities.authenticate_token, secret)
    call.site.limiter.right(call.address)
    return found


def _password(call: PageCall) -> str:
    """As it was typed: blanks count."""
    return next((value for name, value in reversed(call.form.pairs) if name == "password"), "")


def _until(seconds: int) -> str:
    return base62(int(time.time()) + seconds)
