"""What formats have in common that read packages within limits."""

from __future__ import annotations

from entrepot.models import UnpackingLimits


class Limited:
    """A format whose member ``packages`` is cached, and made with ``unpacking``."""

    unpacking = UnpackingLimits()

    def limit(self, limits: UnpackingLimits) -> None:
        """Has packages read within these limits from now on."""
        if limits != self.unpacking:
            self.unpacking = limits
            self.__dict__.pop("packages", None)
