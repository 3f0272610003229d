"""Synthetic RPM repositories of any size: elements as long as real ones, and upstream trees that offer them."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Collection, Iterable, Iterator
from functools import partial
from itertools import count
from pathlib import Path

from entrepot_plugins.rpm.fragments import ROOTS, RPM, Document, Join
from entrepot_plugins.rpm.raw import Fragments, unpack

PACKAGES = 60_000
ADVISORIES = 1_000
FILES, CHANGES, RELATIONS = 24, 6, 9
"""Of each package, so that the three documents have as many kB of it as those of a real, large repository."""
TIME = 1_770_000_000
REPO = "http://linux.duke.edu/metadata/repo"


def fragments(number: int, release: int = 1) -> Fragments:
    """The elements of one package; another ``release`` is another package of the same name."""
    seed = hashlib.sha256(str(number).encode()).hexdigest()
    pkgid = hashlib.sha256(f"{number} {release}".encode()).hexdigest()
    name = f"lib{seed[:8]}-{number}"
    evr = f'epoch="0" ver="{number % 40}.{number % 7}" rel="{release}.el9"'
    words = [seed[at : at + 6] for at in range(0, 54, 6)]
    paths = [f"/usr/share/{name}/{words[n % 9]}/{words[(n + 4) % 9]}-{n}.conf" for n in range(FILES)]
    listed = "".join(f"  <file>{path}</file>\n" for path in paths)
    relation = '      <rpm:entry name="lib{}.so.{}()(64bit)"{}/>\n'.format
    provided = "".join(relation(word, n, f' flags="EQ" {evr}') for n, word in enumerate(words[:3]))
    required = "".join(relation(words[n], n, "") for n in range(RELATIONS))
    changes = "".join(
        f'  <changelog author="Somebody &lt;somebody@example.org&gt; - {n}.{release}-1" date="{TIME - n * 86400}">'
        f"- Rebuilt for {words[n]}, with fixes for {words[n + 1]} and {words[n + 2]}</changelog>\n"
        for n in range(CHANGES)
    )
    primary = (
        f'<package type="rpm">\n  <name>{name}</name>\n  <arch>x86_64</arch>\n  <version {evr}/>\n'
        f'  <checksum type="sha256" pkgid="YES">{pkgid}</checksum>\n  <summary>Words about {words[0]}</summary>\n'
        f"  <description>{name} reads {words[1]} and writes {words[2]}, for programs that have no\n"
        f"{words[3]} of their own. It is as long as descriptions are: some lines about {words[4]}.</description>\n"
        f"  <packager>Somebody</packager>\n  <url>https://{words[0]}.example.org/</url>\n"
        f'  <time file="{TIME}" build="{TIME - 60}"/>\n'
        f'  <size package="{number * 37 + 4000}" installed="{number * 90}" archive="{number * 91}"/>\n'
        f'  <location href="Packages/{name[3]}/{name}-{number % 40}.{number % 7}-{release}.el9.x86_64.rpm"/>\n'
        "  <format>\n    <rpm:license>MIT</rpm:license>\n    <rpm:vendor>Example</rpm:vendor>\n"
        "    <rpm:group>Unspecified</rpm:group>\n    <rpm:buildhost>builder.example.org</rpm:buildhost>\n"
        f"    <rpm:sourcerpm>{words[0]}-{number % 40}.{number % 7}-{release}.el9.src.rpm</rpm:sourcerpm>\n"
        f'    <rpm:header-range start="4504" end="{number % 9000 + 9000}"/>\n'
        f"    <rpm:provides>\n{provided}    </rpm:provides>\n    <rpm:requires>\n{required}    </rpm:requires>\n"
        f"    <file>/usr/bin/{name}</file>\n  </format>\n</package>"
    )
    head = f'<package pkgid="{pkgid}" name="{name}" arch="x86_64">\n  <version {evr}/>\n'
    texts = (primary, f"{head}  <file>/usr/bin/{name}</file>\n{listed}</package>", f"{head}{changes}</package>")
    return Fragments(*(text.encode() for text in texts))


def written_by_createrepo(root: Path) -> Iterator[Fragments]:
    """The elements in the repodata of a tree that createrepo_c made."""
    repodata = root / "repodata"
    documents = [Document(kind, kind, partial(_plain, next(repodata.glob(f"*-{kind}.xml.gz")))) for kind in ROOTS]
    scratch = root / "scratch"
    scratch.mkdir()
    for entry in Join(documents[0], documents[1:], scratch).entries():
        yield unpack(entry.raw)


def _plain(path: Path) -> Iterator[bytes]:
    with gzip.open(path) as file:
        yield from iter(partial(file.read, 1 << 16), b"")


class RpmUpstreamTree:
    """A repository on disk with primary, filelists, other and updateinfo, of which no package file exists."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.repodata = root / "repodata"
        self.repodata.mkdir(parents=True)
        self.plain = 0
        """Bytes of the three documents of packages."""
        self._revisions = count(TIME)

    def publish(self, packages: int = PACKAGES, changed: Collection[int] = ()) -> None:
        """Writes all anew, with another release of the packages whose numbers are ``changed``."""
        for path in self.repodata.iterdir():
            path.unlink()
        self.plain = 0
        writers = {kind: _Writer(self.repodata / f"{kind}.xml.gz") for kind in ROOTS}
        for kind, writer in writers.items():
            root, namespace = ROOTS[kind]
            rpm = f' xmlns:rpm="{RPM}"' if kind == "primary" else ""
            head = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{namespace}"{rpm} packages="{packages}">\n'
            writer.write(head.encode())
        for number in range(packages):
            for writer, text in zip(writers.values(), fragments(number, 1 + (number in changed)), strict=True):
                writer.write(text + b"\n")
        for kind, writer in writers.items():
            writer.write(f"</{ROOTS[kind][0]}>\n".encode())
            self.plain += writer.size
        writers["updateinfo"] = _Writer(self.repodata / "updateinfo.xml.gz")
        writers["updateinfo"].write(_updateinfo(range(0, packages, max(packages // ADVISORIES, 1))))
        records = "".join(writer.record(kind) for kind, writer in writers.items())
        repomd = f'<?xml version="1.0" encoding="UTF-8"?>\n<repomd xmlns="{REPO}">\n'
        repomd += f"<revision>{next(self._revisions)}</revision>\n{records}</repomd>\n"
        (self.repodata / "repomd.xml").write_text(repomd)


class _Writer:
    """A file of repodata, compressed as it is written, and named by its digest at the end."""

    def __init__(self, path: Path) -> None:
        self.size = 0
        self._path = path
        self._plain = hashlib.sha256()
        self._raw = path.open("wb")
        self._file = gzip.GzipFile("", "wb", 4, self._raw, mtime=0)
        self._held: list[bytes] = []

    def write(self, text: bytes) -> None:
        """Takes more."""
        self.size += len(text)
        self._held.append(text)
        if len(self._held) > 100:
            self._flush()

    def record(self, kind: str) -> str:
        """Ends the file; what repomd.xml says of it."""
        self._flush()
        self._file.close()
        self._raw.close()
        with self._path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        placed = self._path.rename(self._path.with_name(f"{digest}-{self._path.name}"))
        return (
            f'<data type="{kind}"><checksum type="sha256">{digest}</checksum>'
            f'<open-checksum type="sha256">{self._plain.hexdigest()}</open-checksum>'
            f'<location href="repodata/{placed.name}"/><timestamp>{TIME}</timestamp>'
            f"<size>{placed.stat().st_size}</size><open-size>{self.size}</open-size></data>\n"
        )

    def _flush(self) -> None:
        joined = b"".join(self._held)
        self._held.clear()
        self._plain.update(joined)
        self._file.write(joined)


def _updateinfo(numbers: Iterable[int]) -> bytes:
    updates = []
    for number in numbers:
        name = fragments(number).primary.partition(b"<name>")[2].partition(b"<")[0].decode()
        updates.append(
            f'<update from="security@example.org" status="final" type="security" version="1"><id>EX-2026:{number}</id>'
            f'<title>{name}</title><issued date="2026-01-02 03:04:05"/><severity>Important</severity>'
            f'<references><reference href="https://example.org/{number}" id="CVE-2026-{number}" type="cve" '
            f'title="CVE-2026-{number}"/></references><pkglist><collection short="c"><name>c</name>'
            f'<package name="{name}" version="{number % 40}.{number % 7}" release="1.el9" epoch="0" arch="x86_64">'
            f"<filename>{name}.rpm</filename></package></collection></pkglist></update>\n"
        )
    return b'<?xml version="1.0" encoding="UTF-8"?>\n<updates>\n' + "".join(updates).encode() + b"</updates>\n"
