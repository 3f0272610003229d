"""Reads what apt is configured with (sources.list(5)): deb822 ``.sources`` files and one-line ``.list`` files.

Both become entries, one for each type, URI and suite; entries that differ in nothing but the suite become one source
with several distributions, and ``deb-src`` becomes an option of the source that has the same binary packages.
"""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from entrepot.errors import UsageError
from entrepot.models import SOURCE_ARCHITECTURE, Scalar, Secrets, SourceDraft
from entrepot.transfer.urls import redact, split_user
from entrepot_plugins.shared.openpgp import dearmor
from entrepot_plugins.shared.sources import named

SCHEMES = ("http", "https", "file")
MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "armhf", "i686": "i386", "ppc64le": "ppc64el"}
_YES = frozenset(("yes", "true", "with", "on", "enable", "1"))
_NO = frozenset(("no", "false", "without", "off", "disable", "0"))
_LINE = re.compile(r"(?P<type>\S+)\s+(?:\[(?P<options>[^\]]*)\]\s*)?(?P<rest>\S.*)")
_OPTION = re.compile(r"(?P<name>[A-Za-z0-9-]+)(?P<how>[+-]?)=(?P<value>\S*)")
_GENERIC = frozenset(("apt", "deb", "debs", "linux", "packages", "repo", "repos", "repository", "stable"))


@dataclass(frozen=True, slots=True)
class _Entry:
    """One type, URI and suite. ``options`` are by the names of one-line style, in lower case; lists by blanks."""

    type: str
    url: str
    suite: str
    components: tuple[str, ...]
    options: Mapping[str, str]
    where: str


@dataclass(frozen=True, slots=True)
class _Setup:
    """What sources that are to be one must have in common, besides URL and components."""

    verify: bool
    keyring: bytes | None = field(repr=False)
    architectures: tuple[str, ...]
    options: tuple[tuple[str, Scalar], ...]


@dataclass(slots=True)
class _Suite:
    """All that is configured for a suite of a URL with one setup."""

    components: dict[str, None] = field(default_factory=dict)
    types: set[str] = field(default_factory=set)


_Grouped = dict[tuple[str, _Setup], dict[str, _Suite]]
"""By URL and setup, then by suite."""


