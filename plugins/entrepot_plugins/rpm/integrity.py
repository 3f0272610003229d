"""The digests and sizes that a package carries of its own parts, and whether they are right.

They prove that a package is whole, not where it comes from: whoever changes the payload can change them as well, unless
a signature covers the header that they are in. Of rpm's checks (``rpm -K``) those of digests, in one pass.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from entrepot.errors import PackageError
from entrepot_plugins.rpm.structure import Header, Parts
from entrepot_plugins.rpm.tags import HASHES, SigTag, Tag
from entrepot_plugins.shared.unpacked import CHUNK

if TYPE_CHECKING:
    from hashlib import _Hash

_OF_HEADER = ((SigTag.SHA1, "sha1"), (SigTag.SHA256, "sha256"), (SigTag.SHA3_256, "sha3_256"))
_OF_PAYLOAD = ((Tag.PAYLOADSHA512, "sha512"), (Tag.PAYLOADSHA3_256, "sha3_256"))
_PAYLOAD_SIZE = 5112
"""PAYLOADSIZE of packages of version 6, in the header: bytes of the payload as it is in the file."""
_SHA256 = 8


@dataclass(frozen=True, slots=True)
class Claim:
    """A digest that a package should have; ``name`` is the tag that says so."""

    name: str
    algorithm: str
    digest: str


def check_headers(parts: Parts) -> None:
    """Sizes, and digests of the header: all that needs no look at the payload."""
    where = parts.header.where
    for tag, algorithm in _OF_HEADER:
        claimed = parts.signature.text(tag).lower()
        if claimed and new_hash(algorithm, parts.header.blob).hexdigest() != claimed:
            raise PackageError(f"{where} is damaged: its {algorithm} is not what {tag.name} says")
    actual = parts.size - parts.start
    for size_tag in (SigTag.SIZE, SigTag.LONGSIZE):
        size = parts.signature.number(size_tag)
        if size is not None and size != actual:
            raise PackageError(f"{where} and payload have {actual} bytes; they should have {size} ({size_tag.name})")
    size = parts.header.number(_PAYLOAD_SIZE)
    if size is not None and size != parts.size - parts.payload:
        raise PackageError(f"{where}: the payload has {parts.size - parts.payload} bytes; it should have {size}")


def payload_claims(header: Header) -> list[Claim]:
    """The digests of the payload that the header has, and a signature of the header covers."""
    claims = []
    digests = header.strings(Tag.PAYLOADDIGEST)
    if digests:
        number = header.number(Tag.PAYLOADDIGESTALGO)
        if number is None:  # packages of version 6: the tag is then called PAYLOADSHA256
            number = _SHA256
        if number not in HASHES:
            raise PackageError(f"{header.where}: PAYLOADDIGESTALGO is {number}, which is no known algorithm")
        claims.append(Claim("PAYLOADDIGEST", HASHES[number], _hexadecimal(digests[0])))
    for tag, algorithm in _OF_PAYLOAD:
        if digests := header.strings(tag):
            claims.append(Claim(tag.name, algorithm, _hexadecimal(digests[0])))
    return claims


def _hexadecimal(text: bytes) -> str:
    return text.decode("ascii", "replace").lower()


def new_hash(algorithm: str, data: bytes = b"") -> _Hash:
    """A hash of hashlib. MD5 and SHA-1 find damage here; nothing relies on them for more."""
    return hashlib.new(algorithm, data, usedforsecurity=False)


class Reading:
    """Reads the payload of a package once and checks every digest that it has of it on the way.

    ``whole``: the SHA-256 of the file is wanted, too.
    """

    def __init__(self, file: BinaryIO, parts: Parts, *, whole: bool = True) -> None:
        self._file = file
        self._parts = parts
        self._whole = new_hash("sha256", parts.front + parts.header.blob)
        self._hashes = [self._whole] if whole else []
        self._claims = [(claim, new_hash(claim.algorithm)) for claim in payload_claims(parts.header)]
        md5 = parts.signature.binary(SigTag.MD5)
        if md5 is not None:
            claim = Claim(SigTag.MD5.name, "md5", md5.hex())
            self._claims.append((claim, new_hash("md5", parts.header.blob)))

    def chunks(self) -> Iterator[bytes]:
        """The payload as it is in the file; ``PackageError`` at its end if it is not what the package says."""
        hashes = [*self._hashes, *(hash_ for _, hash_ in self._claims)]
        self._file.seek(self._parts.payload)
        left = self._parts.size - self._parts.payload
        while left:
            data = self._file.read(min(CHUNK, left))
            if not data:
                raise OSError("the file became shorter while it was read")
            left -= len(data)
            for hash_ in hashes:
                hash_.update(data)
            yield data
        for claim, hash_ in self._claims:
            if hash_.hexdigest() != claim.digest:
                where = self._parts.header.where.removesuffix("header")
                raise PackageError(f"{where}payload is damaged: its {claim.algorithm} is not what {claim.name} says")

    @property
    def sha256(self) -> str:
        """Of the whole file, once ``chunks`` has ended."""
        return self._whole.hexdigest()
