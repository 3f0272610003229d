"""The catalog: one SQLite database, one class per group of tables. All SQL of the core is in this package."""

from entrepot.catalog.catalog import Catalog

__all__ = ["Catalog"]
