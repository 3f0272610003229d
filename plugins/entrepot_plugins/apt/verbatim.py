"""Upstream's own indexes, kept as they came: everything below ``dists/SUITE`` that a source wants of it.

What the Release lists is kept in each compression that the server has, as clients ask for the one that they like best.
The plain form is left out where there is another: no client asks for it, and servers rarely have it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from entrepot.contracts import VERBATIM, ReadContext, TreeFile, VersionView
from entrepot.errors import ConflictError, IndexFormatError, MissingError, TrustError, UsageError
from entrepot.models import Extra, IndexPart, PackageFile, Phase, Scalar
from entrepot_plugins.shared import openpgp
from entrepot_plugins.shared.compression import SUFFIXES, content_type
from entrepot_plugins.shared.keeping import keep_bytes, keep_file, keep_remote, note_index, noted_index

from . import fetch
from .entry import safe_path
from .layout import Plan, url
from .release import LIMIT, ListedFile
from .root import IN_RELEASE, RELEASE, SIGNATURE_LIMIT, Root

KIND = "extra"
FURTHER = ("contents", "translations", "dep11", "cnf", "installer")
"""What there is besides packages: what ``verbatim_with`` names."""
RELEASE_GPG = "Release.gpg"
_SUMS = re.compile(rb"([0-9a-f]{64}) [ *](\S.*)")
_LARGEST_IMAGE = 8 << 30


@dataclass(frozen=True, slots=True)
class Wanted:
    """A distribution whose indexes are to be kept. ``groups`` are what its Release lists, by path without suffix."""

    root: Root
    groups: Mapping[str, Mapping[str, ListedFile]]
    jobs: Sequence[fetch.Job]

    @property
    def part(self) -> IndexPart:
        """What the catalog knows it by."""
        names = hashlib.sha256(json.dumps(sorted(self.groups)).encode()).hexdigest()[:16]
        return IndexPart(
            key=self.root.place.path(self.root.file),
            digest=f"sha256:{self.root.sha256} {names}",
            distribution=self.root.place.distribution,
            component=self.jobs[0].part.component if self.jobs else "",
            architecture="",
            kind=KIND,
            signed_by=self.root.signed_by,
        )


def further(options: Mapping[str, Scalar], name: str) -> tuple[str, ...]:
    """What the source ``name`` keeps besides packages; ``UsageError`` for what there is not."""
    names = tuple(dict.fromkeys(str(options.get("verbatim_with") or "").replace(",", " ").split()))
    if unknown := set(names) - {*FURTHER, "all"}:
        raise UsageError(
            f"option verbatim_with of {name!r} names {', '.join(sorted(unknown))}",
            hint=f"there are {', '.join(FURTHER)}, and all",
        )
    return FURTHER if "all" in names else names


def wanted(root: Root, plan: Plan, jobs: Sequence[fetch.Job], more: Sequence[str]) -> Wanted:
    """What of a distribution is to be kept: its packages' indexes that the source reads, and ``more``."""
    assert root.release is not None
    pattern = _pattern(plan, more)
    groups: dict[str, dict[str, ListedFile]] = {}
    for path, listed in root.release.files.items():
        suffix = next((suffix for suffix in SUFFIXES if suffix and path.endswith(suffix)), "")
        stem = path.removesuffix(suffix)
        if pattern.fullmatch(stem) and _safe(path) and not (listed.weak and not _is_read(stem, jobs)):
            groups.setdefault(stem, {})[suffix] = listed
    return Wanted(root, groups, jobs)


