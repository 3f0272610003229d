"""Datasette's signed cookie ``ds_actor``, for users of the workspace."""

from __future__ import annotations

import time
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any

from datasette_entrepot.protocols import Datasette, Request

NAME = "ds_actor"
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def read_cookie(datasette: Datasette, request: Request) -> Mapping[str, Any] | None:
    """The actor of the cookie, if it was signed here and has not expired."""
    from itsdangerous import BadData

    cookies: SimpleCookie = SimpleCookie()
    try:
        cookies.load(request.headers.get("cookie", ""))
        value = datasette.unsign(cookies[NAME].value, "actor")
    except (KeyError, CookieError, BadData):
        return None
    if not isinstance(value, dict) or not isinstance(found := value.get("a"), dict):
        return None
    expires = value.get("e")
    if expires and base62_number(str(expires)) < time.time():
        return None
    return found


def set_cookie(value: str, seconds: int, *, secure: bool) -> str:
    """The header that sets it: scripts cannot read it, and other sites do not send it."""
    return f"{NAME}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{'; Secure' if secure else ''}"


def clear_cookie() -> str:
    """The header that takes it away."""
    return f"{NAME}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"


def base62(number: int) -> str:
    """A number as Datasette writes times of expiry."""
    text = ""
    while number:
        number, digit = divmod(number, 62)
        text = DIGITS[digit] + text
    return text or "0"


def base62_number(text: str) -> int:
    """The reverse; 0, which is long ago, for what is none."""
    number = 0
    for char in text:
        if char not in DIGITS:
            return 0
        number = number * 62 + DIGITS.index(char)
    return number
