"""Sources: add, change, remove, sync."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from entrepot.catalog.database import to_text
from entrepot.contracts import KeyringReader, Option, ReadContext
from entrepot.errors import BatchError, ConflictError, EntrepotError, TrustError, UsageError
from entrepot.events import SourceSynced
from entrepot.models import (
    BUNDLE_SCHEME,
    Connection,
    Scalar,
    Secrets,
    Source,
    SourceDraft,
    SourceKey,
    SyncCounts,
    by_hand,
)
from entrepot.progress import Progress, silent
from entrepot.services.names import check_name
from entrepot.services.notices import tell
from entrepot.services.records import changes, record
from entrepot.services.tasks import running
from entrepot.sync import SyncResult, sync
from entrepot.transfer.credentials import secret_headers
from entrepot.transfer.urls import redact, split_user

if TYPE_CHECKING:
    from entrepot.catalog.sources import SourceState
    from entrepot.workspace import Workspace


@dataclass(frozen=True, slots=True)
class SourceView:
    """A source with what is known about it; no secrets, only whether there are some.

    ``keys`` is None where nobody asked for the keys, or the format does not tell them; ``keyring_problem`` says why its
    keyring cannot be used.
    """

    source: Source
    state: SourceState
    has_secrets: bool
    keys: Sequence[SourceKey] | None = None
    keyring_problem: str = ""

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the HTTP API."""
        source, state = self.source, self.state
        document: dict[str, Any] = {
            "id": source.id,
            "name": source.name,
            "format": source.format,
            "url": source.url,
            "distributions": list(source.distributions),
            "components": list(source.components),
            "architectures": list(source.architectures),
            "verify": source.verify,
            "has_keyring": source.keyring is not None,
            "options": dict(source.options),
            "connection": {name: getattr(source.connection, name) for name in Connection.__slots__},
            "secrets": {"is_set": self.has_secrets},
            "packages": state.packages,
            "last_sync": to_text(state.checked_at) if state.checked_at else None,
            "last_change": to_text(state.changed_at) if state.changed_at else None,
        }
        if self.keys is not None:
            document["keys"] = [key.as_json() for key in self.keys]
        if self.keyring_problem:
            document["keyring_problem"] = self.keyring_problem
        return document


def add_source(workspace: Workspace, draft: SourceDraft) -> SourceView:
    """Adds a source after its format has checked it. Nothing is fetched."""
    draft = check_draft(workspace, draft)
    keyring = workspace.save_keyring(draft.name, draft.keyring) if draft.keyring else None
    with workspace.catalog.transaction():
        source = workspace.catalog.sources.add(draft, keyring, workspace.now())
        workspace.save_secrets(source, draft.secrets)
        record(workspace, "source.add", source.name, changes({}, _audited(source, draft.secrets)))
    return show_source(workspace, source.name)


def add_from_client_file(
    workspace: Workspace, format_name: str, paths: Sequence[Path], change: Change
) -> Sequence[SourceView]:
    """Adds every source that a client's configuration files name; all of them or, if one cannot be, none."""
    drafts: list[SourceDraft] = []
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} cannot be read: {error}", path=str(path)) from error
        drafts += read_client_text(workspace, format_name, text, path, change)
    return add_sources(workspace, drafts, ", ".join(map(str, paths)))


def read_client_text(
    workspace: Workspace, format_name: str, text: str, path: Path, change: Change
) -> Sequence[SourceDraft]:
    """The sources that a client's configuration names, with the changes made. Nothing is added.

    ``path`` is what the text is called in errors; its suffix may tell which form it has.
    """
    clients = workspace.format(format_name).clients
    return [change.apply(draft) for draft in clients.read(text, path, change.options or {})]


def add_sources(workspace: Workspace, drafts: Sequence[SourceDraft], origin: str) -> Sequence[SourceView]:
    """Adds several sources, all of them or none; ``origin`` is where they were read."""
    if not drafts:
        raise UsageError(f"{origin}: no source that is enabled")
    with workspace.catalog.transaction():
        return [add_source(workspace, draft) for draft in drafts]


@dataclass(frozen=True, slots=True)
class Change:
    """What ``source set`` changes: None leaves a value as it is."""

    url: str | None = None
    distributions: Sequence[str] | None = None
    components: Sequence[str] | None = None
    architectures: Sequence[str] | None = None
    verify: bool | None = None
    keyring: bytes | None = None
    options: Mapping[str, Scalar] | None = None
    connection: Mapping[str, Any] | None = None
    secrets: Secrets | None = None
    forget: Collection[str] = ()
    """Of ``username`` (with its password), ``password`` and ``headers`` those that go before others come."""

    def apply(self, draft: SourceDraft) -> SourceDraft:
        """The draft with the changes made."""
        return replace(
            draft,
            url=draft.url if self.url is None else self.url,
            distributions=draft.distributions if self.distributions is None else tuple(self.distributions),
            components=draft.components if self.components is None else tuple(self.components),
            architectures=draft.architectures if self.architectures is None else tuple(self.architectures),
            verify=draft.verify if self.verify is None else self.verify,
            keyring=draft.keyring if self.keyring is None else self.keyring,
            options={**draft.options, **(self.options or {})},
            connection=replace(draft.connection, **(self.connection or {})),
            secrets=_merged(_without(draft.secrets, self.forget), self.secrets or Secrets()),
        )


