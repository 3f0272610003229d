"""``entrepot.toml``: read once, checked at once, every mistake named with file, line and key."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from entrepot.errors import SettingsError
from entrepot.models import Role, UnpackingLimits
from entrepot.notifying import NotifierSettings, read_notifiers
from entrepot.policies import PolicySettings
from entrepot.policies.reading import read_policies
from entrepot.timetable import Job, read_jobs
from entrepot.toml_places import SettingsFile

SETTINGS_FILE = "entrepot.toml"
WEB_NUMBERS = ("tasks", "wait_seconds", "token_minutes")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PublishSettings:
    """How trees are published and looked after."""

    wait: int = 60
    """Seconds to wait for another publisher of the same tree."""
    parallel: int = 16
    """Writes at once to a storage that is not this machine's."""
    grace_days: int = 7
    """Days that a file stays after no version in place names it any more ..."""
    grace_publications: int = 3
    """... and publications of its distribution that have to follow. Both have to be over."""
    gc_share: int = 50
    """Percent of the files of a tree that ``gc`` removes without being asked twice."""
    gz: int = 6
    xz: int = 1
    zst: int = 9
    catalog: str = ""
    """Folder or URL that a copy of the catalog for everybody is published to."""


@dataclass(frozen=True, slots=True)
class HomeSettings:
    """How a workspace on a storage is kept."""

    wait: int = 60
    """Seconds to wait for another command that changes it."""
    keep_generations: int = 20
    """Generations that stay, the newest included ..."""
    keep_days: int = 7
    """... and days of each of which the last one stays, too."""


@dataclass(frozen=True, slots=True)
class IncomingSettings:
    """Where packages are put by whoever may write there, and are taken from."""

    url: str = ""
    """Folder or URL that has ``incoming/``, and gets ``accepted/``, ``held/``, ``rejected/`` and ``reports/``."""
    wait: int = 60
    """Seconds to wait for another command that takes what is there."""
    hours: int = 1
    """How long a package waits for files that it names, and a file for a package that names it."""
    publish: bool = True


@dataclass(frozen=True, slots=True)
class WebSettings:
    """How ``entrepot serve`` and the plugin for Datasette behave."""

    public: bool | None = None
    """Whether everybody may read. None: only where the server listens on this machine alone."""
    tasks: int = 2
    """Processes that work at once on what was asked for."""
    wait_seconds: int = 600
    """How long a request waits for its task before it is answered with where to look."""
    token_minutes: int = 60
    """How long an access token holds."""
    roles: Mapping[str, str] = field(default_factory=dict)
    """Roles of actors that another plugin for Datasette signed in, by their id."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one scanner may take for one package, where it runs in a process of its own."""

    timeout: int = 300
    """Seconds."""
    memory: int = 2048
    """MiB for each process, above what the command itself has."""
    output: int = 4096
    """KiB of its answer, and as much of anything else that it writes to standard output and error."""


