"""Which packages a machine can install besides those of its own architecture."""

from __future__ import annotations

from collections.abc import Mapping

NOARCH = "noarch"

_X86 = ("i686", "i586", "i486", "i386")
_ALSO: Mapping[str, tuple[str, ...]] = {
    "x86_64": _X86,
    "x86_64_v2": ("x86_64", *_X86),
    "x86_64_v3": ("x86_64_v2", "x86_64", *_X86),
    "x86_64_v4": ("x86_64_v3", "x86_64_v2", "x86_64", *_X86),
    "i686": _X86[1:],
    "i586": _X86[2:],
    "i486": _X86[3:],
    "armv8hl": ("armv7hnl", "armv7hl", "armv6hl"),
    "armv7hnl": ("armv7hl", "armv6hl"),
    "armv7hl": ("armv6hl",),
    "ppc64": ("ppc",),
    "s390x": ("s390",),
    "sparc64": ("sparcv9", "sparc"),
}
"""As in rpm's own tables, the best first; libraries of 32 bits (multilib) last. What is not here installs its own."""


def installable_on(machine: str) -> tuple[str, ...]:
    """The architectures that a machine can install, without ``noarch``, in the order in which they are preferred."""
    return (machine, *_ALSO.get(machine, ()))