def _pattern(plan: Plan, more: Sequence[str]) -> re.Pattern[str]:
    folders = "|".join(map(re.escape, plan.folders))
    architectures = "|".join(map(re.escape, (*plan.architectures, "all")))
    component, arch = f"(?:{folders})", f"(?:{architectures})"
    read = "|".join(re.escape(index.path) for index in plan.wanted)
    choices = [
        read,
        f"(?:{component}/)?(?:debian-installer/)?binary-{arch}/Release",
        f"{component}/i18n/Translation-en",
    ]
    if any(index.path.endswith("/Sources") for index in plan.wanted):
        choices.append(f"{component}/source/Release")
    known = {
        "contents": f"(?:{component}/)?Contents-(?:(?:udeb-)?{arch}|source)",
        "translations": rf"{component}/i18n/(?:Translation-[A-Za-z_@.-]+|Index)",
        "dep11": rf"{component}/dep11/(?:Components-{arch}\.yml|icons-[0-9x@]+\.tar)",
        "cnf": f"{component}/cnf/Commands-{arch}",
        "installer": rf"{component}/installer-{arch}/[A-Za-z0-9.+~_-]+/images/(?:MD5|SHA256)SUMS",
    }
    return re.compile("|".join([*choices, *(known[name] for name in more)]))


def _is_read(stem: str, jobs: Sequence[fetch.Job]) -> bool:
    return any(job.wanted.path == stem for job in jobs)


def _safe(path: str) -> bool:
    try:
        return safe_path(path.encode()) == path
    except ValueError:
        return False


def keep(context: ReadContext, wanted: Wanted) -> list[str]:
    """Has all of it in the private store, and leaves a note for ``read``; answers what a person should know.

    ``MissingError`` for an index of packages that the server does not have, ``DigestError`` for what is not as the
    Release says.
    """
    files, warnings = _roots(context, wanted.root)
    with ThreadPoolExecutor(max_workers=max(1, context.transfer.concurrency)) as pool:
        try:
            for kept in pool.map(lambda stem: _keep_group(context, wanted, stem), sorted(wanted.groups)):
                files += kept
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    sums = [file for file in files if file.name.endswith("/SHA256SUMS")]
    for file in sums:
        files += _images(context, wanted, file)
    names = {
        path: fetch.by_hash(path, listed)
        for stem, group in wanted.groups.items()
        for path, listed in ((f"{stem}{suffix}", listed) for suffix, listed in group.items())
        if listed.strongest[0] != "sha256"
    }
    place = wanted.root.place
    note_index(
        context,
        _note(context, wanted.part),
        place.distribution,
        sorted(files, key=lambda file: file.name),
        {"by_hash": names},
        signed=wanted.root.signed_by is not None,
    )
    return warnings


def read(context: ReadContext, part: IndexPart) -> Extra:
    """What ``keep`` left."""
    return noted_index(_note(context, part), f"{context.source.name}: indexes of {part.distribution}")


def _note(context: ReadContext, part: IndexPart) -> Path:
    return context.folder / f"{hashlib.sha256(f'{part.key} {part.digest}'.encode()).hexdigest()[:32]}.verbatim"


def _roots(context: ReadContext, root: Root) -> tuple[list[PackageFile], list[str]]:
    """InRelease, and Release with its signature where they say the same."""
    files = [keep_bytes(context, root.content, root.file)]
    title = f"{RELEASE} of {context.source.name} ({root.place.distribution})"
    try:
        release = root.content if root.file == RELEASE else _get(context, root, RELEASE, LIMIT)
    except MissingError:
        return files, []
    if root.file == IN_RELEASE:
        if _lines(release) != _lines(openpgp.unwrap(root.content)):
            return files, [f"{title} is not what InRelease says, and left out"]
        files.append(keep_bytes(context, release, RELEASE))
    try:
        signature = _get(context, root, RELEASE_GPG, SIGNATURE_LIMIT)
        if context.source.verify and context.keyring is not None:
            openpgp.verify(release, context.keyring, name=title, signature=signature)
    except MissingError:
        return files, []
    except TrustError as error:
        return files[:1], [f"{error}: it is left out, as clients read InRelease"]
    return [*files, keep_bytes(context, signature, RELEASE_GPG)], []


def _get(context: ReadContext, root: Root, name: str, limit: int) -> bytes:
    fetched = context.transfer.get(url(context.source.url, root.place.path(name)), limit=limit)
    assert fetched is not None  # nothing was asked for on a condition
    return fetched.content


def _lines(text: bytes) -> list[bytes]:
    return [line.rstrip() for line in text.rstrip().splitlines()]


