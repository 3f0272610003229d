"""What is inside packages, for scanners: the members of the payload, and the scripts that the header has."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from entrepot.models import Content, ContentKind
from entrepot_plugins.rpm.filelist import FileList
from entrepot_plugins.rpm.payload import Payload
from entrepot_plugins.rpm.structure import Header
from entrepot_plugins.rpm.tags import Tag
from entrepot_plugins.shared.unpacked import CHUNK

_KINDS = {
    stat.S_IFDIR: ContentKind.FOLDER,
    stat.S_IFLNK: ContentKind.SYMBOLIC_LINK,
    stat.S_IFCHR: ContentKind.CHARACTER_DEVICE,
    stat.S_IFBLK: ContentKind.BLOCK_DEVICE,
    stat.S_IFIFO: ContentKind.FIFO,
    stat.S_IFSOCK: ContentKind.SOCKET,
}
_SCRIPTLETS = (
    ("%pretrans", Tag.PRETRANS, Tag.PRETRANSPROG),
    ("%pre", Tag.PREIN, Tag.PREINPROG),
    ("%post", Tag.POSTIN, Tag.POSTINPROG),
    ("%preun", Tag.PREUN, Tag.PREUNPROG),
    ("%postun", Tag.POSTUN, Tag.POSTUNPROG),
    ("%posttrans", Tag.POSTTRANS, Tag.POSTTRANSPROG),
    ("%preuntrans", Tag.PREUNTRANS, Tag.PREUNTRANSPROG),
    ("%postuntrans", Tag.POSTUNTRANS, Tag.POSTUNTRANSPROG),
    ("%verify", Tag.VERIFYSCRIPT, Tag.VERIFYSCRIPTPROG),
)
_TRIGGERS = (
    ("%", Tag.TRIGGERSCRIPTS, Tag.TRIGGERSCRIPTPROG, Tag.TRIGGERINDEX, Tag.TRIGGERFLAGS),
    ("%file", Tag.FILETRIGGERSCRIPTS, Tag.FILETRIGGERSCRIPTPROG, Tag.FILETRIGGERINDEX, Tag.FILETRIGGERFLAGS),
    (
        "%transfile",
        *(Tag.TRANSFILETRIGGERSCRIPTS, Tag.TRANSFILETRIGGERSCRIPTPROG),
        *(Tag.TRANSFILETRIGGERINDEX, Tag.TRANSFILETRIGGERFLAGS),
    ),
)
_TRIGGER_KINDS = {1 << 16: "triggerin", 1 << 17: "triggerun", 1 << 18: "triggerpostun", 1 << 25: "triggerprein"}
_SCRIPT_MODE = 0o755


def members(payload: Payload, header: Header, files: FileList, part: str) -> Iterator[tuple[Content, Iterator[bytes]]]:
    """The members of a payload. What they are is taken from the header, as rpm does, how large they are from both."""
    nothing = [b""] * len(files.paths)
    owners = header.strings(Tag.FILEUSERNAME) or nothing
    groups = header.strings(Tag.FILEGROUPNAME) or nothing
    targets = header.strings(Tag.FILELINKTOS) or nothing
    capabilities = header.strings(Tag.FILECAPS) or nothing
    links = files.hard_links()
    for number, size in payload:
        mode = files.modes[number]
        # What is of no known type has content that somebody may read.
        kind = _KINDS.get(stat.S_IFMT(mode), ContentKind.FILE)
        target = targets[number] if kind is ContentKind.SYMBOLIC_LINK else b""
        if kind is ContentKind.FILE and not size and number in links:
            kind, target = ContentKind.HARD_LINK, _relative(files.paths[links[number]])
        content = Content(
            part=part,
            path=os.fsdecode(_relative(files.paths[number])) or ".",
            kind=kind,
            size=size if kind is ContentKind.FILE else 0,
            mode=mode & 0o7777,
            target=os.fsdecode(target),
            owner=os.fsdecode(owners[number]),
            group=os.fsdecode(groups[number]),
            capabilities=os.fsdecode(capabilities[number]),
        )
        yield content, payload.content() if kind is ContentKind.FILE else iter(())


def scripts(header: Header) -> Iterator[tuple[Content, Iterator[bytes]]]:
    """What rpm runs, each with the interpreter as its first line, like the file of a script.

    ``%post``, ``%triggerin[1]``, ``%filetriggerun[2]``: triggers are counted from 1, each kind of table for itself.
    """
    for name, body, program in _SCRIPTLETS:
        if body in header or program in header:
            yield _script(name, header.strings(program), b"".join(header.strings(body)[:1]))
    for prefix, bodies, programs, places, flags in _TRIGGERS:
        kinds = dict(zip(reversed(header.numbers(places)), reversed(header.numbers(flags)), strict=False))
        interpreters = header.strings(programs)
        for number, text in enumerate(header.strings(bodies)):
            kind = next((word for bit, word in _TRIGGER_KINDS.items() if kinds.get(number, 0) & bit), "trigger")
            yield _script(f"{prefix}{kind}[{number + 1}]", interpreters[number : number + 1], text)


def _script(name: str, program: list[bytes], body: bytes) -> tuple[Content, Iterator[bytes]]:
    text = b"#!" + b" ".join(program) + b"\n" + body if any(program) else body
    content = Content("script", name, ContentKind.FILE, len(text), _SCRIPT_MODE)
    return content, (text[at : at + CHUNK] for at in range(0, len(text), CHUNK))


def _relative(path: bytes) -> bytes:
    return b"/".join(part for part in path.split(b"/") if part not in (b"", b"."))
