"""How a solver finds packages in the catalog: by name, and by what they provide."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.catalog import Catalog
from entrepot.models import Described, IndexPart, RawEntry, SourceDraft
from support.views import NOW

PART = IndexPart("Packages", "digest", "stable", "main", "any", "binary", None)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    catalog = Catalog(tmp_path / "catalog.db")
    yield catalog
    catalog.close()


def offer(catalog: Catalog, packages: dict[str, str]) -> int:
    """A source with packages of these names, each with what it provides; answers its id."""
    source = catalog.sources.add(SourceDraft("upstream", "rpm", "https://example.org/"), None, NOW)
    entries = [RawEntry(hashlib.blake2b(name.encode(), digest_size=16).digest(), name.encode()) for name in packages]

    def describe(raw: bytes) -> Described:
        return Described(raw.decode(), "1-1", b"1", "x86_64", provides=packages[raw.decode()])

    with catalog.transaction():
        first = catalog.available.next_id()
        index = catalog.sources.save_index(source, PART, len(packages), NOW)
        catalog.available.replace(index, entries, describe, NOW)
        catalog.available.index_text(first)
    return source.id


def providers(catalog: Catalog, source: int, *names: str) -> list[str]:
    return [found.name for found in catalog.available.providers([source], names, ["x86_64"])]


NAMES = (
    "libc.so.6(GLIBC_2.34)(64bit)",
    "libc.so.6(GLIBC_2.3)(64bit)",
    "libc.so.6(GLIBC_2.34)",
    "libc.so.6()(64bit)",
    "rtld(GNU_HASH)",
    "/usr/bin/python3",
    "/usr/bin/python3.11",
    "/bin/sh",
    "/usr/bin/[",
    "pkgconfig(gtk+-3.0)",
    "pkgconfig(gtk-3.0)",
    "perl(Foo::Bar)",
    "perl(Foo::Bar::Baz)",
    "perl(:MODULE_COMPAT_5.32.1)",
    "config(w)",
    "libstdc++.so.6()(64bit)",
    "font(:lang=de)",
    "mimehandler(x-scheme-handler/http)",
    "python3dist(zope.interface)",
    'kmod("x".ko)',
    "*",
    "provides:x",
    "NEAR(a b)",
    "bücher",
    "bu\u0308cher",
    "パッケージ",
    "\ue000private",
)


@pytest.mark.parametrize("name", [name for name in NAMES if " " not in name and name != "*"])
def test_a_package_is_found_by_exactly_what_it_provides(catalog: Catalog, name: str) -> None:
    packages = {f"p{number}": f"p{number}-x {other} y" for number, other in enumerate(NAMES)}
    source = offer(catalog, packages)
    assert providers(catalog, source, name) == [f"p{NAMES.index(name)}"]


@pytest.mark.parametrize(
    "name", ["", "*", "()", "libc", "libc so 6", "/usr/bin", '"', "a\0b", "NEAR(a", "bücher OR p1"]
)
def test_nothing_is_found_by_anything_else(catalog: Catalog, name: str) -> None:
    source = offer(catalog, {"p1": "libc.so.6 /usr/bin/x", "p2": "a b", "p3": "bücher"})
    assert providers(catalog, source, name) == []


def test_names_are_separated_by_spaces_alone(catalog: Catalog) -> None:
    source = offer(catalog, {"p1": "a\u00a0b c", "p2": "a b"})
    assert providers(catalog, source, "a\u00a0b") == ["p1"]
    assert providers(catalog, source, "a") == ["p2"]


def test_a_package_is_found_once_though_it_provides_several_of_the_names(catalog: Catalog) -> None:
    source = offer(catalog, {"p1": "a b", "p2": "c b"})
    assert sorted(providers(catalog, source, "a", "b", "c")) == ["p1", "p2"]


@pytest.mark.parametrize("count", [1, 10, 400])
def test_no_question_reads_all_packages_of_a_source(catalog: Catalog, count: int) -> None:
    packages = {f"p{number}": f"v{number}" for number in range(count)}
    source = offer(catalog, packages)
    connection = catalog.database.conn
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    assert len(list(catalog.available.candidates([source], packages, ["x86_64"]))) == count
    assert len(list(catalog.available.providers([source], packages.values(), ["x86_64"]))) == count
    connection.set_trace_callback(None)
    questions = [statement for statement in statements if "available_raw" in statement]
    plans = [connection.execute(f"EXPLAIN QUERY PLAN {question}").fetchall() for question in questions]
    first_steps = {plan[0][-1].split(" (")[0] for plan in plans}
    assert first_steps == {"SEARCH a USING INDEX available_by_name", "SEARCH a USING INTEGER PRIMARY KEY"}
