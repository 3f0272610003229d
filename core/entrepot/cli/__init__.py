"""The command line: each command parses, calls one service and prints."""

from entrepot.cli.main import main

__all__ = ["main"]
