"""Files that arrive in a form: to disk as they come, under names that are fit for one, within limits."""

from __future__ import annotations

import asyncio
import re
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from datasette_entrepot.problems import MalformedError, MediaTypeError
from datasette_entrepot.protocols import FormData, UploadedFile
from datasette_entrepot.routing import Call
from entrepot.errors import TooLargeError, UsageError
from entrepot.services.requests import UPLOADS

CHUNK = 1 << 20
MOST_FILES = 100
OVERHEAD = 1 << 20
"""Bytes of a form besides its files."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~%:@=^-]{0,250}")


@dataclass
class Spool:
    """A folder of the workspace with files that arrived; it goes unless a task was made that takes it."""

    folder: Path
    fields: list[tuple[str, str]] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    kept: bool = False

    def keep(self) -> None:
        """Leaves the folder to a task."""
        self.kept = True


@asynccontextmanager
async def receive(call: Call) -> AsyncIterator[Spool]:
    """The fields and files of the request's form."""
    limit = call.site.settings.max_package_size
    _check(call, limit)
    parent = call.site.local / UPLOADS
    parent.mkdir(exist_ok=True, mode=0o700)
    spool = Spool(parent / secrets.token_hex(16))
    spool.folder.mkdir(mode=0o700)
    try:
        form = await _form(call, limit)
        try:
            for name, value in form.items():
                if isinstance(value, str):
                    spool.fields.append((name, value))
                elif name != "file":
                    raise UsageError(f"{name[:100]!r} is no field for a file", hint="files are sent as `file`")
                else:
                    await _save(spool, value)
        finally:
            form.close()
        yield spool
    finally:
        if not spool.kept:
            await asyncio.to_thread(shutil.rmtree, spool.folder, ignore_errors=True)


def safe_name(given: str) -> str:
    """The last part of what a client calls a file; ``UsageError`` if it cannot be a file's name here."""
    name = re.split(r"[/\\]", given)[-1]
    if not NAME.fullmatch(name):
        raise UsageError(f"{name[:100]!r} is no name for a package file")
    return name


def _check(call: Call, limit: int) -> None:
    content_type = call.request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() != "multipart/form-data":
        raise MediaTypeError("files are sent as multipart/form-data", hint="curl -F file=@PATH -F distribution=NAME")
    length = call.request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limit + OVERHEAD:
        raise TooLargeError(f"the settings allow {limit} bytes", hint="max_package_size in entrepot.toml")
    # Datasette's parser writes large files to the folder of temporary files first: one beside where they will be.
    if shutil.disk_usage(tempfile.gettempdir()).free < (int(length) if length.isdecimal() else 0):
        raise TooLargeError("there is no room for this on the server's disk")


async def _form(call: Call, limit: int) -> FormData:
    try:
        return await call.request.form(
            files=True, max_file_size=limit, max_request_size=limit + OVERHEAD, max_files=MOST_FILES
        )
    except Exception as error:
        # Datasette's own errors carry a status; the one for what is too large is told by its text alone.
        if getattr(error, "status", None) not in (400, 413):
            raise
        if "large" in str(error) or "disk space" in str(error):
            raise TooLargeError(f"{error}; the settings allow {limit} bytes") from error
        raise MalformedError(f"the form cannot be read: {error}") from error


async def _save(spool: Spool, file: UploadedFile) -> None:
    name = safe_name(file.filename)
    if name in spool.files:
        raise UsageError(f"{name} is there twice")
    spool.files.append(name)
    with (spool.folder / name).open("xb") as stream:
        while chunk := await file.read(CHUNK):
            await asyncio.to_thread(stream.write, chunk)