def _keep_group(context: ReadContext, wanted: Wanted, stem: str) -> list[PackageFile]:
    """Every compression of one index that the server has."""
    group = wanted.groups[stem]
    release, place = wanted.root.release, wanted.root.place
    assert release is not None
    job = next((job for job in wanted.jobs if job.wanted.path == stem), None)
    there = fetch.held(context, job.part) if job else None
    kept: list[PackageFile] = []
    missing: MissingError | None = None
    for suffix, listed in group.items():
        path = f"{stem}{suffix}"
        if not suffix and len(group) > 1:
            continue
        if listed.size > fetch.LARGEST:
            raise IndexFormatError(f"{context.source.name}: {path} has {listed.size} bytes by its Release")
        if there is not None and there[0] == suffix:
            kept.append(keep_file(context, there[1], path))
            continue
        names = [*([fetch.by_hash(path, listed)] if release.acquire_by_hash else []), path]
        urls = [url(context.source.url, place.path(name)) for name in names]
        try:
            kept.append(keep_remote(context, urls, path, listed.strongest, size=listed.size, limit=fetch.LARGEST))
        except MissingError as error:
            missing = error
    if missing is not None and not kept and job and not context.source.flag("ignore_missing_indices"):
        raise missing
    return kept


def _images(context: ReadContext, wanted: Wanted, sums: PackageFile) -> Iterator[PackageFile]:
    """The files of an installer that a list of digests names, which the Release vouches for."""
    folder = sums.name.rpartition("/")[0]
    listed = wanted.groups[sums.name][""]
    where = url(context.source.url, wanted.root.place.path(sums.name))
    path = context.folder / f"{sums.sha256}.sums"
    context.transfer.download(where, path, size=listed.size, digests=dict([listed.strongest]), limit=LIMIT)
    for line in path.read_bytes().splitlines():
        match = _SUMS.fullmatch(line)
        try:
            name = safe_path(match[2]) if match else ""
        except ValueError:
            name = ""
        if not match or not name:
            raise IndexFormatError(f"{context.source.name}: {sums.name} has a malformed line: {line[:120]!r}")
        name = f"{folder}/{name}"
        urls = [url(context.source.url, wanted.root.place.path(name))]
        yield keep_remote(context, urls, name, ("sha256", match[1].decode()), limit=_LARGEST_IMAGE)


# ------------------------------------------------------------------------------------------------- in a tree


def tree_files(version: VersionView, folder: str) -> Iterator[TreeFile]:
    """Upstream's files in ``folder``, as they came, each in its phase; nothing for a distribution that is empty."""
    for extra in version.extras(VERBATIM):
        names: Mapping[str, str] = json.loads(extra.raw).get("by_hash", {})
        signed = any(file.name == IN_RELEASE for file in extra.files)
        for file in extra.files:
            yield from _placed(version, folder, file, names, signed=signed)
        return
    if version.groups():
        raise ConflictError(
            f"version {version.number} of {version.distribution.path} has packages and no index of an upstream",
            hint="mirror the source that they are of; or publish indexes of its own, with --no-verbatim",
        )


def _placed(
    version: VersionView, folder: str, file: PackageFile, names: Mapping[str, str], *, signed: bool
) -> Iterator[TreeFile]:
    path, body = f"{folder}/{file.name}", version.artifact(file.sha256)
    if file.name in (IN_RELEASE, RELEASE, RELEASE_GPG):
        last = file.name == IN_RELEASE or (file.name == RELEASE and not signed)
        yield TreeFile(path, Phase.ENTRY if last else Phase.SIGNATURE, file.size, file.sha256, body, "text/plain")
    else:
        # Under its digest it is written before anything changes that clients read, whether upstream offers that or not.
        first = names.get(file.name, f"{file.name.rpartition('/')[0]}/by-hash/SHA256/{file.sha256}")
        kind = content_type(file.name.rpartition(".")[2])
        yield TreeFile(f"{folder}/{first}", Phase.IMMUTABLE, file.size, file.sha256, body, kind)
        yield TreeFile(path, Phase.INDEX, file.size, file.sha256, body, kind, copy_of=f"{folder}/{first}")
