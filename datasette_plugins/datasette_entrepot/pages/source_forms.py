"""The forms of a source: add one, add those of a client's file, change one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from datasette_entrepot.pages.form import Form
from datasette_entrepot.pages.routing import Page, PageCall, Pages, Redirect, require_text
from datasette_entrepot.pages.sources import CRUMBS
from datasette_entrepot.routes_sources import COMMON, CONNECTION, change_of, refuse_local
from entrepot.errors import NotAllowedError, UsageError
from entrepot.models import Connection, Role, SourceDraft
from entrepot.services import sources

pages = Pages()

LISTS = ("distributions", "components", "architectures")
PLAIN = tuple(declared for declared in COMMON if declared.name in ("url", *LISTS))
KEY_FOLDERS = ("/usr/share/keyrings/", "/etc/apt/keyrings/", "/etc/apt/trusted.gpg.d/", "/etc/pki/rpm-gpg/")
"""Folders of the server from which everybody who adds sources may take keys: nothing else is kept there."""
LOCAL = re.compile(r"(?:^|[\s=,\[<>|\"'])(?:file:/*)?(/[^\s,\]\"']+)", re.M)


@pages.get("/sources/add", "source.change")
async def add_form(call: PageCall) -> Page:
    """The forms to add a source: its fields one by one, or what a client is configured with."""
    formats = await call.run(sources.formats)
    context = {"formats": formats, "values": _typed(call.form, {}), "default": Connection(), "changing": None}
    return Page("source_form.html", "Add a source", context, crumbs=CRUMBS)


@pages.post("/sources/add", "source.change", shown_on=add_form)
async def add(call: PageCall) -> Redirect:
    """Adds it."""
    formats = await call.run(sources.formats)
    chosen = next((item for item in formats if item.name == call.form.text("format")), None)
    if chosen is None:
        raise UsageError("choose a format", field="format")
    name, url = require_text(call, "name", "a source needs a name"), require_text(call, "url", "a source needs a URL")
    change = replace(_change(call, chosen), verify=call.form.flag("verify"))
    view = await call.run(sources.add_source, change.apply(SourceDraft(name=name, format=chosen.name, url=url)))
    return Redirect(f"/sources/{view.source.name}", f"{view.source.name} is added; its first sync reads what it offers")


@pages.post("/sources/paste", "source.change", shown_on=add_form)
async def paste(call: PageCall) -> Redirect:
    """Adds what the configuration of a client names: all of it or, if something cannot be, nothing."""
    text = require_text(call, "text", "paste the text of a file")
    format_name = call.form.text("text_format")
    _refuse_files(call, text)
    keyring = _keyring(call.form, "text_keyring")
    change = sources.Change(keyring=keyring, verify=True if keyring else None, options=_variables(call.form))
    name = PurePosixPath(call.form.text("file_name") or "pasted").name
    if not re.fullmatch(r"[\w.+-]{1,100}", name):
        raise UsageError("the name of the file has letters, digits and .+-_ only", field="file_name")
    drafts = await call.run(sources.read_client_text, format_name, text, Path(name), change)
    for draft in drafts:
        refuse_local(call, draft.url)
    views = await call.run(sources.add_sources, drafts, name)
    names = ", ".join(view.source.name for view in views)
    return Redirect("/sources", f"{names} {'is' if len(views) == 1 else 'are'} added")


@pages.get("/sources/{source}/edit", "source.change")
async def edit_form(call: PageCall) -> Page:
    """The form to change a source; secrets are not shown, and stay if nothing is typed."""
    view = await call.run(sources.show_source, call.parameters["source"])
    source = view.source
    held: dict[str, Any] = {
        "url": source.url,
        "format": source.format,
        "verify": source.verify,
        **{name: " ".join(getattr(source, name)) for name in LISTS},
        **{f"option_{source.format}_{name}": value for name, value in source.options.items()},
        **{declared.name: getattr(source.connection, declared.name) for declared in CONNECTION},
    }
    held = {name: value for name, value in held.items() if value is not None}
    formats = [item for item in await call.run(sources.formats) if item.name == source.format]
    context = {"formats": formats, "values": _typed(call.form, held), "default": Connection(), "changing": view}
    crumbs = [*CRUMBS, (source.name, f"/sources/{source.name}")]
    return Page("source_form.html", f"Change {source.name}", context, crumbs=crumbs)


@pages.post("/sources/{source}/edit", "source.change", shown_on=edit_form)
async def edit(call: PageCall) -> Redirect:
    """Changes it: lists that were emptied are empty, secrets that were left open stay."""
    view = await call.run(sources.show_source, call.parameters["source"])
    formats = await call.run(sources.formats)
    chosen = next(item for item in formats if item.name == view.source.format)
    form = call.form
    change = replace(
        _change(call, chosen),
        url=require_text(call, "url", "a source needs a URL"),
        verify=form.flag("verify"),
        distributions=form.texts("distributions"),
        components=form.texts("components"),
        architectures=form.texts("architectures"),
    )
    changed = await call.run(sources.set_source, view.source.name, change)
    message = f"{changed.source.name} is changed; its next sync reads everything again"
    return Redirect(f"/sources/{changed.source.name}", message)


def _change(call: PageCall, chosen: sources.FormatChoice) -> sources.Change:
    form = call.form
    values = form.parse(PLAIN)
    connection: dict[str, Any] = form.parse(CONNECTION)
    if form.has("proxy") and "proxy" not in connection:
        connection["proxy"] = None
    values["connection"] = connection
    values["options"] = _options(form, chosen)
    values["secrets"] = None if form.flag("forget_secrets") else _secrets(form)
    change = change_of(call, values)
    # What is left out of the connection of an API call stays; so does what a form leaves open.
    if "proxy" in connection and connection["proxy"] is None:
        change = replace(change, connection={**(change.connection or {}), "proxy": None})
    return replace(change, keyring=_keyring(form, "keyring"))


def _options(form: Form, chosen: sources.FormatChoice) -> Mapping[str, Any]:
    values: dict[str, Any] = {}
    for option in chosen.options:
        name = f"option_{chosen.name}_{option.name}"
        if option.type is bool:
            values[option.name] = form.flag(name)
        elif option.type is int:
            text = form.text(name)
            if text and not re.fullmatch(r"-?[0-9]{1,9}", text):
                raise UsageError(f"{option.name} is a number", field=name)
            values[option.name] = int(text) if text else option.default
        else:
            values[option.name] = form.text(name)
    return values


def _secrets(form: Form) -> Mapping[str, Any]:
    """What was typed of them."""
    secrets: dict[str, Any] = {name: form.text(name) for name in ("username", "password") if form.text(name)}
    headers = {}
    for line in form.text("headers").splitlines():
        name, colon, value = line.partition(":")
        if not line.strip():
            continue
        if not colon or not name.strip():
            raise UsageError("a header is written as NAME: VALUE, one on a line", field="headers")
        headers[name.strip()] = value.strip()
    return secrets | ({"headers": headers} if headers else {})


def _keyring(form: Form, name: str) -> bytes | None:
    """The keys of a file that was chosen or of text that was pasted; both together are an error."""
    file, text = form.files.get(f"{name}_file"), form.text(name)
    if file and text:
        raise UsageError("give the keys once: as a file or as text", field=name)
    return file or (f"{text}\n".encode() if text else None)


def _variables(form: Form) -> Mapping[str, Any]:
    return {name: form.text(name) for name in ("releasever", "basearch") if form.text(name)}


def _refuse_files(call: PageCall, text: str) -> None:
    """A file of the server that the text names is read as keys: those who are not admins may name folders of keys."""
    if call.identity.role is Role.ADMIN:
        return
    for path in LOCAL.findall(text):
        if ".." in path or not path.startswith(KEY_FOLDERS):
            raise NotAllowedError(
                f"{path[:200]} is a file of the server, and those are for admins",
                hint=f"keys in {', '.join(KEY_FOLDERS)} may be named; or take the line out and give the keys here",
            )


def _typed(form: Form, held: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the form shows: what was typed, or what is held. Secrets are typed again."""
    if not form:
        return held
    shown: dict[str, Any] = {name: text for name, text in form.pairs if name not in ("password", "username", "headers")}
    return {"verify": False, **shown, **({"format": held["format"]} if "format" in held else {})}