@dataclass(frozen=True, slots=True)
class InspectionSettings:
    """How scanners run."""

    limits: Limits = Limits()
    scanners: Mapping[str, Limits] = field(default_factory=dict)
    """Limits of those that have their own."""
    workers: int = 0
    """Scanners at once that run in processes of their own; 0 for as many as there are processors."""
    serve: int = 1000
    """What is asked of a process before it is replaced; 1 for a new one for every question."""
    skip: tuple[str, ...] = ()
    """Scanners that are not asked."""

    def limits_of(self, scanner: str) -> Limits:
        """The limits of a scanner."""
        return self.scanners.get(scanner, self.limits)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a workspace. Tables of plugins are handed to them as they are."""

    policies: Mapping[str, PolicySettings]
    scanners: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    storage: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    signers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    executor: str = "threads:"
    plugins_strict: bool = False
    max_package_size: int = 8 << 30
    """Bytes of one file that is fetched or uploaded."""
    unpacking: UnpackingLimits = field(default_factory=UnpackingLimits)
    allow_file_sources: bool = True
    default_policy: str = "soft"
    default_signer: str = "gpg"
    """Who signs repositories that are made, or told to be signed, from now on; and whose the keys of ``key`` are."""
    publish: PublishSettings = field(default_factory=PublishSettings)
    home: HomeSettings = field(default_factory=HomeSettings)
    incoming: IncomingSettings = field(default_factory=IncomingSettings)
    web: WebSettings = field(default_factory=WebSettings)
    inspection: InspectionSettings = field(default_factory=InspectionSettings)
    schedule: Mapping[str, Job] = field(default_factory=dict)
    """What is done by itself."""
    notify: Mapping[str, NotifierSettings] = field(default_factory=dict)
    """Who is told of events."""
    notify_seconds: int = 5
    """What a command may take at its end to tell them; 0 leaves that to ``notify run``."""

    def policy(self, name: str) -> PolicySettings:
        """The policy of this name; ``SettingsError`` that lists those there are."""
        try:
            return self.policies[name]
        except KeyError:
            known = ", ".join(sorted(self.policies))
            raise SettingsError(f"there is no policy called {name!r}", hint=f"known policies: {known}") from None


def load_settings(path: Path) -> Settings:
    """The settings of a file; the defaults where there is none. ``SettingsError`` names file, line and key."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        text = ""
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}", path=str(path)) from error
    return parse_settings(text, path)


