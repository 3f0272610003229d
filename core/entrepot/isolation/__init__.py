"""Scanners in processes of their own: with limits, and with answers that are believed only after they were checked.

::

    command ──fork──> zygote ──fork──> worker ──runs──> scanner, and what it starts
       └───────────── requests, answers ──┘

The *zygote* is forked from the command before its threads begin, does one thing at a time and forks *workers* when it
is asked. So a worker has every plugin object and setting without being sent them, and takes milliseconds to replace. It
serves one request after the other. Whatever it does, the command only ever reads JSON from it.
"""

from entrepot.isolation.case import Case, OpenServices, Others, ScanServices
from entrepot.isolation.host import Host, LostError, open_host

__all__ = ["Case", "Host", "LostError", "OpenServices", "Others", "ScanServices", "open_host"]
