"""What scanners of somebody else's say of their failures, as it may be kept, logged and shown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from entrepot.isolation.messages import Failure
from entrepot.transfer.urls import redact

_SECRET = r"authorization|cookie|[\w-]{0,40}(?:api[-_]?key|credential|passw(?:or)?d|secret|token)"
_NAMED = re.compile(rf"(?i)\b({_SECRET})(['\"]?\s*[:=]\s*['\"]?)(?:(?:basic|bearer|token)\s+)?[^\s'\",;&}}]+")
_KEY = re.compile(rf"(?i)(?:{_SECRET}|key)$")
_URL = re.compile(r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s'\"<>]{1,500}")
_LONGEST = 4000
_SHORTEST = 4
"""Characters of a secret of the settings that is looked for: shorter ones are in every text."""


def without_secrets(text: str, settings: Mapping[str, Any]) -> str:
    """A text without user information and secret parameters of URLs, values of headers, and secrets of the settings.

    Its end alone if it is long: what a hostile package makes of it shall not take time.
    """
    text = text[-_LONGEST:]
    text = _URL.sub(lambda match: redact(match.group()), text)
    text = _NAMED.sub(r"\1\2***", text)
    for secret in _secrets(settings):
        text = text.replace(secret, "***")
    return text


def harmless(failure: Failure, settings: Mapping[str, Any], output: str = "") -> Failure:
    """A failure with what the scanner printed before it, without secrets."""
    return replace(
        failure,
        message=without_secrets(failure.message, settings),
        traceback=without_secrets(failure.traceback, settings),
        output=without_secrets(output, settings),
    )


def _secrets(settings: Mapping[str, Any]) -> Iterator[str]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _secrets(value)
        elif isinstance(value, str) and len(value) >= _SHORTEST and _KEY.search(str(key)):
            yield value
