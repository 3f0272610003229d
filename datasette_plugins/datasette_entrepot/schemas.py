"""Schemas of what the API answers, for OpenAPI. Objects may have further members."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

TEXT: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer"}
FLAG: Schema = {"type": "boolean"}
TEXTS: Schema = {"type": "array", "items": TEXT}
OBJECT: Schema = {"type": "object"}


def ref(name: str) -> Schema:
    """A reference to one of ``SCHEMAS``."""
    return {"$ref": f"#/components/schemas/{name}"}


def list_of(name: str) -> Schema:
    """A list of them."""
    return {"type": "array", "items": ref(name)}


def maybe(schema: Schema) -> Schema:
    """That or null."""
    return {"oneOf": [schema, {"type": "null"}]}


def record(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """An object with these members."""
    return {"type": "object", "properties": {**required, **(optional or {})}, "required": list(required)}


WORDS: Mapping[str, tuple[str, ...]] = {
    "antivirus": ("clean", "infected", "error", "skipped"),
    "cve_scan": ("no_findings", "findings_allowed", "findings_review", "findings_blocked", "error", "skipped"),
    "gpg": ("signed_trusted", "signed_untrusted", "unsigned_pass", "unsigned_blocked", "bad_signature", "error"),
    "dependencies": ("satisfied", "missing", "conflict", "error", "skipped"),
}

DIFF: Mapping[str, Schema] = {
    "from": TEXT,
    "to": TEXT,
    "counts": {"type": "object", "additionalProperties": INTEGER},
    "changes": {"type": "array", "items": OBJECT},
}

SNAPSHOT: Mapping[str, Schema] = {
    "distribution": TEXT,
    "name": TEXT,
    "version": INTEGER,
    "created_at": TEXT,
    "path": TEXT,
}

CHANGE: Mapping[str, Schema] = {
    "status": {"type": "string", "enum": ["changed", "unchanged", "dry_run"]},
    "distribution": TEXT,
    "version": maybe(INTEGER),
    "diff": ref("VersionDiff"),
    "refused": {"type": "array", "items": OBJECT},
    "held": {"type": "array", "items": INTEGER},
    "publication": maybe(OBJECT),
    "publish_error": maybe(TEXT),
}

SCHEMAS: Mapping[str, Schema] = {
    "Problem": record(
        {"type": TEXT, "title": TEXT, "status": INTEGER, "detail": TEXT, "hint": TEXT},
        {"failures": {"type": "array", "items": record({"item": TEXT, "error": TEXT})}, "task": INTEGER},
    ),
    "AccessToken": record(
        {"access_token": TEXT, "token_type": {"type": "string", "const": "bearer"}, "expires_in": INTEGER},
        {"role": TEXT},
    ),
    "Source": record(
        {
            "id": INTEGER,
            "name": TEXT,
            "format": TEXT,
            "url": TEXT,
            "distributions": TEXTS,
            "components": TEXTS,
            "architectures": TEXTS,
            "verify": FLAG,
            "has_keyring": FLAG,
            "options": OBJECT,
            "connection": OBJECT,
            "secrets": record({"is_set": FLAG}),
            "packages": INTEGER,
            "last_sync": maybe(TEXT),
            "last_change": maybe(TEXT),
        }
    ),
    "AvailablePackage": record(
        {
            "id": INTEGER,
            "name": TEXT,
            "version": TEXT,
            "architecture": TEXT,
            "source": TEXT,
            "format": TEXT,
            "size": INTEGER,
            "description": TEXT,
            "last_sync": maybe(TEXT),
        },
        {"sha256": maybe(TEXT), "distribution": TEXT, "component": TEXT, "section": TEXT, "location": TEXT},
    ),
    "CatalogPage": record({"rows": list_of("AvailablePackage"), "next": maybe(TEXT)}),
    "Finding": record({"id": TEXT, "severity": TEXT, "summary": TEXT}, {"where": TEXT, "data": OBJECT}),
    "ImportResult": record(
        {
            "status": {
                "type": "string",
                "enum": ["published", "pending_review", "rejected", "failed", "already_published"],
            },
            "package": TEXT,
            "version": TEXT,
            "architecture": TEXT,
            "distribution": TEXT,
            "sha256": TEXT,
            "import_id": maybe(INTEGER),
            "repository_version": maybe(INTEGER),
            "pipeline": {
                "type": "object",
                "description": "A word for each scanner: "
                + "; ".join(f"{key}: {' '.join(words)}" for key, words in WORDS.items())
                + ". A third party's scanner adds its own key.",
                "additionalProperties": TEXT,
            },
            "findings": list_of("Finding"),
            "message": TEXT,
        },
        {
            "component": TEXT,
            "reasons": TEXTS,
            "publication": maybe(OBJECT),
            "publish_error": maybe(TEXT),
            "results": {"type": "array", "items": OBJECT, "description": "All of them, where there are several"},
        },
    ),
    "ImportPlan": record(
        {
            "status": {"type": "string", "const": "dry_run"},
            "distribution": TEXT,
            "packages": {"type": "array", "items": OBJECT},
            "size": INTEGER,
            "problems": TEXTS,
            "failures": {"type": "array", "items": OBJECT},
        }
    ),
    "MirrorPlan": record(
        {
            "status": {"type": "string", "const": "dry_run"},
            "source": TEXT,
            "distribution": TEXT,
            "query": TEXT,
            "counts": {"type": "object", "additionalProperties": INTEGER},
            "to_fetch": INTEGER,
            "problems": TEXTS,
            "loose_ends": {"type": "array", "items": OBJECT},
            "changes": {"type": "array", "items": OBJECT},
        }
    ),
    "Batch": record({"results": list_of("ImportResult"), "version": maybe(INTEGER)}),
    "Progress": record(
        {
            "code": TEXT,
            "message": TEXT,
            "state": {"type": "string", "enum": ["running", "completed", "failed", "canceled"]},
            "done": INTEGER,
            "total": maybe(INTEGER),
        },
        {"unit": TEXT},
    ),
    "Task": record(
        {
            "id": INTEGER,
            "kind": TEXT,
            "subject": TEXT,
            "state": {"type": "string", "enum": ["waiting", "running", "completed", "failed", "canceled"]},
            "progress_reports": list_of("Progress"),
            "created_resources": TEXTS,
            "error": maybe(OBJECT),
            "result": maybe(OBJECT),
            "actor": TEXT,
            "retry_of": maybe(INTEGER),
            "job": maybe(TEXT),
            "created_at": TEXT,
            "started_at": maybe(TEXT),
            "finished_at": maybe(TEXT),
        }
    ),
    "WaitingImport": record({"id": INTEGER, "name": TEXT, "version": TEXT, "distribution": TEXT}),
    "Import": record(
        {
            "id": INTEGER,
            "state": TEXT,
            "distribution": TEXT,
            "verdicts": {"type": "array", "items": OBJECT},
            "reviews": {"type": "array", "items": OBJECT},
            "told": {"type": "array", "items": OBJECT},
        },
        {"new_version": maybe(INTEGER), "publication": maybe(OBJECT), "publish_error": maybe(TEXT)},
    ),
    "Repository": record(
        {
            "id": INTEGER,
            "name": TEXT,
            "format": TEXT,
            "public_url": TEXT,
            "distributions": {"type": "array", "items": OBJECT},
        }
    ),
    "Version": record(
        {
            "number": INTEGER,
            "created_at": TEXT,
            "message": TEXT,
            "added": INTEGER,
            "removed": INTEGER,
            "packages": INTEGER,
        }
    ),
    "Snapshot": record(SNAPSHOT),
    "RemovedSnapshot": record({**SNAPSHOT, "removed": FLAG, "targets": {"type": "array", "items": OBJECT}}),
    "VersionWithPackages": record(
        {"number": INTEGER, "found": INTEGER, "packages": {"type": "array", "items": OBJECT}, "next": maybe(TEXT)}
    ),
    "VersionDiff": record(DIFF),
    "VersionDiffPage": record({**DIFF, "next": maybe(TEXT)}),
    "VersionChange": record(CHANGE),
    "Retention": record({**CHANGE, "versions_dropped": {"type": "array", "items": INTEGER}}),
    "Publication": record(
        {"status": TEXT, "distribution": TEXT, "version": INTEGER, "targets": {"type": "array", "items": OBJECT}}
    ),
    "Health": record({"status": {"type": "string", "enum": ["ok", "failed"]}, "version": TEXT, "read_only": FLAG}),
}
