"""The entry point for functions: ``entrepot.serverless.handler``. See docs/serverless.md."""

from entrepot.serverless.function import handler

__all__ = ["handler"]
