"""Bundles: what a version of a distribution has, in one file that is carried to where no network is.

A bundle is an uncompressed tar archive. Its first member is a manifest, its second a signature of that; the manifest
says what every further member is: its place, size and digest. So it is checked while it is read, once, from a pipe as
well, and nothing of it is believed before its signature is.
"""

from entrepot.bundles.archive import ArchiveReader, ArchiveWriter
from entrepot.bundles.chunks import ChunkReader, ChunkWriter, check_chunks, is_chunked, open_chunks
from entrepot.bundles.manifest import (
    LATEST,
    Base,
    Feed,
    Listed,
    Manifest,
    Member,
    read_manifest,
)

__all__ = [
    "LATEST",
    "ArchiveReader",
    "ArchiveWriter",
    "Base",
    "ChunkReader",
    "ChunkWriter",
    "Feed",
    "Listed",
    "Manifest",
    "Member",
    "check_chunks",
    "is_chunked",
    "open_chunks",
    "read_manifest",
]
