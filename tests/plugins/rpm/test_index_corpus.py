"""Reading real RPM repositories, good and broken ones."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from entrepot.errors import DigestError, IndexFormatError, TrustError
from entrepot_plugins.rpm import metadata, modules
from entrepot_plugins.rpm.fields import fields
from entrepot_plugins.rpm.fragments import Document, batches
from entrepot_plugins.rpm.index import RpmIndexReader
from entrepot_plugins.rpm.library import createrepo
from entrepot_plugins.rpm.mirrors import parse_list, parse_metalink
from entrepot_plugins.shared import openpgp
from entrepot_plugins.shared.compression import decompress, suffix_of
from support.corpus import CORPUS, corpus, corpus_files
from support.rpm_repository import Reader, available
from support.upstream import Upstream

pytestmark = pytest.mark.corpus

LIBREPO = "repodata/librepo/c_tests"
WRONG_SIZE = "repodata/createrepo_c/repo_01"
ROOTS = sorted({str(path.parent.parent.relative_to(CORPUS)) for path in CORPUS.rglob("repodata/repomd.xml")})


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    with Upstream(root=CORPUS) as up:
        yield Reader(up, tmp_path, options={"allow_weak": True})


def opened(path: Path) -> Callable[[], Iterator[bytes]]:
    suffix = suffix_of(path.read_bytes()[:16], path.name)
    return partial(decompress, path, suffix, limit=1 << 30, name=path.name)


@pytest.mark.parametrize("root", [root for root in ROOTS if root != WRONG_SIZE])
def test_a_real_repository_is_read_as_createrepo_reads_it(reader: Reader, root: str) -> None:
    folder = corpus(root)
    reader.path = f"{root}/"
    assert reader.read() is not None
    repomd = createrepo().Repomd(str(folder / "repodata" / "repomd.xml"))
    primary = next(record for record in repomd.records if record.type == "primary")
    expected: list[tuple[str, str, str]] = []

    def take(package: Any) -> None:
        expected.append((package.name, (package.summary or "").strip(), package.location_href))

    createrepo().xml_parse_primary(str(folder / primary.location_href), pkgcb=take)
    found = [(row.name, row.summary, row.location) for rows in reader.rows.values() for row in rows]
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize("root", [root for root in ROOTS if root != WRONG_SIZE])
def test_every_package_of_a_real_repository_can_be_fetched_and_read(reader: Reader, root: str) -> None:
    corpus(root)
    reader.path = f"{root}/"
    reader.read()
    for key, rows in reader.rows.items():
        for row, raw in zip(rows, reader.raws[key], strict=True):
            (file,) = RpmIndexReader().files(raw, available(row))
            assert file.name.startswith(f"{row.name}-")
            assert dict(fields(raw))["name"] == row.name
    for item in reader.fragments:
        for element in filter(None, item):
            ET.fromstring(b'<m xmlns:rpm="rpm">' + element + b"</m>")


def test_a_repository_whose_repomd_has_a_wrong_size_is_refused(reader: Reader) -> None:
    corpus(WRONG_SIZE)
    reader.path = f"{WRONG_SIZE}/"
    with pytest.raises(DigestError, match="size is 783, not 782"):
        reader.read()


def test_a_repository_with_all_kinds_of_metadata_gives_them_all(reader: Reader) -> None:
    root = "repodata/createrepo_c/repo_with_additional_metadata"
    corpus(root)
    reader.path = f"{root}/"
    reader.read()
    kinds = {key: [extra.kind for extra in found] for key, found in reader.extras.items()}
    assert kinds["updateinfo"] == ["advisory"]
    assert set(kinds["modules"]) == {"module"}
    assert "group" in kinds["group"]
    assert not [key for key in kinds if key.endswith(("_db", "_zck"))]


@pytest.mark.parametrize("name", ["00", "01", "02", "03"])
def test_documents_with_odd_elements_keep_them(name: str) -> None:
    folder = corpus("repodata", "createrepo_c", "modified_repo_files")
    for path in folder.glob(f"unknown_element_{name}-*.xml"):
        kind = path.stem.rpartition("-")[2]
        document = Document(kind, path.name, opened(path))
        if name == "01":  # one of its two packages is called otherwise
            with pytest.raises(IndexFormatError, match="says that it has 2 packages, and has 1"):
                list(batches(document))
        else:
            assert sum(map(len, batches(document))) == 2


def test_a_real_signature_of_a_repomd_is_checked() -> None:
    folder = corpus(LIBREPO)
    for root in ("repo_yum_01", "../yum_mock/01"):
        repodata = folder / root / "repodata"
        content = (repodata / "repomd.xml").read_bytes()
        signature = (repodata / "repomd.xml.asc").read_bytes()
        verify = partial(openpgp.verify, keyring=folder / "key.pub", name="repomd.xml", signature=signature)
        assert verify(content).payload == content
        with pytest.raises(TrustError, match="bad signature"):
            verify(content + b"<!-- changed -->")


@pytest.mark.parametrize(
    ("name", "mirrors", "generations"),
    [("metalink_good_01", 24, 1), ("metalink_bad_01", 1, 1), ("metalink_with_alternates", 24, 2)],
)
def test_real_metalinks_are_read(name: str, mirrors: int, generations: int) -> None:
    found = parse_metalink(corpus(LIBREPO, "metalinks", name).read_bytes(), name=name)
    assert len(found.urls) >= mirrors
    assert all(url.startswith(("http://", "https://")) and url.endswith("/") for url in found.urls)
    assert len(found.generations) == generations


@pytest.mark.parametrize("name", ["good_02", "good_03", "bad_02", "really_bad_01", "really_bad_02", "really_bad_03"])
def test_metalinks_that_say_nothing_of_use_are_errors(name: str) -> None:
    """Those called good are so to a client that does not ask for digests, or for mirrors."""
    content = corpus(LIBREPO, "metalinks", f"metalink_{name}").read_bytes()
    with pytest.raises(IndexFormatError, match="the metalink"):
        parse_metalink(content, name="the metalink")


def test_real_lists_of_mirrors_are_read() -> None:
    folder = corpus(LIBREPO, "mirrorlists")
    assert parse_list((folder / "mirrorlist_01").read_bytes(), name="x") == ("http://foo.bar/fedora/linux/",)
    for name in ("mirrorlist_02", "mirrorlist_03"):
        with pytest.raises(IndexFormatError):
            parse_list((folder / name).read_bytes(), name="x")


@pytest.mark.parametrize(
    "path", [path for path in corpus_files("", ".xml", ".xz", ".gz") if "updateinfo" in path.name], ids=str
)
def test_real_advisories_are_as_many_as_createrepo_finds(path: Path) -> None:
    found = list(metadata.advisories(opened(path), name=path.name))
    records = createrepo().UpdateInfo(str(path)).updates
    assert len(found) == len({record.id for record in records})
    packages = (package.name for record in records for group in record.collections for package in group.packages)
    assert {ref.name for extra in found for ref in extra.packages} == set(filter(None, packages))


@pytest.mark.parametrize(
    "path", [path for path in corpus_files("", ".xml", ".bz2", ".xz", ".gz") if "comps" in path.name], ids=str
)
def test_real_comps_are_read(path: Path) -> None:
    found = list(metadata.comps(opened(path), name=path.name))
    assert {extra.kind for extra in found} & {"group", "category", "environment"}
    for extra in found:
        ET.fromstring(extra.raw)


@pytest.mark.parametrize(
    "path", [path for path in corpus_files("", ".yaml", ".xz", ".gz") if "modules.yaml" in path.name], ids=str
)
def test_real_modules_are_read_as_a_yaml_parser_reads_them(path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    content = b"".join(opened(path)())
    found = list(modules.modules(lambda: iter([content]), name=path.name))
    documents = [item for item in yaml.load_all(content, Loader=yaml.BaseLoader) if item]
    assert len(found) == len(documents)
    streams = {
        (data["name"], data["stream"], len(set(data.get("artifacts", {}).get("rpms", []))))
        for data in (item["data"] for item in documents if item["document"] == "modulemd")
    }
    assert {
        (extra.data["name"], extra.data["stream"], len(extra.packages))
        for extra in found
        if extra.data["document"] == "stream"
    } == streams
