"""``POST /auth/token``: a short-lived token for a password, or for a long-lived token."""

from __future__ import annotations

from datasette_entrepot.answers import Reply, reply
from datasette_entrepot.forms import Field
from datasette_entrepot.identify import FAILURE, IDENTITY
from datasette_entrepot.routing import Call, Routes
from datasette_entrepot.schemas import ref
from datasette_entrepot.site import authenticated
from entrepot.errors import AuthenticationError, UsageError
from entrepot.models import Identity
from entrepot.services import identity as identities

routes = Routes()


@routes.post(
    "/auth/token",
    "",
    "A short-lived access token, for name and password of a user, or for the token in the header",
    body=(
        Field("username", about="Name of a user", length=200),
        Field("password", about="The password", length=1024),
        Field("grant_type", choices=("password",), about="What OAuth clients send; not needed"),
    ),
    body_optional=True,
    body_form=True,
    answers={200: ref("AccessToken")},
)
async def create_token(call: Call) -> Reply:
    site = call.site
    authenticated(site)
    found = await _who(call)
    seconds = site.settings.web.token_minutes * 60
    secret = await call.run(identities.issue, found, seconds)
    token = {"access_token": secret, "token_type": "bearer", "expires_in": seconds, "role": found.role.value}
    # RFC 6749, 5.1: no cache on the way keeps a token.
    return reply(token, headers={"cache-control": "no-store"})


async def _who(call: Call) -> Identity:
    if "username" in call.body or "password" in call.body:
        if not ("username" in call.body and "password" in call.body):
            raise UsageError("a name and a password go together")
        return await sign_in(call, call.body["username"], call.body["password"])
    if failure := call.request.scope.get(FAILURE):
        assert isinstance(failure, AuthenticationError)
        raise failure
    # A cookie is not exchanged: what a browser holds would become something that a script can take away.
    found = call.request.scope.get(IDENTITY) if "authorization" in call.request.headers else None
    if found is None:
        raise AuthenticationError("this needs a name and a password, or a token to exchange")
    assert isinstance(found, Identity)
    return found


async def sign_in(call: Call, name: str, password: str) -> Identity:
    """The user with this password; wrong tries from one address are slowed down."""
    call.site.limiter.begin(call.address)
    found = await call.site.guess(identities.login, name, password)
    call.site.limiter.right(call.address)
    return found
