"""Reading apt's own configuration."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.errors import UsageError
from entrepot.models import Secrets, SourceDraft
from entrepot_plugins.apt.client_files import AptClientFiles, native_architecture
from entrepot_plugins.apt.index import AptIndexReader
from support.apt_repository import Key, key_maker


@pytest.fixture(scope="module")
def keys() -> Iterator[tuple[Key, Key]]:
    with key_maker() as make:
        yield make("One <one@example.org>"), make("Two <two@example.org>")


@pytest.fixture
def etc(tmp_path: Path, keys: tuple[Key, Key]) -> Path:
    folder = tmp_path / "etc"
    (folder / "trusted.gpg.d").mkdir(parents=True)
    (folder / "trusted.gpg").write_bytes(keys[0].public)
    (folder / "trusted.gpg.d" / "two.asc").write_bytes(keys[1].armored)
    return folder


def read(etc: Path, text: str, name: str = "x.list") -> list[SourceDraft]:
    drafts = AptClientFiles(etc, "amd64").read(text, Path(name))
    return [AptIndexReader().check(draft) for draft in drafts]


def test_a_line_becomes_a_source_with_the_machines_architecture_and_apts_keys(etc: Path, keys: tuple[Key, Key]) -> None:
    (draft,) = read(etc, "deb https://example.org/debian stable main contrib # the rest\n")
    assert (draft.name, draft.format, draft.url) == ("debian-stable", "apt", "https://example.org/debian")
    assert (draft.distributions, draft.components) == (("stable",), ("main", "contrib"))
    assert (draft.architectures, draft.verify, draft.options) == (("amd64",), True, {})
    assert draft.keyring == keys[0].public + keys[1].public


def test_lines_that_differ_in_the_suite_alone_become_one_source(etc: Path) -> None:
    text = """
        deb https://example.org/debian stable main
        deb-src https://example.org/debian stable main
        deb https://example.org/debian/ stable-updates main
        deb-src https://example.org/debian stable-updates main
        deb https://example.org/security stable-security main
    """
    first, second = read(etc, text)
    assert (first.distributions, first.options) == (("stable", "stable-updates"), {"sources": True})
    assert (second.name, second.distributions, second.options) == ("security-stable-security", ("stable-security",), {})


def test_deb_src_belongs_to_its_binary_packages_whatever_their_architectures(etc: Path) -> None:
    (draft,) = read(
        etc, "deb-src https://example.org/d stable main\ndeb [arch=amd64,i386] https://example.org/d stable main\n"
    )
    assert (draft.architectures, draft.options) == (("amd64", "i386"), {"sources": True})


def test_components_on_several_lines_are_one_sources(etc: Path) -> None:
    (draft,) = read(etc, "deb https://example.org/d stable main\ndeb https://example.org/d stable contrib\n")
    assert draft.components == ("main", "contrib")


def test_deb_src_alone_reads_source_packages_alone(etc: Path) -> None:
    (draft,) = read(etc, "deb-src https://example.org/debian stable main")
    assert (draft.architectures, draft.options) == (("source",), {"sources": True})


def test_options_in_brackets_are_read(etc: Path, tmp_path: Path, keys: tuple[Key, Key]) -> None:
    keyring = tmp_path / "one.gpg"
    keyring.write_bytes(keys[0].public)
    (draft,) = read(
        etc,
        f"deb [ arch=amd64,i386 signed-by={keyring} lang=none check-valid-until=no ] https://example.org/d stable main",
    )
    assert (draft.architectures, draft.keyring) == (("amd64", "i386"), keys[0].public)
    assert draft.options == {"allow_stale": True}


@pytest.mark.parametrize(
    ("options", "architectures"),
    [("arch+=i386", ("amd64", "i386")), ("arch=amd64,i386 arch-=amd64", ("i386",)), ("arch=arm64", ("arm64",))],
)
def test_architectures_can_be_added_and_removed(etc: Path, options: str, architectures: tuple[str, ...]) -> None:
    assert read(etc, f"deb [{options}] https://example.org/d stable main")[0].architectures == architectures


def test_a_trusted_source_is_not_verified(etc: Path) -> None:
    (draft,) = read(etc, "deb [trusted=yes] file:/srv/repo ./")
    assert (draft.verify, draft.keyring, draft.distributions, draft.components) == (False, None, ("./",), ())


def test_user_and_password_move_to_the_secrets(etc: Path) -> None:
    (draft,) = read(etc, "deb https://me:p%40ss@example.org/debian stable main")
    assert draft.url == "https://example.org/debian"
    assert draft.secrets == Secrets("me", "p@ss")
    assert "p@ss" not in repr(draft)


def test_the_variable_arch_is_replaced(etc: Path) -> None:
    assert read(etc, "deb [trusted=yes] https://example.org/d $(ARCH)/")[0].distributions == ("amd64/",)


def test_comments_empty_lines_and_cdroms_are_left_out(etc: Path) -> None:
    text = '# deb https://example.org/a x main\n\n   \ndeb cdrom:[Debian 12 _Bookworm_ - "x"]/ stable main\n'
    assert read(etc, text) == []


DEB822 = """\
# a comment
Types: deb deb-src
URIs: https://example.org/debian https://example.org/other
Suites: stable
# in the middle
  stable-updates
