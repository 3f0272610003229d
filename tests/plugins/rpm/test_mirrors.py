"""Reading RPM sources through lists of mirrors and metalinks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.errors import IndexFormatError, TransferError, TrustError
from entrepot_plugins.rpm.index import RpmIndexReader
from entrepot_plugins.rpm.mirrors import parse_list, parse_metalink
from support.rpm_repository import REPOMD, Reader, Repo, later, package
from support.upstream import Fault, Upstream

HELLO = Repo([package("hello")])
NEWER = later(HELLO, packages=[package("hello", "2.0")])
FOLDERS = ("one", "two", "three")


def listed(up: Upstream, *folders: str) -> bytes:
    return "".join(f"{up.url}{folder}/\n" for folder in folders).encode()


def generation(repomd: bytes, *, size: int | None = None, **digests: str) -> str:
    told = digests or {name: hashlib.new(name, repomd).hexdigest() for name in ("md5", "sha1", "sha256", "sha512")}
    hashes = "".join(f'<hash type="{name}">{value}</hash>' for name, value in told.items())
    number = len(repomd) if size is None else size
    return f"<mm0:timestamp>1</mm0:timestamp><size>{number}</size><verification>{hashes}</verification>"


def metalink(urls: dict[str, int], *generations: str) -> bytes:
    first, *others = generations
    alternates = "".join(f"<mm0:alternate>{text}</mm0:alternate>" for text in others)
    links = "".join(
        f'<url protocol="http" type="http" preference="{preference}">{url}repodata/repomd.xml</url>'
        for url, preference in urls.items()
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<metalink version="3.0" xmlns="http://www.metalinker.org/" '
        'xmlns:mm0="http://fedorahosted.org/mirrormanager"><files><file name="repomd.xml">'
        f"{first}<mm0:alternates>{alternates}</mm0:alternates><resources>{links}</resources></file></files></metalink>"
    ).encode()


@pytest.fixture
def up() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def reader(up: Upstream, tmp_path: Path) -> Reader:
    return Reader(up, tmp_path, path="mirrors", options={"mirrorlist": True})


def serve(up: Upstream, **repos: Repo) -> None:
    for folder, repo in repos.items():
        up.files |= {f"/{folder}{path}": content for path, content in repo.files().items()}


def test_the_first_mirror_that_works_is_used(reader: Reader, up: Upstream) -> None:
    up.files["/mirrors"] = b"# a comment\n\n" + listed(up, *FOLDERS)
    serve(up, one=HELLO, two=HELLO, three=HELLO)
    reader.read()
    assert reader.names == ["hello"]
    assert {request.path.split("/")[1] for request in up.requests} == {"mirrors", "one"}


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=404),
        Fault(status=500),
        Fault(stall_after=-1),
        Fault(content=b"<html><body>This mirror has moved</body></html>"),
        Fault(endless=True),
        Fault(cut_after=10),
    ],
    ids=["missing", "broken", "silent", "a page", "endless", "cut off"],
)
def test_a_mirror_that_does_not_work_is_one_failure(reader: Reader, up: Upstream, fault: Fault) -> None:
    up.files["/mirrors"] = listed(up, *FOLDERS)
    serve(up, one=HELLO, two=HELLO)
    up.fail(f"/one{REPOMD}", fault)
    reader.read()
    assert reader.names == ["hello"]


def test_a_file_that_one_mirror_lacks_or_has_wrong_comes_from_the_next(reader: Reader, up: Upstream) -> None:
    up.files["/mirrors"] = listed(up, *FOLDERS)
    serve(up, one=HELLO, two=HELLO, three=HELLO)
    for path in [path for path in up.files if path.startswith("/one/") and "primary" in path]:
        del up.files[path]
        up.files[path.replace("/one/", "/two/")] = b"something else"
    reader.read()
    assert reader.names == ["hello"]


def test_a_dead_host_is_one_failure(reader: Reader, up: Upstream) -> None:
    with Upstream() as other:
        dead = other.url
    up.files["/mirrors"] = f"{dead}\n".encode() + listed(up, "two")
    serve(up, two=HELLO)
    reader.read()
    assert reader.names == ["hello"]


def test_if_all_mirrors_fail_each_ones_reason_is_told(reader: Reader, up: Upstream) -> None:
    up.files["/mirrors"] = listed(up, *FOLDERS)
    up.fail(f"/two{REPOMD}", Fault(status=503))
    with pytest.raises(TransferError, match="none of the 3 mirrors of upstream could be used") as caught:
        reader.read()
    assert "/one/" in caught.value.message
    assert "503" in caught.value.message


def test_packages_are_looked_for_at_every_mirror_the_one_that_answered_first(reader: Reader, up: Upstream) -> None:
    up.files["/mirrors"] = listed(up, *FOLDERS)
    serve(up, two=HELLO, three=HELLO)
    reader.read()
    urls = RpmIndexReader().urls(reader.source, reader.state, "Packages/a+b.rpm")
    assert urls == [f"{up.url}{folder}/Packages/a%2Bb.rpm" for folder in ("two", "one", "three")]


def test_a_source_that_was_never_synced_has_its_own_url(reader: Reader, up: Upstream) -> None:
    reader.path, reader.options = "one/", {}
    assert RpmIndexReader().urls(reader.source, {}, "a.rpm") == [f"{up.url}one/a.rpm"]


def test_an_unchanged_source_costs_the_list_and_one_conditional_request(reader: Reader, up: Upstream) -> None:
    up.files["/mirrors"] = listed(up, "one", "two")
    serve(up, two=HELLO)
    reader.read()
    up.forget()
    assert reader.read() is None
    assert [(request.path, request.status) for request in up.requests][1:] == [
        (f"/one{REPOMD}", 404),
        (f"/two{REPOMD}", 304),
    ]


def test_a_mirror_that_is_behind_the_last_sync_is_passed_over(reader: Reader, up: Upstream) -> None:
    up.files["/mirrors"] = listed(up, "one", "two")
    serve(up, one=NEWER, two=NEWER)
    reader.read()
    newest = later(NEWER, packages=[package("hello", "3.0")])
    serve(up, one=HELLO, two=newest)
    reader.read()
    assert [row.version for row in reader.rows["packages"]] == ["3.0-1.el9"]
    serve(up, one=HELLO, two=HELLO)
    with pytest.raises(TrustError, match="went back in time"):
        reader.read()


def test_further_base_urls_are_mirrors(reader: Reader, up: Upstream) -> None:
    reader.path, reader.options = "one/", {"mirrors": f"{up.url}two/ {up.url}three/"}
    serve(up, three=HELLO)
    reader.read()
    assert reader.names == ["hello"]


# ------------------------------------------------------------------------------------------------------ metalinks


@pytest.fixture
def linked(reader: Reader) -> Reader:
    reader.options = {"metalink": True}
    return reader


def test_mirrors_of_a_metalink_are_tried_by_preference(linked: Reader, up: Upstream) -> None:
    urls = {f"{up.url}one/": 10, f"{up.url}two/": 100, f"{up.url}three/": 50}
    up.files["/mirrors"] = metalink(urls, generation(HELLO.repomd()))
    serve(up, one=HELLO, two=HELLO, three=HELLO)
    linked.read()
    assert linked.state["mirrors"] == [f"{up.url}{folder}/" for folder in ("two", "three", "one")]


def test_a_mirror_whose_repomd_the_metalink_does_not_know_is_passed_over(linked: Reader, up: Upstream) -> None:
    urls = {f"{up.url}one/": 100, f"{up.url}two/": 50}
    up.files["/mirrors"] = metalink(urls, generation(NEWER.repomd()))
    serve(up, one=HELLO, two=NEWER)
    linked.read()
    assert [row.version for row in linked.rows["packages"]] == ["2.0-1.el9"]
    serve(up, two=HELLO)
    linked.state, linked.known = {}, {}
    with pytest.raises(TransferError, match=r"has a repomd\.xml that the metalink does not know"):
        linked.read()


def test_the_newest_generation_goes_before_one_that_is_a_little_older(linked: Reader, up: Upstream) -> None:
    urls = {f"{up.url}one/": 100, f"{up.url}two/": 50}
    up.files["/mirrors"] = metalink(urls, generation(NEWER.repomd()), generation(HELLO.repomd()))
    serve(up, one=HELLO, two=NEWER)
    linked.read()
    assert [row.version for row in linked.rows["packages"]] == ["2.0-1.el9"]


def test_a_generation_that_is_a_little_older_is_better_than_none(linked: Reader, up: Upstream) -> None:
    urls = {f"{up.url}one/": 100, f"{up.url}two/": 50}
    up.files["/mirrors"] = metalink(urls, generation(NEWER.repomd()), generation(HELLO.repomd()))
    serve(up, one=HELLO)
    linked.read()
    assert [row.version for row in linked.rows["packages"]] == ["1.0-1.el9"]


def test_a_metalink_that_names_the_last_state_is_all_that_an_unchanged_source_costs(
    linked: Reader, up: Upstream
) -> None:
    up.files["/mirrors"] = metalink({f"{up.url}one/": 100}, generation(HELLO.repomd()))
    serve(up, one=HELLO)
    linked.read()
    up.forget()
    assert linked.read() is None
    assert [request.path for request in up.requests] == ["/mirrors"]


def test_a_metalink_with_weak_digests_alone_proves_nothing() -> None:
    sha1 = hashlib.sha1(HELLO.repomd()).hexdigest()
    text = metalink({"http://mirror.example.org/": 1}, generation(HELLO.repomd(), sha1=sha1))
    with pytest.raises(IndexFormatError, match="no strong digest"):
        parse_metalink(text, name="the metalink")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<metalink/>", r"says nothing of repomd\.xml"),
        (b"<html><body/></html>", "its root is <html>"),
        (b"http://mirror.example.org/", "malformed"),
        (metalink({"ftp://mirror.example.org/": 1}, generation(b"x")), "names no mirror that can be read"),
        (metalink({"file:///srv/": 1}, generation(b"x")), "names no mirror that can be read"),
    ],
)
def test_what_is_no_metalink_is_an_error(content: bytes, message: str) -> None:
    with pytest.raises(IndexFormatError, match=message):
        parse_metalink(content, name="the metalink")


def test_only_mirrors_of_http_without_passwords_and_queries_are_taken() -> None:
    lines = (
        "http://a.example.org/x",
        "https://b.example.org/x/",
        "ftp://c.example.org/",
        "rsync://c.example.org/",
        "file:///etc/",
        "http://user:word@d.example.org/",
        "http://e.example.org/?x=1",
        "http:///nowhere",
        "http://[broken/",
        "  http://f.example.org/x  # near",
        "http://a.example.org/x/",
    )
    assert parse_list("\n".join(lines).encode(), name="the list") == (
        "http://a.example.org/x/",
        "https://b.example.org/x/",
        "http://f.example.org/x/",
    )


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"ftp://a.example.org/", b"<html>login</html>", b"\0\xff"])
def test_a_list_without_mirrors_is_an_error(content: bytes) -> None:
    with pytest.raises(IndexFormatError, match="the list"):
        parse_list(content, name="the list")


def test_sizes_and_digests_of_a_generation_must_all_fit(linked: Reader, up: Upstream) -> None:
    up.files["/mirrors"] = metalink({f"{up.url}one/": 1}, generation(HELLO.repomd(), size=5))
    serve(up, one=HELLO)
    with pytest.raises(TransferError, match="does not know"):
        linked.read()
