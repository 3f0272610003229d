"""On which line of a file a key stands."""

from __future__ import annotations

import pytest

from entrepot.toml_places import Key, dotted, line_of

TEXT = '''# a comment
executor = "threads:"
[policies.prod]
inherits = "soft"
deny = [
    { package = "a" },
    # between two
    { package = "b", licence = "c" },
]
text = """
[policies.prod.osv]
warn = 1
"""
[[policies.prod.vulnerabilities.ignore]]
id = "A"
[[policies.prod.vulnerabilities.ignore]]
id = "B"
until = 3
[policies.prod.vulnerabilities.ignore.more]
x = 1
[policies.prod.osv]
"with.dot" = 1
a.b = 2
inline = { one = { two = 3 } }
numbers = [1, 2]
'''


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("executor",), 2),
        (("policies",), 3),
        (("policies", "prod"), 3),
        (("policies", "prod", "inherits"), 4),
        (("policies", "prod", "deny"), 5),
        (("policies", "prod", "deny", 0, "package"), 6),
        (("policies", "prod", "deny", 1), 8),
        (("policies", "prod", "deny", 1, "licence"), 8),
        (("policies", "prod", "vulnerabilities", "ignore", 0, "id"), 15),
        (("policies", "prod", "vulnerabilities", "ignore", 1, "until"), 18),
        (("policies", "prod", "vulnerabilities", "ignore", 1, "more", "x"), 20),
        (("policies", "prod", "osv"), 21),
        (("policies", "prod", "osv", "with.dot"), 22),
        (("policies", "prod", "osv", "a", "b"), 23),
        (("policies", "prod", "osv", "inline", "one", "two"), 24),
        (("policies", "prod", "osv", "numbers", 1), 25),
        (("policies", "prod", "osv", "not there"), 21),
        (("nowhere", "at all"), None),
    ],
)
def test_a_key_stands_on_its_line(key: Key, line: int | None) -> None:
    assert line_of(TEXT, key) == line


def test_a_long_array_is_found_in_little_time_by_its_first_line() -> None:
    entries = "\n".join(f'  {{ package = "p{number}" }},' for number in range(5000))
    assert line_of(f"a = 1\ndeny = [\n{entries}\n]\nb = 2\n", ("deny", 4000, "package")) == 2
    assert line_of(f"a = 1\ndeny = [\n{entries}\n]\nb = 2\n", ("b",)) == 5004


def test_a_key_is_told_as_it_is_written() -> None:
    assert dotted(("policies", "prod", "deny", 1, "licence")) == "policies.prod.deny[1].licence"
