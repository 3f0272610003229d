"""Fixtures that several of these tests share."""

from __future__ import annotations

from support.workspaces import keys

__all__ = ["keys"]
