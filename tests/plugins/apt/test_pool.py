"""Folders below pool/, and which source package a stanza belongs to."""

from __future__ import annotations

import pytest

from entrepot_plugins.apt.pool import pool_folder, source_of


@pytest.mark.parametrize(
    ("source", "component", "folder"),
    [
        ("hello", "main", "pool/main/h/hello"),
        ("libxml2", "main", "pool/main/libx/libxml2"),
        ("lib3ds", "non-free", "pool/non-free/lib3/lib3ds"),
        ("liboo", "main", "pool/main/libo/liboo"),
        ("librarian", "contrib", "pool/contrib/libr/librarian"),
        ("lib", "main", "pool/main/lib/lib"),
        ("0ad", "main", "pool/main/0/0ad"),
        ("hello (2.10-3)", "main", "pool/main/h/hello"),
        ("linux", "updates/main", "pool/updates/main/l/linux"),
    ],
)
def test_a_package_lies_in_the_folder_of_its_source(source: str, component: str, folder: str) -> None:
    assert pool_folder(source, component) == folder


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (None, ("hello", "2.10-3+b1")),
        ("", ("hello", "2.10-3+b1")),
        ("greet", ("greet", "2.10-3+b1")),
        ("hello (2.10-3)", ("hello", "2.10-3")),
        ("hello(2.10-3)", ("hello", "2.10-3")),
        (" hello  ( 1:2.10-3 ) ", ("hello", "1:2.10-3")),
    ],
)
def test_the_source_of_a_stanza_is_its_own_name_unless_it_says_otherwise(
    source: str | None, expected: tuple[str, str]
) -> None:
    fields = {"Package": "hello", "Version": "2.10-3+b1"}
    if source is not None:
        fields["Source"] = source
    assert source_of(fields) == expected
