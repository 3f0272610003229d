"""Events as the documents that leave this machine, in the form that ``event-1.schema.json`` describes.

They are short: who wants to know more asks, with the ids that they have. Nothing in them is a secret.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from functools import singledispatch
from importlib.resources import files
from typing import Any

from entrepot.catalog.database import to_text
from entrepot.events import (
    AdvisoryMatched,
    Event,
    ImportDecided,
    ImportResult,
    PackageImported,
    PackageWorsened,
    SourceSynced,
    TreePublished,
    VersionCreated,
    finding_json,
)
from entrepot.models import Distribution, PackageInfo
from entrepot.transfer.urls import redact

VERSION = 1
"""Of the form of documents. Within it fields may be added; nothing is taken away or means something else."""


def schema() -> str:
    """The JSON Schema of documents."""
    return files("entrepot.services").joinpath(f"event-{VERSION}.schema.json").read_text(encoding="utf-8")


def document(number: str, event_type: str, event: Event, actor: str, now: dt.datetime) -> dict[str, Any]:
    """An event as it is told."""
    return _envelope(number, event_type, actor, now, _data(event))


def trial_document(number: str, actor: str, now: dt.datetime) -> dict[str, Any]:
    """What is sent where somebody only tries whether telling works."""
    return _envelope(number, "test", actor, now, {"message": "nothing happened: this only tries whether it arrives"})


def _envelope(number: str, event_type: str, actor: str, now: dt.datetime, data: Mapping[str, Any]) -> dict[str, Any]:
    moment = to_text(now)
    return {
        "id": number,
        "type": event_type,
        "timestamp": moment,
        "version": VERSION,
        "actor": actor,
        "data": dict(data),
    }


def distribution_of(event: Event) -> Distribution | None:
    """The distribution that an event is of."""
    return None if isinstance(event, SourceSynced) else event.distribution


def subject_of(event: Event) -> str:
    """What an event is about, in a few words."""
    match event:
        case SourceSynced():
            return event.source.name
        case ImportDecided() | PackageImported():
            return f"{event.result.package} {event.result.version} {event.distribution.path}"
        case PackageWorsened() | AdvisoryMatched():
            return f"{event.package.name} {event.package.version} {event.distribution.path}"
        case VersionCreated():
            return f"{event.distribution.path} version {event.version.number}"
        case TreePublished():
            return f"{event.distribution.path} version {event.version}"


@singledispatch
def _data(event: object) -> dict[str, Any]:
    raise TypeError(type(event).__name__)


@_data.register
def _(event: SourceSynced) -> dict[str, Any]:
    counts = asdict(event.counts) if event.counts else None
    return {"source": event.source.name, "format": event.source.format, "counts": counts}


@_data.register
def _(event: ImportDecided) -> dict[str, Any]:
    return _result(event.result, event.distribution)


@_data.register
def _(event: PackageImported) -> dict[str, Any]:
    return _result(event.result, event.distribution)


@_data.register
def _(event: PackageWorsened) -> dict[str, Any]:
    return _package(event.package, event.distribution, event.import_id) | {
        "action": event.action,
        "expired": event.expired,
        "reasons": list(event.reasons),
    }


@_data.register
def _(event: AdvisoryMatched) -> dict[str, Any]:
    found = [finding_json(finding) for finding in event.findings]
    advisories = [{name: item[name] for name in ("id", "severity", "summary", "data")} for item in found]
    return _package(event.package, event.distribution, event.import_id) | {"advisories": advisories}


@_data.register
def _(event: VersionCreated) -> dict[str, Any]:
    version = event.version
    return {
        "distribution": event.distribution.path,
        "number": version.number,
        "message": version.message,
        "added": version.added,
        "removed": version.removed,
        "packages": version.packages,
    }


@_data.register
def _(event: TreePublished) -> dict[str, Any]:
    return {
        "distribution": event.distribution.path,
        "repository": event.repository.name,
        "format": event.repository.format,
        "target": redact(event.target.url),
        "public_url": redact(event.repository.public_url or "") or None,
        "number": event.version,
        "written": event.written,
        "changed": list(event.changed),
    }


def _result(result: ImportResult, distribution: Distribution) -> dict[str, Any]:
    severities = Counter(finding.severity for finding in result.findings)
    return {
        "distribution": distribution.path,
        "package": result.package,
        "version": result.version,
        "architecture": result.architecture,
        "component": result.component,
        "sha256": result.sha256,
        "import_id": result.import_id,
        "status": result.status,
        "number": result.repository_version,
        "pipeline": dict(result.pipeline),
        "findings": dict(sorted(severities.items())),
        "reasons": list(result.reasons),
        "message": result.message,
    }


def _package(info: PackageInfo, distribution: Distribution, import_id: int | None) -> dict[str, Any]:
    return {
        "distribution": distribution.path,
        "package": info.name,
        "version": info.version,
        "architecture": info.architecture,
        "sha256": info.files[0].sha256,
        "import_id": import_id,
    }