def _without(held: Secrets, names: Collection[str]) -> Secrets:
    login = {"username", "password"} & {*names}
    held = replace(held, username=None) if "username" in login else held
    held = replace(held, password=None) if login else held
    return replace(held, headers=()) if "headers" in names else held


def _merged(held: Secrets, given: Secrets) -> Secrets:
    """What is not given stays; an empty user name takes name and password away."""
    if given.username == "":
        held, given = replace(held, username=None, password=None), replace(given, username=None)
    return replace(
        held,
        username=held.username if given.username is None else given.username,
        password=held.password if given.password is None else given.password,
        headers=given.headers or held.headers,
    )


def set_source(workspace: Workspace, name: str, change: Change) -> SourceView:
    """Changes a source. The next sync reads everything again."""
    source = workspace.catalog.sources.get(name)
    return replace_source(workspace, change.apply(as_draft(workspace, source)))


def as_draft(workspace: Workspace, source: Source) -> SourceDraft:
    """A source as somebody would ask for it, with its keys and its secrets."""
    path = workspace.keyring(source)
    return SourceDraft(
        name=source.name,
        format=source.format,
        url=source.url,
        distributions=source.distributions,
        components=source.components,
        architectures=source.architectures,
        verify=source.verify,
        keyring=path.read_bytes() if path else None,
        options=source.options,
        connection=source.connection,
        secrets=workspace.secrets(source),
    )


def replace_source(workspace: Workspace, draft: SourceDraft) -> SourceView:
    """Makes the source of the draft's name what the draft says, but for its format, which stays."""
    source = workspace.catalog.sources.get(draft.name)
    held = workspace.secrets(source)
    draft = check_draft(workspace, replace(draft, format=source.format))
    keyring = workspace.save_keyring(draft.name, draft.keyring) if draft.keyring else None
    with workspace.catalog.transaction():
        before, source = source, workspace.catalog.sources.update(source, draft, keyring)
        state = workspace.catalog.sources.state(source)
        # A sync that is under way has read the source as it was: with another generation it cannot end.
        # What was seen stays, so that the source cannot go back in time; elsewhere it says nothing.
        seen = state.state if draft.url == before.url else {}
        workspace.catalog.sources.save_state(source, replace(state, state=seen, generation=state.generation + 1))
        workspace.save_secrets(source, draft.secrets)
        was, now = _audited(before, held), _audited(source, draft.secrets)
        if held != draft.secrets:
            was, now = was | {"secrets": "as they were"}, now | {"secrets": "changed"}
        record(workspace, "source.set", source.name, changes(was, now))
    return show_source(workspace, source.name)


def remove_source(workspace: Workspace, name: str) -> Source:
    """Removes a source and what it offered; packages that were imported from it stay.

    ``ConflictError`` while a distribution names it among its base sources.
    """
    source = workspace.catalog.sources.get(name)
    keyring = workspace.keyring(source)
    with workspace.catalog.transaction():
        if based := workspace.catalog.repositories.based_on(source.name):
            raise ConflictError(
                f"{source.name} is a base source of {', '.join(distribution.path for distribution in based)}",
                hint="declare others first with `entrepot dist set DIST --base SOURCE`, or none with --no-base",
            )
        workspace.catalog.available.remove_source(source)
        workspace.catalog.extras.remove_source(source)
        workspace.catalog.sources.remove(source)
        detail = changes(_audited(source, workspace.secrets(source)), {})
        workspace.save_secrets(source, Secrets())
        record(workspace, "source.remove", source.name, detail)
    if keyring:
        keyring.unlink(missing_ok=True)
    return source


@dataclass(frozen=True, slots=True)
class FormatChoice:
    """A format that a source can have, for who fills in a form: with its options, and which client files it reads."""

    name: str
    title: str
    options: Sequence[Option]
    client_files: str


def formats(workspace: Workspace) -> Sequence[FormatChoice]:
    """Every format that is installed, by name."""
    found = sorted(workspace.plugins.formats.items())
    return [FormatChoice(name, item.title, item.source_options, item.clients.help) for name, item in found]


def list_sources(workspace: Workspace) -> Sequence[SourceView]:
    """Every source, by name."""
    return [_view(workspace, source) for source in workspace.catalog.sources.list()]


def show_source(workspace: Workspace, name: str) -> SourceView:
    """One source, with the keys that it is verified with."""
    source = workspace.catalog.sources.get(name)
    view = _view(workspace, source)
    path = workspace.keyring(source)
    index = workspace.format(source.format).index
    if path is None or not isinstance(index, KeyringReader):
        return view
    try:
        return replace(view, keys=index.keys(path.read_bytes(), workspace.now()))
    except OSError as error:
        return replace(view, keyring_problem=f"the keyring cannot be read: {error.strerror}")
    except TrustError as error:
        return replace(view, keyring_problem=error.message)


