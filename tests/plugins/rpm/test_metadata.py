"""Advisories, groups and modules."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from entrepot.errors import IndexFormatError
from entrepot.models import Extra, PackageRef
from entrepot_plugins.rpm import metadata, modules

SIZES = (1 << 18, 7)
"""Bytes of a chunk."""


def opened(content: bytes, size: int = SIZES[0]) -> Callable[[], Iterator[bytes]]:
    def chunks() -> Iterator[bytes]:
        for start in range(0, len(content), size):
            yield content[start : start + size]

    return chunks


def advisories(content: str, size: int = SIZES[0]) -> list[Extra]:
    return list(metadata.advisories(opened(content.encode(), size), name="updateinfo"))


def comps(content: str) -> list[Extra]:
    return list(metadata.comps(opened(content.encode()), name="comps"))


def read_modules(content: str, size: int = SIZES[0]) -> list[Extra]:
    return list(modules.modules(opened(content.encode(), size), name="modules.yaml"))


UPDATE = """<update from="errata@example.org" status="final" type="security" version="3">
    <id>EX-2026:0001</id><title>Important: nginx</title><issued date="2026-01-02 03:04:05"/>
    <updated date="1767409445"/><severity>Important</severity><release>9</release>
    <description>Fixes &lt;things&gt;.</description><solution>Update.</solution>
    <references><reference href="https://example.org/CVE-2026-0001" id="CVE-2026-0001" type="cve" title="x"/>
    <reference href="https://example.org/b/1" id="1" type="bugzilla" title="CVE-2026-12345 nginx"/></references>
    <pkglist><collection short="x"><name>c</name>
    <module name="nginx" stream="1.20" version="9" context="abc" arch="x86_64"/>
    <package name="nginx" version="1.20" release="2" epoch="1" arch="x86_64" src="nginx-1.20-2.src.rpm">
      <filename>nginx-1.20-2.x86_64.rpm</filename><reboot_suggested/></package>
    <package name="nginx" version="1.20" release="2" arch="src"/>
    </collection></pkglist>
  </update>"""


@pytest.mark.parametrize("size", SIZES)
def test_an_advisory_is_read_with_all_that_a_page_shows(size: int) -> None:
    (found,) = advisories(f'<?xml version="1.0"?>\n<updates>\n{UPDATE}\n</updates>', size)
    assert (found.kind, found.name, found.title) == ("advisory", "EX-2026:0001", "Important: nginx")
    assert found.packages == (
        PackageRef("nginx", "1:1.20-2", "x86_64"),
        PackageRef("nginx", "1.20-2", "source"),
    )
    wanted = {
        "type": "security",
        "severity": "Important",
        "issued": "2026-01-02T03:04:05+00:00",
        "updated": "2026-01-03T03:04:05+00:00",
        "cves": ["CVE-2026-0001", "CVE-2026-12345"],
        "modules": ["nginx:1.20:9:abc:x86_64"],
        "reboot_suggested": True,
        "description": "Fixes <things>.",
    }
    assert {key: found.data[key] for key in wanted} == wanted
    assert found.raw.startswith(b"<update from=")
    assert found.raw.endswith(b"</update>")


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ('<issued date="2013-01-27 16:08:05 UTC"/>', "2013-01-27T16:08:05+00:00"),
        ('<issued date="2013-01-27"/>', "2013-01-27T00:00:00+00:00"),
        ('<issued date="1555429284"/>', "2019-04-16T15:41:24+00:00"),
        ('<issued date=""/>', ""),
        ('<issued date="15mangled2"/>', ""),
        ('<issued date="99999999999"/>', "5138-11-16T09:46:39+00:00"),
        ("<issued/>", ""),
        ("", ""),
    ],
)
def test_dates_come_in_many_forms(text: str, date: str) -> None:
    (found,) = advisories(f"<updates><update><id>A</id>{text}</update></updates>")
    assert found.data["issued"] == date
    assert found.title == "A"


@pytest.mark.parametrize("size", SIZES)
def test_advisories_of_one_id_are_put_together(size: int) -> None:
    def one(package: str, reference: str) -> str:
        return (
            f"<update><id>A</id><title>a</title><references><reference id='{reference}'/></references>"
            f"<pkglist><collection><name>x</name><package name='{package}' version='1' release='1' arch='noarch'/>"
            "</collection></pkglist></update>\n"
        )

    parts = one("x", "1"), "<update><id>B</id></update>", one("y", "2"), one("x", "1"), "<update><id>A</id></update>"
    found = {extra.name: extra for extra in advisories(f"<updates>{''.join(parts)}</updates>", size)}
    assert list(found) == ["B", "A"]
    assert [ref.name for ref in found["A"].packages] == ["x", "y"]
    assert [reference["id"] for reference in found["A"].data["references"]] == ["1", "2"]
    assert found["A"].raw.count(b"<collection>") == 2
    assert found["A"].raw.count(b"<pkglist>") == 1


def test_an_advisory_without_an_id_is_known_by_its_title() -> None:
    found = advisories("<updates><update><id/><title>x</title></update><update/><update><id> </id></update></updates>")
    assert [extra.name for extra in found] == ["x", "unnamed", "unnamed"]


def test_a_large_updateinfo_is_read_with_little_memory() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"<updates>"
        for number in range(3000):
            yield UPDATE.replace("0001<", f"{number}<").replace("Fixes", "x" * 10_000).encode()
        yield b"</updates>"

    tracemalloc.start()
    try:
        count = sum(1 for _ in metadata.advisories(chunks, name="updateinfo"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 3000
    assert peak < 4 << 20


@pytest.mark.parametrize("root", ["updates", "comps"])
def test_what_is_malformed_is_an_error_that_names_the_file(root: str) -> None:
    read = {"updates": advisories, "comps": comps}[root]
    for content in ("", "<html/>", f"<{root}><update>", f"<!DOCTYPE x [<!ENTITY y 'z'>]><{root}/>"):
        with pytest.raises(IndexFormatError, match=r"updateinfo|comps"):
            read(content)


COMPS = """<?xml version="1.0"?>
<!DOCTYPE comps PUBLIC "-//Red Hat, Inc.//DTD Comps info//EN" "comps.dtd">
<comps>
  <environment><id>server</id><name>Server</name><name xml:lang="de">Diener</name>
    <grouplist><groupid>core</groupid></grouplist><optionlist><groupid default="true">web</groupid></optionlist>
  </environment>
  <group><id>core</id><name xml:lang="de">Kern</name><name>Core</name><description>Small</description>
    <default>true</default><uservisible>false</uservisible>
    <packagelist><packagereq type="mandatory">bash</packagereq><packagereq type="optional">nano</packagereq>
    <packagereq>dnf</packagereq></packagelist></group>
  <group><id>web</id><_name>Web</_name><packagelist><packagereq type="default">nginx</packagereq></packagelist></group>
  <category><id>base</id><name>Base</name><grouplist><groupid>core</groupid><groupid>gone</groupid></grouplist></category>
  <langpacks><match install="firefox-langpack-%s" name="firefox"/></langpacks>