def parse_settings(text: str, path: Path) -> Settings:
    """The settings that a text says; ``path`` is what it is called in errors."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: {error}", path=str(path)) from error
    return read_settings(document, SettingsFile(path, text))


def read_settings(document: dict[str, Any], file: SettingsFile) -> Settings:
    """The settings of a document that was read out of ``file``."""
    reader = _Reader(file, document)
    settings = Settings(
        policies=read_policies(reader.tables("policies"), reader.file),
        scanners=reader.tables("scanners"),
        storage=reader.tables("storage"),
        signers=reader.tables("signers"),
        executor=reader.value("executor", str, "threads:"),
        plugins_strict=reader.value("plugins.strict", bool, False),  # noqa: FBT003 - a default, not a flag
        max_package_size=reader.size("max_package_size", 8 << 30),
        unpacking=reader.unpacking(),
        allow_file_sources=reader.value("allow_file_sources", bool, True),  # noqa: FBT003
        default_policy=reader.value("default_policy", str, "soft"),
        default_signer=reader.value("default_signer", str, "gpg"),
        publish=reader.publish(),
        home=HomeSettings(
            reader.size("home.wait", HomeSettings().wait, 0),
            reader.size("home.keep_generations", HomeSettings().keep_generations),
            reader.size("home.keep_days", HomeSettings().keep_days, 0),
        ),
        incoming=IncomingSettings(
            reader.value("incoming.url", str, ""),
            reader.size("incoming.wait", IncomingSettings().wait, 0),
            reader.size("incoming.hours", IncomingSettings().hours, 0),
            reader.value("incoming.publish", bool, True),  # noqa: FBT003
        ),
        web=reader.web(),
        inspection=reader.inspection(),
        schedule=read_jobs(reader.tables("schedule"), reader.file),
        notify=read_notifiers(reader.tables("notify"), reader.file),
        notify_seconds=reader.size("notify_seconds", 5, 0),
    )
    reader.refuse_unknown()
    if settings.default_policy not in settings.policies:
        raise reader.error("default_policy", f"must be one of {', '.join(sorted(settings.policies))}")
    return settings


class _Reader:
    """Takes values out of the document and notes which, so that what is left over is a mistake."""

    def __init__(self, file: SettingsFile, document: dict[str, Any]) -> None:
        self.file = file
        self.document = document
        self.known: set[str] = set()

    def value(self, key: str, kind: type[T], default: T) -> T:
        table: Any = self.document
        *folders, last = key.split(".")
        self.known.add(key)
        for folder in folders:
            table = table.get(folder, {})
            if not isinstance(table, dict):
                raise self.error(folder, "must be a table")
        found = table.get(last, default)
        if type(found) is not kind:
            raise self.error(key, f"must be {kind.__name__}, not {type(found).__name__}")
        return found

    def size(self, key: str, default: int, least: int = 1) -> int:
        found = self.value(key, int, default)
        if found < least:
            raise self.error(key, f"must be at least {least}")
        return found

    def tables(self, key: str) -> Mapping[str, Mapping[str, Any]]:
        self.known.add(key)
        found = self.document.get(key, {})
        if not isinstance(found, dict):
            raise self.error(key, "must be a table")
        for name, table in found.items():
            if not isinstance(table, dict):
                raise self.error(f"{key}.{name}", "must be a table")
        return found

    def publish(self) -> PublishSettings:
        numbers = {
            name: self.size(f"publish.{name}", default, 0)
            for name, default in asdict(PublishSettings()).items()
            if isinstance(default, int)
        }
        return PublishSettings(**numbers, catalog=self.value("publish.catalog", str, ""))

    def unpacking(self) -> UnpackingLimits:
        usual = UnpackingLimits()
        return UnpackingLimits(
            unpacked=self.size("unpacking.unpacked", usual.unpacked >> 20) << 20,
            members=self.size("unpacking.members", usual.members),
            ratio=self.size("unpacking.ratio", usual.ratio),
        )

    def web(self) -> WebSettings:
        self.known |= {"web.public", "web.roles"}
        table = self.document.get("web", {})
        if not isinstance(table, dict):
            raise self.error("web", "must be a table")
        public, roles = table.get("public"), table.get("roles", {})
        if public is not None and not isinstance(public, bool):
            raise self.error("web.public", f"must be bool, not {type(public).__name__}")
        if not isinstance(roles, dict):
            raise self.error("web.roles", "must be a table")
        for actor, role in roles.items():
            if role not in list(Role):
                raise self.error(f"web.roles.{actor}", f"must be one of {', '.join(Role)}")
        numbers = {name: self.size(f"web.{name}", getattr(WebSettings(), name)) for name in WEB_NUMBERS}
        return WebSettings(public=public, roles=roles, **numbers)

    def inspection(self) -> InspectionSettings:
        limits = Limits(**{name: self.size(f"inspection.{name}", value) for name, value in asdict(Limits()).items()})
        workers = self.size("inspection.workers", 0, 0)
        serve = self.size("inspection.serve", 1000)
        skip = self.value("inspection.skip", list, [])
        if not all(isinstance(name, str) for name in skip):
            raise self.error("inspection.skip", "must be a list of names of scanners")
        own = {}
        for scanner, table in self.value("inspection.scanners", dict, {}).items():
            key = f"inspection.scanners.{scanner}"
            if not isinstance(table, dict):
                raise self.error(key, "must be a table")
            for name, value in table.items():
                if name not in asdict(limits):
                    raise self.error(f"{key}.{name}", f"is not known; known are {', '.join(asdict(limits))}")
                if type(value) is not int or value < 1:
                    raise self.error(f"{key}.{name}", "must be a whole number of at least 1")
            own[scanner] = replace(limits, **table)
        return InspectionSettings(limits, own, workers, serve, tuple(skip))

    def refuse_unknown(self) -> None:
        for key, value in self.document.items():
            inner = {known for known in self.known if known.startswith(f"{key}.")}
            if inner and isinstance(value, dict):
                unknown = [f"{key}.{name}" for name in value if f"{key}.{name}" not in inner]
            else:
                unknown = [] if key in self.known else [key]
            for name in unknown:
                raise self.error(name, f"is not known; known are {', '.join(sorted(self.known))}")

    def error(self, key: str, message: str) -> SettingsError:
        return self.file.error(tuple(key.split(".")), message)
