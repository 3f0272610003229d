"""What has to be done to make a workspace what a declaration says. Nothing is written here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entrepot.declaration import Declaration, DeclaredDistribution, DeclaredRepository, DeclaredSource
from entrepot.declaration.records import SETTINGS
from entrepot.errors import EntrepotError, SettingsError
from entrepot.models import Distribution, Repository
from entrepot.services import declared as documents
from entrepot.services.names import check_name, check_path
from entrepot.services.records import changes
from entrepot.services.repositories import check_distribution, checked_targets
from entrepot.services.sources import check_draft
from entrepot.settings import Settings, read_settings
from entrepot.toml_places import Key

if TYPE_CHECKING:
    from entrepot.workspace import Workspace

CREATE, CHANGE, REMOVE = "create", "change", "remove"
KINDS = {"policies": "policy", "schedule": "job"}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is made, changed or removed. ``wanted`` is what it is to be, for who does it."""

    action: str
    kind: str
    """``setting``, ``policy``, ``job``, ``source``, ``repository`` or ``distribution``."""
    name: str
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    wanted: Any = field(default=None, repr=False)

    def as_json(self) -> dict[str, Any]:
        """For ``--json``. Without secrets, as the file has none."""
        return {
            "action": self.action,
            "kind": self.kind,
            "name": self.name,
            "before": dict(self.before),
            "after": dict(self.after),
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps in their order. ``left`` is what the declaration does not describe, and what stays."""

    path: Path
    steps: Sequence[Step]
    left: Sequence[tuple[str, str]] = ()
    """Kind and name of each."""
    settings: tuple[Mapping[str, Any], Mapping[str, Any]] | None = None
    """What ``entrepot.toml`` says and is to say; None where it stays as it is."""

    @property
    def removals(self) -> Sequence[Step]:
        """The steps that take something away."""
        return [step for step in self.steps if step.action == REMOVE]

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "declaration": str(self.path),
            "steps": [step.as_json() for step in self.steps],
            "not_described": [{"kind": kind, "name": name} for kind, name in self.left],
        }


def make_plan(workspace: Workspace, declaration: Declaration, *, prune: bool = False) -> Plan:
    """Compares a declaration with a workspace. ``SettingsError`` names file, line and key of the first mistake.

    With ``prune`` what is not described is removed: of the tables that the declaration has at all.
    """
    return _Planner(workspace, declaration, prune=prune).plan()


class _Planner:
    def __init__(self, workspace: Workspace, declaration: Declaration, *, prune: bool) -> None:
        self.workspace = workspace
        self.declaration = declaration
        self.prune = prune
        self.sources = {source.name: source for source in workspace.catalog.sources.list()}
        self.repositories = {item.name: item for item in workspace.catalog.repositories.list()}
        self.distributions = {item.path: item for item in workspace.catalog.repositories.distributions()}
        self.written = documents.settings_document(workspace)
        self.settings: Settings = workspace.settings
        self.left: list[tuple[str, str]] = []
        self.places: dict[str, str] = {}
        """URL -> the repository that the declaration publishes there."""

    def plan(self) -> Plan:
        settings, wanted = self._plan_settings()
        steps = [*settings]
        for name, source in self.declaration.sources.items():
            steps += self._source(name, source)
        removals = self._removals()
        for repository in self.declaration.repositories.values():
            steps += self._repository(repository)
        for repository in self.declaration.repositories.values():
            for distribution in repository.distributions.values():
                steps += self._distribution(repository, distribution)
        self._check_policies_in_use(removals)
        return Plan(
            self.declaration.file.path, [*steps, *removals], self.left, (self.written, wanted) if settings else None
        )

    # ------------------------------------------------------------------------------------------------- settings

    def _plan_settings(self) -> tuple[Sequence[Step], Mapping[str, Any]]:
        declared, says = self.declaration.settings, self.declaration.says
        wanted: dict[str, Any] = {}
        for name in dict.fromkeys((*self.written, *declared)):
            held, said = self.written.get(name), declared.get(name)
            if said is None:
                dropped = self.prune and (name if name in SETTINGS else "settings") in says
                value = None if dropped else held
            elif not isinstance(said, dict) or not isinstance(held, dict) or self.prune:
                value = said
            else:
                value = {**held, **said} if name in SETTINGS else _merged(held, said)
            if value is not None:
                wanted[name] = _parents_first(value) if name == "policies" else value
        for name in SETTINGS:
            if name in says and not self.prune:
                self.left += [(KINDS[name], item) for item in self.written.get(name, {}) if item not in declared[name]]
        # Lists that policies name are in the workspace, beside entrepot.toml.
        file = replace(self.declaration.file, find=self._line_of_setting, beside=self.workspace.home)
        self.settings = read_settings(wanted, file)
        self.workspace = self._foreseen()
        return list(self._setting_steps(wanted)), wanted

    def _foreseen(self) -> Workspace:
        """The workspace as it is once its settings are what they are to be: everything else is checked there."""
        foreseen = copy(self.workspace)
        foreseen.settings = self.settings
        return foreseen

    def _line_of_setting(self, text: str, key: Key) -> int | None:
        return self.declaration.file.find(text, key if key[:1] and key[0] in SETTINGS else ("settings", *key))

    def _setting_steps(self, wanted: Mapping[str, Any]) -> Iterator[Step]:
        for name in dict.fromkeys((*self.written, *wanted)):
            if name in SETTINGS:
                before, after = self.written.get(name, {}), wanted.get(name, {})
                for item in dict.fromkeys((*before, *after)):
                    yield from _difference(KINDS[name], item, before.get(item), after.get(item))
            else:
                was, now = (_valued(document.get(name)) for document in (self.written, wanted))
                yield from _difference("setting", name, was, now)

    def _check_policies_in_use(self, removals: Sequence[Step]) -> None:
        """What is not described must not lose its policy."""
        described = {
            item.path for repo in self.declaration.repositories.values() for item in repo.distributions.values()
        }
        gone = {step.name for step in removals if step.kind == "distribution"}
        for path, distribution in self.distributions.items():
            if path not in described | gone and distribution.policy not in self.settings.policies:
                raise self.declaration.file.error(
                    ("policies",), f"have no {distribution.policy!r}, which is the policy of {path}"
                )

    # -------------------------------------------------------------------------------------------------- sources

    def _source(self, name: str, declared: DeclaredSource) -> Iterator[Step]:
        key: Key = ("sources", name)
        present = self.sources.get(name)
        draft = declared.draft
        if present is not None and present.format != draft.format:
            self._refuse_format((*key, "format"), f"source {name}", present.format)
        held = self.workspace.secrets(present) if present else draft.secrets
        if declared.keeps_secrets:
            draft = replace(draft, secrets=held)
        with self._at(key):
            draft = check_draft(self.workspace, draft)
        after = documents.source_document(self.workspace, draft, draft.keyring)
        before: dict[str, Any] | None = None
        if present is not None:
            keyring = documents.keyring_of(self.workspace, present)
            before = documents.source_document(self.workspace, present, keyring)
            if held != draft.secrets:
                before, after = before | {"secrets": "as they were"}, after | {"secrets": "changed"}
        yield from _difference("source", name, before, after, draft)

    # --------------------------------------------------------------------------------------------- repositories

    def _repository(self, declared: DeclaredRepository) -> Iterator[Step]:
        name, key = declared.name, ("repositories", declared.name)
        present = self.repositories.get(name)
        if present is not None and present.format != declared.format:
            self._refuse_format((*key, "format"), f"repository {name}", present.format)
        with self._at((*key, "publish_to")):
            urls = checked_targets(self.workspace, declared.publish_to, name)
            for url in urls:
                if (other := self.places.setdefault(url.rstrip("/"), name)) != name:
                    raise SettingsError(f"repository {other!r} is published to {url}, too")
        with self._at(key):
            check_name("repository", name)
            self.workspace.format(declared.format)
        after = {
            "format": declared.format,
            "publish_to": urls,
            "public_url": declared.public_url or urls[0],
            "sign": declared.sign,
            "sign_with": self._fingerprint(declared, present),
            "origin": declared.origin,
            "label": declared.label,
        }
        before = documents.repository_document(present) if present else None
        yield from _difference("repository", name, before, after, after)

    def _fingerprint(self, declared: DeclaredRepository, present: Repository | None) -> str:
        if not declared.sign:
            return ""
        if declared.sign_with is None and present is not None and present.sign_with:
            return present.sign_with
        table = self.settings.signers.get(self.settings.default_signer, {})
        with self._at(("repositories", declared.name, "sign_with")):
            factory = self.workspace.plugins.signer(self.settings.default_signer)
            return factory.open(declared.sign_with, table, self.workspace.home).fingerprint

    def _distribution(self, repository: DeclaredRepository, declared: DeclaredDistribution) -> Iterator[Step]:
        key: Key = ("repositories", repository.name, "distributions", declared.name)
        policy = declared.policy or self.settings.default_policy
        with self._at((*key, "policy")):
            self.settings.policy(policy)
        columns = documents.columns_of(declared, policy)
        with self._at(key):
            check_path("distribution", declared.name)
            check_distribution(self.workspace.format(repository.format), declared.path, columns)
        for index, base in enumerate(columns["base_sources"]):
            format_name = self._format_of_source(base)
            if format_name != repository.format:
                wrong = f"is a source of {format_name} packages" if format_name else "names no source"
                raise self.declaration.file.error((*key, "base_sources", index), f"{wrong}: {base!r}")
        after = documents.distribution_document(self.workspace, repository.format, columns)
        present = self.distributions.get(declared.path)
        before = documents.present_distribution(self.workspace, present) if present else None
        yield from _difference("distribution", declared.path, before, after, after)

    def _format_of_source(self, name: str) -> str:
        if (declared := self.declaration.sources.get(name)) is not None:
            return declared.draft.format
        present = self.sources.get(name)
        return present.format if present and not (self.prune and "sources" in self.declaration.says) else ""

    # ------------------------------------------------------------------------------------------------- removals

    def _removals(self) -> Sequence[Step]:
        """What is not described, in the order in which it can go: distributions, repositories, sources."""
        declared, says = self.declaration, self.declaration.says
        found: list[Step] = []
        if "repositories" in says:
            for distribution in self.distributions.values():
                if distribution.name not in getattr(
                    declared.repositories.get(distribution.repository), "distributions", {}
                ):
                    found.append(self._removal(distribution))
            for repository in self.repositories.values():
                if repository.name not in declared.repositories:
                    before = documents.repository_document(repository)
                    found.append(Step(REMOVE, "repository", repository.name, before))
        if "sources" in says:
            for source in self.sources.values():
                if source.name not in declared.sources:
                    keyring = documents.keyring_of(self.workspace, source)
                    before = documents.source_document(self.workspace, source, keyring)
                    found.append(Step(REMOVE, "source", source.name, _shown(before)))
        if self.prune:
            return found
        self.left += [(step.kind, step.name) for step in found]
        return ()

    def _removal(self, distribution: Distribution) -> Step:
        before = documents.present_distribution(self.workspace, distribution)
        before["packages"] = self.workspace.catalog.versions.latest(distribution).packages
        return Step(REMOVE, "distribution", distribution.path, before)

    # --------------------------------------------------------------------------------------------------- errors

    @contextmanager
    def _at(self, key: Key) -> Iterator[None]:
        """Says where in the file it stands, whatever is wrong."""
        try:
            yield
        except EntrepotError as error:
            raise self.declaration.file.error(key, f"cannot be: {error}", hint=error.hint) from error

    def _refuse_format(self, key: Key, what: str, format_name: str) -> None:
        raise self.declaration.file.error(
            key, f"cannot change: {what} is of format {format_name}", hint="remove it first, or use another name"
        )


def _difference(
    kind: str, name: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, wanted: Any = None
) -> Iterator[Step]:
    """The step from one to the other; none where they are equal."""
    action = CREATE if before is None else REMOVE if after is None else CHANGE
    if before != after:
        both = changes(_shown(before or {}), _shown(after or {}))
        yield Step(action, kind, name, both["before"], both["after"], wanted)


def _shown(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Keys are told apart by a digest: their text says nothing to a person."""
    keyring = document.get("keyring")
    if not isinstance(keyring, str) or not keyring:
        return document
    return {**document, "keyring": f"sha256:{hashlib.sha256(keyring.encode()).hexdigest()[:16]}"}


def _valued(value: Any) -> Mapping[str, Any] | None:
    return value if isinstance(value, dict) or value is None else {"value": value}


def _merged(held: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """Tables of settings, key by key: what is not said stays."""
    found = dict(held)
    for name, value in said.items():
        inner = held.get(name)
        found[name] = _merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return found


def _parents_first(policies: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The policies in an order in which each stands after the one it inherits from, near to that in which they are."""
    found: dict[str, Any] = {}

    def add(name: str, above: tuple[str, ...] = ()) -> None:
        parent = policies[name].get("inherits") if isinstance(policies[name], dict) else None
        if isinstance(parent, str) and parent in policies and parent not in (*above, name):
            add(parent, (*above, name))
        found.setdefault(name, policies[name])

    for name in policies:
        add(name)
    return found
