"""Who asks: whoever a bearer token says, or whoever signed in with a browser, or nobody in particular."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datasette_entrepot.protocols import Datasette, Request
from datasette_entrepot.site import ANONYMOUS, Site, authenticated
from entrepot.errors import AuthenticationError, EntrepotError
from entrepot.models import Identity, Role
from entrepot.services import identity as identities

IDENTITY = "entrepot.identity"
FAILURE = "entrepot.failure"
COOKIE_USER = "entrepot_user"
COOKIE_TOKEN = "entrepot_token"
COOKIE_STAMP = "entrepot_stamp"
ROLE = "entrepot_role"
OF_DATASETTE = "dstok_"
"""What Datasette's own tokens begin with; those are left to it."""


async def actor(datasette: Datasette, site: Site, request: Request) -> Mapping[str, Any] | None:
    """Datasette's actor. What was found out stays with the request, for ``identity``.

    With an ``Authorization`` header no cookie is looked at.
    """
    authorization = request.headers.get("authorization", "")
    try:
        if authorization:
            return await _bearer(site, request, authorization)
        return await _cookie(datasette, site, request)
    except EntrepotError as error:
        request.scope[FAILURE] = error
        return None


def identity(site: Site, request: Request) -> Identity:
    """Who asks; ``AuthenticationError`` where that is nobody and reading is not for everybody.

    Why it could not be found out, where that is so.
    """
    if failure := request.scope.get(FAILURE):
        assert isinstance(failure, EntrepotError)
        raise failure
    if found := request.scope.get(IDENTITY):
        assert isinstance(found, Identity)
        return found
    if "authorization" not in request.headers and (mapped := _mapped(site, request.actor)) is not None:
        return mapped
    if "authorization" not in request.headers and site.public:
        return ANONYMOUS
    raise AuthenticationError("this needs a token", hint="send it as `Authorization: Bearer TOKEN`")


def as_actor(found: Identity) -> dict[str, Any]:
    """Somebody as Datasette knows one."""
    return {"id": found.name, ROLE: found.role.value}


def cookie_value(datasette: Datasette, name: str, stamp: str, expires: str) -> str:
    """The value of the cookie ``ds_actor`` for a user that signed in. It names the user, and no role."""
    return datasette.sign({"a": {"id": name, COOKIE_USER: name, COOKIE_STAMP: stamp}, "e": expires}, "actor")


def token_cookie_value(datasette: Datasette, name: str, token_id: int, stamp: str, expires: str) -> str:
    """The same for who signed in with a token. The token's secret is not in it."""
    return datasette.sign({"a": {"id": name, COOKIE_TOKEN: token_id, COOKIE_STAMP: stamp}, "e": expires}, "actor")


def may_read(site: Site, who: Mapping[str, Any] | None) -> bool:
    """Whether an actor of Datasette may see the catalog's pages."""
    return site.public or _mapped(site, who) is not None


async def _bearer(site: Site, request: Request, authorization: str) -> Mapping[str, Any] | None:
    scheme, _, secret = authorization.partition(" ")
    secret = secret.strip()
    if secret.startswith(OF_DATASETTE):
        return None
    if scheme.lower() != "bearer":
        raise AuthenticationError("only bearer tokens are taken", hint="send `Authorization: Bearer TOKEN`")
    authenticated(site)
    found = await site.run(ANONYMOUS, identities.authenticate, secret)
    request.scope[IDENTITY] = found
    return as_actor(found)


async def _cookie(datasette: Datasette, site: Site, request: Request) -> Mapping[str, Any] | None:
    from datasette_entrepot.cookies import read_cookie

    if site.read_only or (value := read_cookie(datasette, request)) is None:
        return None
    name, token_id, stamp = value.get(COOKIE_USER), value.get(COOKIE_TOKEN), value.get(COOKIE_STAMP)
    if not isinstance(stamp, str):
        return None
    found = None
    if isinstance(name, str):
        found = await site.run(ANONYMOUS, identities.signed_in, name, stamp)
    elif isinstance(token_id, int):
        found = await site.run(ANONYMOUS, identities.token_signed_in, token_id, stamp)
    if found is None:
        return None
    request.scope[IDENTITY] = found
    return as_actor(found)


def _mapped(site: Site, who: Mapping[str, Any] | None) -> Identity | None:
    """An actor that this plugin or, with ``[web.roles]``, another one signed in."""
    if not who or not isinstance(name := who.get("id"), str):
        return None
    if isinstance(role := who.get(ROLE), str):
        return Identity(name, Role(role))
    if COOKIE_USER in who or COOKIE_TOKEN in who:
        return None  # Somebody of ours whose cookie does not hold any more.
    if role := site.settings.web.roles.get(name):
        return Identity(name, Role(role))
    return None
