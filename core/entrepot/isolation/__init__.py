"""Scanners in processes of their own: with limits, and with answers that are believed only after they were checked.

::

    command ──fork──> zygote ──fork──> worker ──runs──> scanner, and what it starts
       └───────────── requests, answers ──┘

The *zygote* is forked from the command before its threads begin, does one thing at a time and forks *workers* when it
is asked. So a worker has every plugin object and setting without being sent them, and takes milliseconds to replace. It
serves one request after the other; the next ones may be on their way already. What it wants to know of the catalog it
asks the command in the meantime. Whatever it does, the command only ever reads JSON from it.
"""

from entrepot.isolation.case import NOBODY, Case, OpenServices, Others, ScanServices, Together
from entrepot.isolation.host import Host, open_host
from entrepot.isolation.offers import Base, Moment, Offers

__all__ = [
    "NOBODY",
    "Base",
    "Case",
    "Host",
    "Moment",
    "Offers",
    "OpenServices",
    "Others",
    "ScanServices",
    "Together",
    "open_host",
]
