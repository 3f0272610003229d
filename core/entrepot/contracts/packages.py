"""Reading package files, and what their signatures are worth."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from entrepot.contracts.signing import Signer
    from entrepot.models import Content, PackageInfo, RemoteFile


@dataclass(frozen=True, slots=True)
class SignatureCheck:
    """The signature of a package's own file. ``keys`` are key ids or fingerprints, ``detail`` a sentence.

    ``status`` is ``trusted`` (good, by a key of the keyring), ``untrusted`` (by another key), ``unsigned`` or ``bad``
    (it does not fit the file, or its key is expired, revoked or weak).
    """

    status: str
    keys: tuple[str, ...] = ()
    detail: str = ""
    made: tuple[str, ...] = field(default=(), compare=False)
    """For each signature what it is of, by which key, and what it is worth."""
    checked_by_clients: bool = field(default=True, compare=False)
    """Whether clients of the format look at it. If not, an index that vouches for the package outweighs a signature by
    a key that nobody knows."""


class PackageReader(Protocol):
    """Reads package files. They are hostile until proven otherwise."""

    suffixes: tuple[str, ...]
    """Of file names that this format takes, main files only: ``(".deb", ".udeb", ".dsc")``."""

    def read(self, files: Sequence[Path], upstream: bytes | None) -> PackageInfo:
        """What a package says of itself; the main file first, each under the name it is to be published by.

        ``upstream`` is the index's text where it came from a source; its fields survive. ``PackageError`` for a file
        that is damaged or hostile.
        """
        ...

    def contents(self, files: Sequence[Path]) -> Iterator[tuple[Content, Iterator[bytes]]]:
        """Every member of a package, streamed, each with its content in chunks, which may be left unread.

        A member's content is to be read before the next member is asked for. Only files have any; memory does not
        depend on the package, and the limits of ``read`` hold. ``PackageError`` as there.
        """
        ...

    def disagreements(self, info: PackageInfo, upstream: bytes) -> Sequence[str]:
        """Where the package's own data and the index's contradict each other, one sentence each."""
        ...

    def signature(self, files: Sequence[Path], keyring: Path | None) -> SignatureCheck:
        """What the signatures in a package's own files are worth to whoever trusts the keys of ``keyring``."""
        ...

    def resign(self, files: Sequence[Path], signer: Signer, folder: Path, now: dt.datetime) -> Sequence[Path]:
        """The files of a package with the signature of ``signer`` in place of those they had, in ``folder``.

        ``UsageError`` in a format whose packages are not signed themselves.
        """
        ...

    def companions(self, path: Path) -> Sequence[RemoteFile]:
        """The further files that an uploaded main file needs beside it (those a .dsc names); usually none."""
        ...
