"""Settings as code: one file that says which sources, repositories, distributions, policies and jobs there are.

``read_declaration`` reads it, ``write_declaration`` writes it. Neither knows the catalog: what has to be done to make a
workspace what a declaration says is the business of ``entrepot.services.applying``.
"""

from entrepot.declaration.reading import parse_declaration, read_declaration
from entrepot.declaration.records import Declaration, DeclaredDistribution, DeclaredRepository, DeclaredSource
from entrepot.declaration.secrets import variable
from entrepot.declaration.writing import armored, edited_settings, write_declaration

__all__ = [
    "Declaration",
    "DeclaredDistribution",
    "DeclaredRepository",
    "DeclaredSource",
    "armored",
    "edited_settings",
    "parse_declaration",
    "read_declaration",
    "variable",
    "write_declaration",
]