</comps>"""


def test_comps_has_groups_environments_categories_and_langpacks() -> None:
    found = {(extra.kind, extra.name): extra for extra in comps(COMPS)}
    assert list(found) == [
        ("group", "core"),
        ("group", "web"),
        ("langpacks", "langpacks"),
        ("environment", "server"),
        ("category", "base"),
    ]
    core = found["group", "core"]
    assert core.title == "Core"
    assert core.packages == (PackageRef("bash"), PackageRef("dnf"), PackageRef("nano"))
    assert core.data["packages"] == {"mandatory": ["bash", "dnf"], "optional": ["nano"]}
    assert (core.data["default"], core.data["visible"], core.data["description"]) == (True, False, "Small")
    assert found["group", "web"].title == "Web"
    assert found["langpacks", "langpacks"].data["match"][0]["name"] == "firefox"


def test_environments_and_categories_are_about_the_packages_of_their_groups() -> None:
    found = {extra.kind: extra for extra in comps(COMPS)}
    assert [ref.name for ref in found["environment"].packages] == ["bash", "dnf", "nano", "nginx"]
    assert [ref.name for ref in found["category"].packages] == ["bash", "dnf", "nano"]
    assert found["environment"].title == "Server"


def test_elements_of_comps_are_kept_as_they_came() -> None:
    for extra in comps(COMPS):
        assert extra.raw.decode() in COMPS


def test_an_endless_comps_is_stopped() -> None:
    chunk = b"<group><id>x</id><description>%b</description></group>" % (b"x" * 200_000)
    endless = partial(itertools.chain, (b"<comps>",), itertools.repeat(chunk))
    with pytest.raises(IndexFormatError, match="more than"):
        for _ in metadata.comps(lambda: iter(endless()), name="comps"):
            pass


MODULES = """---
document: modulemd
version: 2
data:
  name: perl
  stream: 5.30  # a text, not a number
  version: 8030020200313080146
  context: ee9fea00
  static_context: true
  arch: x86_64
  summary: Practical Extraction and Report Language
  description: >-
    Perl is
    name: wrong
  license:
    module:
    - MIT
  dependencies:
  - buildrequires:
      platform: [el8]
    requires:
      platform: [el8]
  profiles:
    common:
      rpms:
      - perl
    minimal:
      rpms: [perl-interpreter]
  api:
    rpms:
    - perl
  artifacts:
    rpms:
    - perl-4:5.30.1-452.module_el8.3.0+1.x86_64
    - perl-4:5.30.1-452.module_el8.3.0+1.src
    - perl-Algorithm-Diff-0:1.1903-9.module.noarch
