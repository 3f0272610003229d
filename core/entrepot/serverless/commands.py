"""Commands as JSON: which there are, and what each takes. They are the tasks that the HTTP API begins, too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from entrepot.errors import UsageError

TEXT, TEXTS, NUMBER, FLAG = "a text", "a list of texts", "a whole number", "true or false"
_OPTIONS_OF_CHANGES = {"publish": FLAG, "hold_refused": FLAG}


@dataclass(frozen=True, slots=True)
class CommandForm:
    """The values of a command. ``subject`` is the one that says what it is about."""

    subject: str = ""
    needed: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, str] = field(default_factory=dict)


_TAKEN = {"component": TEXT, "with_dependencies": FLAG, "recommends": FLAG, "publish": FLAG}
FORMS: Mapping[str, CommandForm] = {
    "sync": CommandForm("source", {"source": TEXT}, {"force": FLAG}),
    "import": CommandForm(
        "distribution", {"source": TEXT, "packages": TEXTS, "distribution": TEXT}, _TAKEN | {"resign": FLAG}
    ),
    "mirror": CommandForm(
        "distribution",
        {"source": TEXT, "distribution": TEXT},
        _TAKEN
        | {"include": TEXTS, "exclude": TEXTS, "where": TEXT, "latest": NUMBER, "exact": FLAG, "again": FLAG}
        | {"sync": FLAG, "on_failure": TEXT},
    ),
    "publish": CommandForm(
        "distribution",
        {"distribution": TEXT},
        {"version": NUMBER, "force": FLAG, "target": TEXT, "refresh": FLAG, "accept_release_change": FLAG},
    ),
    "approve": CommandForm(
        "import_id",
        {"import_id": NUMBER, "justification": TEXT},
        {"expires_in_days": NUMBER, "cve_ids": TEXTS},
    ),
    "reject": CommandForm("import_id", {"import_id": NUMBER, "justification": TEXT}),
    "rollback": CommandForm("distribution", {"distribution": TEXT, "to": NUMBER}, _OPTIONS_OF_CHANGES),
    "promote": CommandForm(
        "distribution", {"from": TEXT, "distribution": TEXT}, _OPTIONS_OF_CHANGES | {"version": NUMBER}
    ),
    "snapshot": CommandForm("distribution", {"distribution": TEXT}, {"name": TEXT, "version": NUMBER, "move": FLAG}),
    "remove-snapshot": CommandForm("distribution", {"distribution": TEXT, "name": TEXT}),
    "retain": CommandForm("distribution", {"distribution": TEXT}, _OPTIONS_OF_CHANGES),
    "remove": CommandForm("distribution", {"distribution": TEXT, "packages": TEXTS}, _OPTIONS_OF_CHANGES),
    "scan": CommandForm("distribution", {"distribution": TEXT}),
    "advisories": CommandForm("name", {"name": TEXT}, {"location": TEXT, "format": TEXT, "force": FLAG}),
    "catalog": CommandForm("url", {}, {"url": TEXT}),
    "gc": CommandForm(),
    "incoming": CommandForm(),
    "schedule": CommandForm("", {}, {"jobs": TEXTS}),
}


def checked(name: str, values: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """What a command is about, and its values; ``UsageError`` names the first that is wrong."""
    form = FORMS.get(name)
    if form is None:
        raise UsageError(f"there is no command {name!r}", hint=f"known: {', '.join(FORMS)}")
    known = {**form.needed, **form.more}
    for key, value in values.items():
        if key not in known:
            raise UsageError(f"{name} has no value {key!r}", hint=f"known: {', '.join(known) or 'none'}")
        if not _fits(value, known[key]):
            raise UsageError(f"{key} of {name} has to be {known[key]}")
    if missing := [key for key in form.needed if key not in values]:
        raise UsageError(f"{name} needs {', '.join(missing)}")
    return str(values.get(form.subject, "workspace")), dict(values)


def _fits(value: object, kind: str) -> bool:
    if kind == TEXTS:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    return type(value) is {TEXT: str, NUMBER: int, FLAG: bool}[kind]
