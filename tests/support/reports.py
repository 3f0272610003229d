"""Reports of a workspace, and what the libraries of the standards make of them."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from entrepot.models import VULNERABILITY, Finding, Status, Verdict
from entrepot.services import reports
from support.workspaces import REPOSITORY, Depot


def report_text(depot: Depot, format_name: str, to: str = "stable", **options: Any) -> str:
    """A report as text."""
    format_ = depot.workspace.plugins.report_format(format_name)
    return "".join(
        reports.make_report(depot.workspace, format_.kind, f"{REPOSITORY}/{to}", format_name, **options).text()
    )


def report(depot: Depot, format_name: str, to: str = "stable", **options: Any) -> Any:
    """A report as a document, which has to fit the schema of its form."""
    text = report_text(depot, format_name, to, **options)
    document = json.loads(text)
    if format_name in CHECKS:
        CHECKS[format_name](text)
    return document


def check_cyclonedx(text: str) -> None:
    """Fits the strict schema, and the library reads it."""
    schema: Any = importlib.import_module("cyclonedx.schema")
    validation: Any = importlib.import_module("cyclonedx.validation.json")
    error = validation.JsonStrictValidator(schema.SchemaVersion.V1_6).validate_str(text)
    assert error is None, str(error)[:2000]
    model: Any = importlib.import_module("cyclonedx.model.bom")
    bom = model.Bom.from_json(json.loads(text))
    assert len(bom.components) == len(json.loads(text).get("components", ()))
    assert bom.validate()


def check_spdx(text: str) -> None:
    """The library reads it and finds nothing against it."""
    parsers: Any = importlib.import_module("spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser")
    validator: Any = importlib.import_module("spdx_tools.spdx.validation.document_validator")
    document = parsers.JsonLikeDictParser().parse(json.loads(text))
    assert validator.validate_full_spdx_document(document, "SPDX-2.3") == []


CHECKS: dict[str, Callable[[str], None]] = {"cyclonedx": check_cyclonedx, "spdx": check_spdx}


class Saying:
    """A scanner that says of packages what a test tells it to; of the others that they are fine."""

    name = "saying"
    answers = "saying"
    version = "1"
    isolated = False

    def __init__(self) -> None:
        self.told: dict[str, tuple[Finding, ...]] = {}
        self.evidence: dict[str, dict[str, Any]] = {}

    def scan(self, artifact: Any, context: Any) -> Verdict:
        """The verdict for a name and version."""
        key = f"{context.info.name} {context.info.version}"
        found = self.told.get(key, ())
        status, reason = (Status.WARN, "found") if found else (Status.PASS, "fine")
        return Verdict(status, reason, findings=found, evidence=self.evidence.get(key, {}))


def vulnerability(name: str, severity: str = "high", **data: Any) -> Finding:
    """What a scanner says of a known vulnerability."""
    return Finding(name, severity, f"{name} in words", kind=VULNERABILITY, data={"fixed": "", "kev": False, **data})


def write_json(path: Path, document: Any) -> Path:
    """A document in a file."""
    path.write_text(json.dumps(document), encoding="utf-8")
    return path
