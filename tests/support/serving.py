"""Ways in which a published folder reaches clients: straight, and through caches as the documentation has them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from support.nginx import Nginx, examples
from support.upstream import Upstream

ORIGIN, CACHE = examples(Path(__file__).parents[2] / "docs" / "publishing.md")
TTL = 1
"""Seconds for which caches keep what changes in place, instead of the minute that is recommended."""


class Serving:
    """What serves one folder until the end of ``stack``; working files are in ``folder``."""

    def __init__(self, stack: ExitStack, tree: Path, folder: Path) -> None:
        self.caches: list[Nginx] = []
        self._stack = stack
        self._tree = tree
        self._folder = folder

    def plain(self) -> str:
        """The URL of a server that says nothing about caching."""
        return self._stack.enter_context(Upstream(root=self._tree)).url

    def origin(self) -> str:
        """That of nginx as the documentation has it, but for the time to live."""
        servers = ORIGIN.replace("/srv/www/apps", str(self._tree)).replace("max-age=60", f"max-age={TTL}")
        return self._stack.enter_context(Nginx(self._folder / "origin", servers)).url

    def recommended(self) -> str:
        """That of a cache as the documentation has it, which heeds what the origin says."""
        return self._cached()

    def stubborn(self) -> str:
        """That of a cache that keeps everything for the same while, what is missing included."""
        return self._cached("proxy_ignore_headers Cache-Control;", f"proxy_cache_valid any {TTL}s;")

    def check_caches(self, entry: str) -> None:
        """Whatever cached has given out the same entry file more than once, and asked for it again."""
        for cache in self.caches:
            seen = {cached for status, cached, path in cache.log() if status < 400 and path.endswith(f"/{entry}")}
            assert "HIT" in seen
            assert seen & {"EXPIRED", "REVALIDATED"}

    def _cached(self, *more: str) -> str:
        servers = CACHE.replace("/var/cache/nginx/packages", str(self._folder / "cached"))
        servers = servers.replace("http://packages.example.org;", "\n".join([f"{self.origin().rstrip('/')};", *more]))
        self.caches.append(self._stack.enter_context(Nginx(self._folder / "cache", servers)))
        return self.caches[-1].url


Serve = Callable[[Serving], str]
WAYS: list[Serve] = [Serving.plain, Serving.recommended, Serving.stubborn]
