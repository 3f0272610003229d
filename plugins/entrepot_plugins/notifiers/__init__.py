"""Who is told of events: receivers of webhooks, CloudFront, a file of JSON lines.

Nothing here is needed before something is told, so what needs more than settings is imported when one is opened.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from entrepot.hookspecs import hookimpl
from entrepot_plugins.notifiers.cloudfront import CloudFrontFactory
from entrepot_plugins.notifiers.jsonl import JsonLinesFactory
from entrepot_plugins.notifiers.webhook import WebhookFactory

if TYPE_CHECKING:
    from entrepot.contracts import NotifierFactory

__all__ = ["CloudFrontFactory", "JsonLinesFactory", "WebhookFactory"]


@hookimpl
def register_notifiers() -> Iterable[NotifierFactory]:
    """``webhook``, ``cloudfront``, ``jsonl``."""
    return [WebhookFactory(), CloudFrontFactory(), JsonLinesFactory()]