class AptClientFiles:
    """Reads the files in which apt's sources are configured. ``etc`` is where apt's own keys are."""

    option = "from-apt"
    help = "a .sources or .list file of apt (sources.list(5))"

    def __init__(self, etc: Path = Path("/etc/apt"), architecture: str | None = None) -> None:
        self._etc = etc
        self._architecture = architecture

    def read(self, text: str, path: Path, options: Mapping[str, Scalar] | None = None) -> Sequence[SourceDraft]:
        """A source for each URL, with all that is configured for it.

        Without ``Architectures`` it is the machine's own; without ``Signed-By`` the keys are those that apt trusts for
        everything. ``cdrom:`` is left out: there is nothing to read it from. ``UsageError`` naming file and line for
        what apt itself would refuse, and for mirror lists and other transports.
        """
        deb822 = path.suffix == ".sources" or (path.suffix != ".list" and re.search(r"(?mi)^types\s*:", text))
        entries = _stanzas(text, path) if deb822 else _lines(text, path)
        native = self._architecture or native_architecture()
        grouped: _Grouped = {}
        # Binary packages first, so that deb-src finds the source that it belongs to.
        for entry in sorted(entries, key=lambda entry: entry.type):
            url = entry.url.replace("$(ARCH)", native).rstrip("/")
            if url.startswith("cdrom:"):
                continue
            if urlsplit(url).scheme not in SCHEMES:
                raise UsageError(
                    f"{entry.where}: {redact(url)} is not a URL that can be read",
                    hint="http:, https: and file: are read; for a list of mirrors, name one of them",
                )
            name, setup = entry.suite.replace("$(ARCH)", native), self._setup(entry, native)
            if entry.type == "deb-src":
                setup = _setup_of_binaries(grouped, url, name, setup)
            suite = grouped.setdefault((url, setup), {}).setdefault(name, _Suite())
            suite.components |= dict.fromkeys(entry.components)
            suite.types.add(entry.type)
        return named(((draft, _wanted_name(draft, path)) for draft in _drafts(grouped)), "apt")

    def _setup(self, entry: _Entry, native: str) -> _Setup:
        options = entry.options
        verify = not _flag(entry, "trusted", default=False)
        flags: dict[str, Scalar] = {}
        if not _flag(entry, "check-valid-until", default=True) or not _flag(entry, "check-date", default=True):
            flags["allow_stale"] = True
        if _flag(entry, "allow-weak", default=False):
            flags["allow_weak"] = True
        architectures = dict.fromkeys(options.get("arch", native).split())
        architectures |= dict.fromkeys(options.get("arch+", "").split())
        removed = options.get("arch-", "").split()
        return _Setup(
            verify,
            self._keyring(entry) if verify else None,
            tuple(name.replace("native", native) for name in architectures if name not in removed),
            tuple(sorted(flags.items())),
        )

    def _keyring(self, entry: _Entry) -> bytes | None:
        signed_by = entry.options.get("signed-by", "").strip()
        if not signed_by:
            return self._trusted_keys()
        if "-----BEGIN" in signed_by:
            # The empty line of the armor is written as a dot, because an empty line would end the stanza.
            lines = ["" if line.strip() == "." else line.strip() for line in signed_by.splitlines()]
            return _keys("\n".join(lines).encode(), entry.where, "Signed-By")
        keys = []
        for name in signed_by.replace(",", " ").split():
            if not name.startswith("/"):
                raise UsageError(
                    f"{entry.where}: Signed-By names {name!r}, which is not the absolute path of a keyring",
                    hint="give the key's file with --keyring",
                )
            try:
                keys.append(_keys(Path(name).read_bytes(), entry.where, name))
            except OSError as error:
                raise UsageError(f"{entry.where}: the keyring {name} cannot be read: {error.strerror}") from error
        return b"".join(keys)

    def _trusted_keys(self) -> bytes | None:
        """The keys that apt believes without being told by a source; None if there are none."""
        folder = self._etc / "trusted.gpg.d"
        paths = [self._etc / "trusted.gpg", *sorted([*folder.glob("*.gpg"), *folder.glob("*.asc")])]
        keys = [_keys(path.read_bytes(), str(path), path.name) for path in paths if path.is_file()]
        return b"".join(keys) or None


def _setup_of_binaries(grouped: _Grouped, url: str, suite: str, setup: _Setup) -> _Setup:
    """The setup of a suite's binary packages if it differs in architectures only, which source packages do not have."""
    for (other_url, other), suites in grouped.items():
        if other_url == url and suite in suites and replace(other, architectures=setup.architectures) == setup:
            return other
    return setup


def native_architecture() -> str:
    """The architecture of this machine by Debian's name."""
    if shutil.which("dpkg"):
        return subprocess.run(
            ["dpkg", "--print-architecture"], capture_output=True, text=True, check=True, timeout=30
        ).stdout.strip()
    machine = platform.machine()
    return MACHINES.get(machine, machine)


def _keys(content: bytes, where: str, name: str) -> bytes:
    # Binary, so that several can stand behind each other.
    try:
        return dearmor(content)
    except ValueError as error:
        raise UsageError(f"{where}: the keyring {name} cannot be used: {error}") from error


def _flag(entry: _Entry, name: str, *, default: bool) -> bool:
    value = entry.options.get(name, "").strip().lower()
    if value in _YES:
        return True
    if value in _NO:
        return False
    if value:
        raise UsageError(f"{entry.where}: {name} is {value!r}, neither yes nor no")
    return default


def _lines(text: str, path: Path) -> Iterator[_Entry]:
    """The entries of one-line style."""
    for number, line in enumerate(text.splitlines(), 1):
        line = line.partition("#")[0].strip()
        if not line:
            continue
        where = f"{path}, line {number}"
        match = _LINE.fullmatch(line)
        if not match or match["rest"].startswith("["):
            raise UsageError(f"{where}: this is no entry of sources.list")
        _check_type(match["type"], where)
        options: dict[str, str] = {}
        for word in (match["options"] or "").split():
            option = _OPTION.fullmatch(word)
            if not option:
                raise UsageError(f"{where}: {word!r} is not of the form option=value")
            options[option["name"].lower() + option["how"]] = option["value"].replace(",", " ")
        url, *rest = _words(match["rest"])
        if url.startswith("cdrom:"):
            continue
        if not rest:
            raise UsageError(f"{where}: no suite follows the URL {redact(url)}")
        yield _entry(match["type"], url, rest[0], rest[1:], options, where)