def sync_source(workspace: Workspace, name: str, progress: Progress = silent, *, force: bool = False) -> SyncResult:
    """Brings what a source offers now into the catalog."""
    source = workspace.catalog.sources.get(name)
    if source.by_hand:
        raise UsageError(
            f"{name} cannot be synced: what it offers comes in bundles", hint="use `entrepot bundle apply FILE`"
        )
    with (
        running(workspace, "sync", source.name, progress) as task,
        workspace.scratch() as folder,
        workspace.transfer(source) as transfer,
    ):
        context = ReadContext(
            source=source,
            transfer=transfer,
            keyring=workspace.keyring(source),
            folder=folder,
            now=workspace.now(),
            progress=task.progress,
            force=force,
            store=workspace.store,
        )
        index = workspace.format(source.format).index
        workspace.pause()
        result = sync(workspace.catalog, index, context, lambda counts: _record_sync(workspace, source, counts))
    if result.counts is None:
        tell(workspace, "source_synced", SourceSynced(source, None))
    return result


def _record_sync(workspace: Workspace, source: Source, counts: SyncCounts) -> None:
    record(workspace, "source.sync", source.name, asdict(counts))
    tell(workspace, "source_synced", SourceSynced(source, counts))


def syncable(workspace: Workspace) -> Sequence[str]:
    """The names of the sources that can be asked what they offer."""
    return [source.name for source in workspace.catalog.sources.list() if not source.by_hand]


def sync_sources(
    workspace: Workspace, names: Sequence[str], progress: Progress = silent, *, force: bool = False
) -> Sequence[SyncResult]:
    """Syncs several sources, every one of the catalog if none is named; ``BatchError`` names those that failed."""
    names = names or syncable(workspace)
    results, failures = [], []
    for name in names:
        try:
            results.append(sync_source(workspace, name, progress, force=force))
        except EntrepotError as error:
            if len(names) == 1:
                raise
            failures.append((name, error))
    if failures:
        raise BatchError(f"{len(failures)} of {len(names)} sources could not be synced", failures, results=results)
    return results


def check_draft(workspace: Workspace, draft: SourceDraft) -> SourceDraft:
    """The draft as it would be kept; ``UsageError`` for what cannot be a source."""
    check_name("source", draft.name)
    draft = _without_user(draft)
    secret_headers(draft.secrets)
    if urlsplit(draft.url).scheme not in ("http", "https", "file", BUNDLE_SCHEME):
        raise UsageError(f"{redact(draft.url)!r} is no URL of a source", hint="http:, https: and file: are read")
    if draft.verify and not draft.keyring:
        raise UsageError(
            f"source {draft.name!r} has no keys to verify it with",
            hint="give --keyring FILE, or --no-verify to trust whatever arrives",
        )
    format_ = workspace.format(draft.format)
    if by_hand(draft.url):
        return _checked_by_hand(workspace, draft)
    known = {option.name: option.type for option in format_.source_options}
    if unknown := set(draft.options) - set(known):
        raise UsageError(f"{draft.format} sources have no option {', '.join(sorted(unknown))}")
    for name, value in draft.options.items():
        if type(value) is not known[name]:
            raise UsageError(f"option {name} of a {draft.format} source is {known[name].__name__}")
    return format_.index.check(draft)


def _checked_by_hand(workspace: Workspace, draft: SourceDraft) -> SourceDraft:
    """A source of bundles has a format, a name and keys; its bundles say what it has."""
    if draft.distributions or draft.components or draft.architectures or draft.options:
        raise UsageError(
            f"source {draft.name!r} comes in bundles, which say themselves what is in them",
            hint="leave distributions, components, architectures and options out",
        )
    index = workspace.format(draft.format).index
    if draft.keyring and isinstance(index, KeyringReader):
        index.keys(draft.keyring, workspace.now())
    return draft


def _without_user(draft: SourceDraft) -> SourceDraft:
    """User information moves from the URLs of source and proxy to where secrets are kept."""
    url, user = split_user(draft.url)
    secrets = replace(draft.secrets, username=user[0], password=user[1]) if user else draft.secrets
    proxy, proxy_user = split_user(draft.connection.proxy or "")
    if proxy_user:
        secrets = replace(secrets, proxy=draft.connection.proxy)
    elif proxy != split_user(secrets.proxy or "")[0]:
        secrets = replace(secrets, proxy=None)
    return replace(draft, url=url, secrets=secrets, connection=replace(draft.connection, proxy=proxy or None))


def _audited(source: Source, secrets: Secrets) -> dict[str, Any]:
    """What the audit log keeps of a source: all its settings, and whether it has secrets."""
    values = asdict(source) | {"secrets": "set" if secrets != Secrets() else "none"}
    return {name: to_text(value) if name == "created_at" else value for name, value in values.items()}


def _view(workspace: Workspace, source: Source) -> SourceView:
    return SourceView(source, workspace.catalog.sources.state(source), workspace.secrets(source) != Secrets())
