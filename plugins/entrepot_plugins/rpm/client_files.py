"""Reads what dnf, yum and zypper are configured with: ``.repo`` files (dnf.conf(5), "Repo options").

Every enabled section becomes a source. What a section does not say, ``[main]`` of the same file says for it. Keys are
read where they are files of this machine; those at URLs are nobody's proof of anything, and have to be given.
"""

from __future__ import annotations

import configparser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from entrepot.errors import TransferError, UsageError
from entrepot.models import Connection, Scalar, Secrets, SourceDraft
from entrepot.transfer.urls import file_path, redact, split_user
from entrepot_plugins.shared.openpgp import dearmor
from entrepot_plugins.shared.sources import named

from .draft import expand

SCHEMES = ("http", "https", "file")
_YES = frozenset(("1", "yes", "true", "on"))
_NO = frozenset(("0", "no", "false", "off"))
_MAIN = "main"
_TYPES = ("rpm-md", "rpm", "repomd", "rpmmd", "yum", "")


class RpmClientFiles:
    """Reads the files in which dnf's repositories are configured."""

    option = "from-repo"
    help = "a .repo file of dnf, yum or zypper"

    def read(self, text: str, path: Path, options: Mapping[str, Scalar] | None = None) -> Sequence[SourceDraft]:
        """A source for each enabled section, under its name.

        ``$releasever``, ``$basearch`` and ``$arch`` stand for the options of those names; ``UsageError`` naming file,
        section and variable for any other. A metalink goes before a list of mirrors, and that before base URLs, of
        which those after the first become its mirrors.
        """
        # Sections that stand twice add to each other, as for dnf; nothing is a default for all of them.
        parser = configparser.ConfigParser(
            interpolation=None, strict=False, default_section="", empty_lines_in_values=False
        )
        try:
            parser.read_string(text.removeprefix("\ufeff"), source=path.name)
        except configparser.Error as error:
            raise UsageError(f"{path}: {' '.join(str(error).split())}", path=str(path)) from error
        main = dict(parser[_MAIN]) if parser.has_section(_MAIN) else {}
        given = dict(options or {})
        drafts = []
        for name in parser.sections():
            section = _Section(f"{path}, [{name}]", {**main, **parser[name]}, given)
            if name != _MAIN and section.flag("enabled", default=True):
                drafts.append(_draft(name, section))
        return named(((draft, draft.name) for draft in drafts), "rpm")


@dataclass(frozen=True)
class _Section:
    """One section, with what its variables stand for. ``where`` names it in messages."""

    where: str
    values: Mapping[str, str]
    options: Mapping[str, Scalar]

    def text(self, name: str) -> str:
        """A value without blanks around it, its variables filled in; empty if there is none."""
        raw = self.values.get(name, "").strip()
        return expand(raw, self.options, f"{self.where}: {name}") if raw else ""

    def words(self, name: str) -> list[str]:
        """The parts of a value that is a list: by blanks, commas or lines."""
        return self.text(name).replace(",", " ").split()

    def flag(self, name: str, *, default: bool) -> bool:
        """A value that is yes or no."""
        value = self.values.get(name, "").strip().lower()
        if value in _YES or value in _NO or not value:
            return value in _YES if value else default
        raise UsageError(f"{self.where}: {name} is {value!r}, neither yes nor no")


def _draft(name: str, section: _Section) -> SourceDraft:
    kind = section.text("type").lower()
    if kind not in _TYPES:
        raise UsageError(f"{section.where}: its type is {kind!r}, and only repositories with a repomd.xml are read")
    if not section.flag("sslverify", default=True):
        raise UsageError(
            f"{section.where}: sslverify=0 would take any server for the right one",
            hint="take the line out, and give the certificates that the server may be signed by with --ca-cert",
        )
    options = {key: value for key, value in section.options.items() if key in ("releasever", "basearch")}
    metalink, mirrorlist = section.text("metalink"), section.text("mirrorlist")
    bases = section.words("baseurl")
    # "mirrorlist" may name a metalink, too: that is how yum took it.
    if not metalink and "metalink" in mirrorlist:
        metalink, mirrorlist = mirrorlist, ""
    if metalink or mirrorlist:
        options["metalink" if metalink else "mirrorlist"] = True
    url, *further = _readable([*([metalink or mirrorlist] if metalink or mirrorlist else []), *bases], section)
    plain, user = split_user(url)
    if further:
        # Credentials go to the source's own origin only, so that they are of no use here.
        options["mirrors"] = " ".join(split_user(item)[0] for item in further)
    repo_gpgcheck = section.flag("repo_gpgcheck", default=False)
    if repo_gpgcheck:
        options["repo_gpgcheck"] = True
    verify = section.flag("gpgcheck", default=True) or repo_gpgcheck
    username = section.values.get("username", "").strip() or (user[0] if user else None)
    password = section.values.get("password", "").strip() or (user[1] if user else None)
    return SourceDraft(
        name=name,
        format="rpm",
        url=plain,
        verify=verify,
        keyring=_keyring(section) if verify else None,
        options=options,
        connection=_connection(section),
        secrets=Secrets(username, password),
    )


def _readable(urls: Sequence[str], section: _Section) -> Sequence[str]:
    """Those that can be read; the others are mirrors that nobody misses as long as there is one."""
    if not urls:
        raise UsageError(f"{section.where}: it has neither baseurl nor mirrorlist nor metalink")
    found = [url for url in urls if urlsplit(url).scheme in SCHEMES]
    if not found:
        raise UsageError(
            f"{section.where}: {redact(urls[0])} is not a URL that can be read",
            hint="http:, https: and file: are read; write another of the repository's URLs in its place",
        )
    return found


def _connection(section: _Section) -> Connection:
    proxy: str | None = section.text("proxy")
    if not proxy or proxy.lower() == "_none_":
        proxy = None
    elif user := section.values.get("proxy_username", "").strip():
        password = section.values.get("proxy_password", "").strip()
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        proxy = f"{parts.scheme}://{quote(user, safe='')}:{quote(password, safe='')}@{parts.netloc}{parts.path}"
    return Connection(
        ca_cert=section.text("sslcacert") or None,
        client_cert=section.text("sslclientcert") or None,
        client_key=section.text("sslclientkey") or None,
        proxy=proxy,
    )


def _keyring(section: _Section) -> bytes | None:
    """The keys that are files here. None if there are none, or if one is elsewhere: a person has to fetch it then,
    and compare its fingerprint with one from another place.
    """
    keys = []
    for url in section.words("gpgkey"):
        if urlsplit(url).scheme not in ("file", ""):
            return None
        try:
            path = file_path(url) if url.startswith("file:") else Path(url)
            keys.append(dearmor(path.read_bytes()))
        except (OSError, TransferError):
            return None
        except ValueError as error:
            raise UsageError(f"{section.where}: the key {redact(url)} cannot be used: {error}") from error
    return b"".join(keys) or None
