"""A small language that says which packages of a source are meant: ``section = net and not *-dbg``.

It knows nothing of catalogs and formats: ``parse`` makes a tree of a text, and ``str`` of a tree is a text that means
the same.
"""

from entrepot.query.nodes import EVERYTHING, All, AnyOf, Match, Newest, Not, Query, WithDependencies
from entrepot.query.parser import QueryError, parse, parse_names, size_of

__all__ = [
    "EVERYTHING",
    "All",
    "AnyOf",
    "Match",
    "Newest",
    "Not",
    "Query",
    "QueryError",
    "WithDependencies",
    "parse",
    "parse_names",
    "size_of",
]