def _words(text: str) -> list[str]:
    """Words by blanks; quotes and brackets, which only ``cdrom:`` needs, hold words together."""
    return re.findall(r'(?:"[^"]*"|\[[^\]]*\]|\S)+', text)


_FIELDS = {
    "architectures": "arch",
    "architectures-add": "arch+",
    "architectures-remove": "arch-",
}


def _stanzas(text: str, path: Path) -> Iterator[_Entry]:
    """The entries of deb822 style."""
    for number, fields in _deb822(text, path):
        where = f"{path}, line {number}"
        if fields.get("enabled", "yes").strip().lower() in _NO:
            continue
        for name in ("types", "uris", "suites"):
            if not fields.get(name, "").split():
                raise UsageError(f"{where}: the stanza has no {name.title().replace('Uris', 'URIs')}")
        options = {_FIELDS.get(name, name): value for name, value in fields.items()}
        components = fields.get("components", "").split()
        for type_ in fields["types"].split():
            _check_type(type_, where)
            for url in fields["uris"].split():
                for suite in fields["suites"].split():
                    yield _entry(type_, url, suite, components, options, where)


def _deb822(text: str, path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """The stanzas, as fields by lower-case name, with the number of the line that each starts at."""
    fields: dict[str, str] = {}
    start, last = 1, ""
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if line.startswith("#"):
            continue
        if not line.strip():
            if fields:
                yield start, fields
            fields, last = {}, ""
        elif line[0] in " \t":
            if not last:
                raise UsageError(f"{path}, line {number}: a continuation line without a field before it")
            fields[last] += "\n" + line.strip()
        else:
            name, colon, value = line.partition(":")
            if not colon:
                raise UsageError(f"{path}, line {number}: this is neither a field nor a comment")
            start = start if fields else number
            last = name.strip().lower()
            fields[last] = value.strip()


def _check_type(type_: str, where: str) -> None:
    if type_ not in ("deb", "deb-src"):
        raise UsageError(f"{where}: the type is {type_!r}, neither deb nor deb-src")


def _entry(
    type_: str, url: str, suite: str, components: Sequence[str], options: Mapping[str, str], where: str
) -> _Entry:
    if suite.endswith("/") == bool(components):
        problem = "there are components for the flat suite" if components else "there are no components for the suite"
        raise UsageError(
            f"{where}: {problem} {suite!r}",
            hint="a suite that ends in a slash is flat and has none; any other has some",
        )
    return _Entry(type_, url, suite, tuple(components), options, where)


def _drafts(grouped: _Grouped) -> list[SourceDraft]:
    """Suites that differ in nothing else in one source; its name is the suite's until it gets one."""
    found: dict[tuple[object, ...], SourceDraft] = {}
    for (full_url, setup), suites in grouped.items():
        url, user = split_user(full_url)
        for name, suite in suites.items():
            options: dict[str, Scalar] = dict(setup.options)
            architectures = setup.architectures
            if "deb-src" in suite.types:
                options["sources"] = True
            if "deb" not in suite.types:
                architectures = (SOURCE_ARCHITECTURE,)
            components = tuple(suite.components)
            key = (full_url, components, setup, architectures, tuple(options))
            if draft := found.get(key):
                found[key] = replace(draft, distributions=(*draft.distributions, name))
                continue
            found[key] = SourceDraft(
                name=name,
                format="apt",
                url=url,
                distributions=(name,),
                components=components,
                architectures=architectures,
                verify=setup.verify,
                keyring=setup.keyring,
                options=options,
                secrets=Secrets(*user) if user else Secrets(),
            )
    return list(found.values())


def _wanted_name(draft: SourceDraft, path: Path) -> str:
    """``debian-bookworm`` for the suite ``bookworm`` of a folder ``debian``."""
    parts = PurePosixPath(urlsplit(draft.url).path).parts
    segments = [part for part in parts if part.lower() not in _GENERIC | {"/"}]
    base = segments[-1] if segments else path.name.partition(".")[0]
    suite = draft.distributions[0].strip("./")
    text = base if not suite or suite == base else f"{base}-{suite}"
    return f"{text}-source" if draft.architectures == (SOURCE_ARCHITECTURE,) else text
