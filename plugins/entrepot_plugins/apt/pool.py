"""Where packages lie below ``pool/``: Debian's custom, one folder for everything built from one source package."""

from __future__ import annotations

import re
from collections.abc import Mapping

_VERSION_IN_SOURCE = re.compile(r"\s*\(\s*([^()\s]*)\s*\)\s*$")


def pool_folder(source_name: str, component: str) -> str:
    """``pool/main/h/hello``; ``pool/main/libx/libxml2`` for what begins with ``lib``, as those are too many for one l.

    A component with a prefix (``updates/main``) keeps it, so that its files never meet those of the plain one.
    A version after the name (``hello (2.10-3)``, as the field ``Source`` has it) is left out.
    """
    name = _VERSION_IN_SOURCE.sub("", source_name)
    return f"pool/{component}/{name[:4] if name.startswith('lib') else name[:1]}/{name}"


def source_of(fields: Mapping[str, str]) -> tuple[str, str]:
    """Name and version of the source package of a binary package's stanza.

    ``Source`` is only there where it differs from ``Package``, and names a version only where that differs from
    ``Version`` (policy 5.6.1), which it does for every binary-only rebuild.
    """
    source = fields.get("Source", "").strip()
    if not source:
        return fields.get("Package", ""), fields.get("Version", "")
    match = _VERSION_IN_SOURCE.search(source)
    if not match:
        return source, fields.get("Version", "")
    return source[: match.start()], match[1]
