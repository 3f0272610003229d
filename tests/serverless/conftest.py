"""A function with a workspace and a bucket, for every test of a module."""

from __future__ import annotations

import pytest

from support.function_site import Site, whole_site
from support.workspaces import keys

__all__ = ["keys", "site", "whole_site"]


@pytest.fixture
def site(whole_site: Site) -> Site:
    """With nothing waiting."""
    whole_site.clear()
    return whole_site