...
---
document: modulemd-defaults
version: 1
data:
  module: perl
  stream: "5.30"
  profiles:
    5.30: [common]
...
---
version: 1
document: modulemd-obsoletes
data:
    modified: 2020-05-01T00:00Z
    module: perl
    stream: '5.24'
    message: "gone"
---
document: modulemd
data:
  name: nodejs
  stream: 2.10
  version: 1
  context: 'a b'
  arch: x86_64
"""


@pytest.mark.parametrize("size", SIZES)
def test_each_document_of_modules_is_an_extra_as_it_came(size: int) -> None:
    found = {extra.name: extra for extra in read_modules(MODULES, size)}
    assert list(found) == [
        "perl:5.30:8030020200313080146:ee9fea00:x86_64",
        "nodejs:2.10:1:a b:x86_64",
        "perl",
        "perl:5.24:obsoletes",
    ]
    for extra in found.values():
        assert extra.kind == "module"
        assert extra.raw.startswith(b"---\n")
        assert extra.raw.decode().removeprefix("---\n") in MODULES


def test_a_stream_is_text_and_its_packages_are_its_artifacts() -> None:
    perl, nodejs, *_ = read_modules(MODULES)
    assert nodejs.data["stream"] == "2.10"
    assert perl.data["stream"] == "5.30"
    assert perl.data["static_context"] is True
    assert perl.data["profiles"] == ["common", "minimal"]
    assert perl.title == "Practical Extraction and Report Language"
    assert perl.packages == (
        PackageRef("perl", "4:5.30.1-452.module_el8.3.0+1", "x86_64"),
        PackageRef("perl", "4:5.30.1-452.module_el8.3.0+1", "source"),
        PackageRef("perl-Algorithm-Diff", "1.1903-9.module", "noarch"),
    )


def test_defaults_and_obsoletes_are_about_the_packages_of_their_module() -> None:
    _, _, defaults, obsoletes = read_modules(MODULES)
    assert [ref.name for ref in defaults.packages] == ["perl", "perl-Algorithm-Diff"]
    assert obsoletes.packages == defaults.packages
    assert defaults.data["document"] == "defaults"
    assert obsoletes.title == "obsoletes of perl:5.24"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("document: recipe\n", "unknown kind 'recipe'"),
        ("<html>", "unknown kind ''"),
        ("document: modulemd\ndata:\n  stream: x\n", "a module without a name"),
        ("document: modulemd-defaults\n", "without a name"),
        ("a\0b", "is no text"),
    ],
)
def test_what_is_no_modules_file_is_an_error(content: str, message: str) -> None:
    with pytest.raises(IndexFormatError, match=message) as caught:
        read_modules(content)
    assert caught.value.message.startswith("modules.yaml")


def test_an_endless_document_is_stopped() -> None:
    for chunk in (b"x" * 100_000, b"x: y\n" * 10_000):
        with pytest.raises(IndexFormatError, match="more than"):
            list(modules.modules(partial(itertools.repeat, chunk), name="modules.yaml"))


def test_an_empty_file_has_no_modules() -> None:
    assert read_modules("") == []
    assert read_modules("---\n...\n---\n") == []