Components: main
Signed-By: {keyring}

Enabled: no
Types: deb
URIs: https://example.org/off
Suites: stable
Components: main
"""


def test_a_stanza_becomes_a_source_for_each_url(etc: Path, tmp_path: Path, keys: tuple[Key, Key]) -> None:
    keyring = tmp_path / "two.asc"
    keyring.write_bytes(keys[1].armored)
    drafts = read(etc, DEB822.format(keyring=keyring), "debian.sources")
    assert [draft.name for draft in drafts] == ["debian-stable", "other-stable"]
    for draft in drafts:
        assert draft.distributions == ("stable", "stable-updates")
        assert (draft.options, draft.keyring) == ({"sources": True}, keys[1].public)


def test_a_key_can_stand_in_the_stanza(etc: Path, keys: tuple[Key, Key]) -> None:
    armor = "\n".join(f" {line or '.'}" for line in keys[1].armored.decode().splitlines())
    text = f"Types: deb\nURIs: https://example.org/d\nSuites: ./\nArchitectures: amd64 i386\nSigned-By:\n{armor}\n"
    (draft,) = read(etc, text, "anything")
    assert (draft.keyring, draft.architectures) == (keys[1].public, ("amd64", "i386"))


def test_sources_with_different_keys_stay_apart_and_get_names_of_their_own(
    etc: Path, tmp_path: Path, keys: tuple[Key, Key]
) -> None:
    keyring = tmp_path / "one.gpg"
    keyring.write_bytes(keys[0].public)
    text = f"deb https://example.org/d stable main\ndeb [signed-by={keyring}] https://example.net/d stable contrib\n"
    assert [draft.name for draft in read(etc, text)] == ["d-stable", "d-stable-2"]


def test_a_source_without_a_telling_url_is_named_after_its_file(etc: Path) -> None:
    assert read(etc, "deb https://example.org/apt stable main", "vendor.list")[0].name == "vendor-stable"


def test_without_any_key_there_is_no_keyring(tmp_path: Path) -> None:
    assert read(tmp_path, "deb https://example.org/d stable main")[0].keyring is None


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.list", "\nrpm https://example.org/d stable main", "x.list, line 2: the type is 'rpm'"),
        ("x.list", "deb https://example.org/d", "x.list, line 1: no suite follows"),
        ("x.list", "deb", "x.list, line 1: this is no entry"),
        ("x.list", "deb [arch=amd64 https://example.org/d stable main", "x.list, line 1: this is no entry"),
        ("x.list", "deb [arch] https://example.org/d stable main", "'arch' is not of the form option=value"),
        ("x.list", "deb https://example.org/d stable", "there are no components for the suite 'stable'"),
        ("x.list", "deb https://example.org/d ./ main", "there are components for the flat suite './'"),
        ("x.list", "deb mirror+file:/etc/mirrors.txt stable main", r"mirror.* is not a URL that can be read"),
        ("x.list", "deb [trusted=perhaps] https://example.org/d ./", "trusted is 'perhaps', neither yes nor no"),
        ("x.list", "deb [signed-by=ABCDEF] https://example.org/d ./", "not the absolute path of a keyring"),
        ("x.list", "deb [signed-by=/nowhere.gpg] https://example.org/d ./", "/nowhere.gpg cannot be read"),
        ("x.sources", "\n\nTypes: deb\nURIs: https://example.org/d\n", "x.sources, line 3: the stanza has no Suites"),
        ("x.sources", "Types deb\n", "x.sources, line 1: this is neither a field nor a comment"),
        ("x.sources", " continued\n", "x.sources, line 1: a continuation line"),
    ],
)
def test_what_apt_would_refuse_is_an_error_that_names_file_and_line(
    etc: Path, name: str, text: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        read(etc, text, name)


def test_a_url_in_an_error_has_no_password(etc: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read(etc, "deb ssh://me:secret@example.org/d stable main")
    assert "secret" not in str(caught.value)


def test_the_machines_architecture_has_debians_name() -> None:
    assert native_architecture().isalnum()
