"""Objects of a bucket come in, and are moved by what became of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from entrepot.errors import BusyError
from entrepot.progress import Progress
from entrepot.publish.lease import Lease
from entrepot.services import imports, incoming, repositories
from entrepot.services.imports import BatchResult
from entrepot.services.workspaces import open_workspace
from entrepot.workspace import Workspace, utc_now
from support.apt_repository import Key
from support.debs import make_source
from support.function_events import Context, eventbridge_object, queue_event, s3_event
from support.function_site import Site
from support.s3_buckets import storage_for


def test_a_batch_of_objects_is_one_version_and_one_publication_and_each_is_moved(site: Site) -> None:
    before, _ = site.versions()
    names = {"one": "accepted", "two": "accepted", "bad": "rejected", "odd": "held"}
    keys = [site.put(site.deb(name), f"incoming/apt/stable/{name}.deb") for name in names]
    answer = site.call(queue_event(*(s3_event(site.bucket, key) for key in keys)))
    assert answer == {"batchItemFailures": []}
    assert site.versions() == (before + 1, before + 1)
    moved = [f"{to}/apt/stable/{name}.deb" for name, to in names.items()]
    assert site.objects() == sorted([*moved, *(f"reports/{key}.json" for key in moved)])
    assert "not in here" in site.report("rejected/apt/stable/bad.deb")["message"]
    assert (site.tree / "pool/main/o/one/one_1.0-1_amd64.deb").is_file()


def test_the_same_event_again_finds_nothing_and_the_same_file_again_makes_no_version(site: Site) -> None:
    event = s3_event(site.bucket, site.put(site.deb("again"), "incoming/apt/stable/again.deb"))
    assert site.call(event)["intake"]["objects"][0]["outcome"] == "accepted"
    number, _ = site.versions()
    assert site.call(event)["intake"]["objects"] == []
    site.put(site.deb("again"), "incoming/apt/stable/again.deb")
    assert site.call(event)["intake"]["objects"][0]["outcome"] == "accepted"
    assert site.versions()[0] == number


def test_one_event_brings_in_everything_that_waits_and_components_and_long_names_are_found(site: Site) -> None:
    site.put(site.deb("alpha"), "incoming/apt/stable/extra/alpha_1.0+b 1~x.deb")
    key = site.put(site.deb("beta"), "incoming/apt/testing/new/beta.deb")
    answer = site.call(eventbridge_object(site.bucket, key))
    outcomes = {item["key"]: (item["distribution"], item["outcome"]) for item in answer["intake"]["objects"]}
    assert outcomes == {
        "incoming/apt/stable/extra/alpha_1.0+b 1~x.deb": ("apt/stable", "accepted"),
        "incoming/apt/testing/new/beta.deb": ("apt/testing/new", "accepted"),
    }
    assert [item["distribution"] for item in answer["intake"]["publications"]] == ["apt/stable", "apt/testing/new"]
    assert (site.tree / "pool/extra/a/alpha").is_dir()


def test_what_cannot_be_brought_in_is_set_aside_with_the_reason(site: Site) -> None:
    wrong = {
        "incoming/hello.deb": "names no distribution",
        "incoming/apt/hello.deb": "names no distribution",
        "incoming/apt/nowhere/hello.deb": "there is no distribution apt/nowhere",
        "incoming/apt/stable/other/hello.deb": "no component 'other'",
        f"incoming/apt/stable/{'x' * 250}.deb": "",
        "incoming/apt/stable/\u202egnp.deb": "",
    }
    keys = [site.put(b"no package", key) for key in wrong]
    taken = {item["key"]: item for item in site.call(s3_event(site.bucket, *keys))["intake"]["objects"]}
    assert {item["outcome"] for item in taken.values()} == {"rejected"}
    assert [key for key, told in wrong.items() if told not in taken[key]["message"] or not taken[key]["message"]] == []
    aside = site.objects("rejected/")
    assert [key for key in wrong if f"rejected/{key.removeprefix('incoming/')}" not in aside] == []
    assert not site.objects("incoming/")


def test_other_objects_are_never_taken_whatever_an_event_says(site: Site) -> None:
    key = site.put(b"?", "incoming/apt/stable/real.deb")
    others = [
        "incoming/apt/stable/real.deb",
        "drop/accepted/apt/stable/real.deb",
        "drop/incoming/apt/stable/",
        "drop/incoming/../../home/head.json",
        "drop2/incoming/apt/stable/real.deb",
    ]
    with open_workspace(site.url) as workspace:
        assert incoming.waits_at(workspace, site.bucket, key) == "incoming/apt/stable/real.deb"
        assert incoming.waits_at(workspace, "another-bucket", key) is None
        found = [incoming.waits_at(workspace, site.bucket, other) for other in others]
    # One that climbs out is the name of nothing that a listing has.
    assert found == [None, None, None, "incoming/../../home/head.json", None]
    assert site.call(s3_event("another-bucket", key))["intake"] is None
    assert site.objects("incoming/")


def test_a_source_package_waits_for_all_its_files(site: Site) -> None:
    files = make_source(site.folder, "parts")
    (dsc,) = [path for path in files if path.suffix == ".dsc"]
    others = [path for path in files if path != dsc]
    event = s3_event(site.bucket, site.put(dsc, f"incoming/apt/stable/{dsc.name}"))
    (waiting,) = site.call(event)["intake"]["objects"]
    assert waiting["outcome"] == "incomplete"
    assert others[0].name in waiting["message"]
    for path in others:
        site.put(path, f"incoming/apt/stable/{path.name}")
    assert {item["outcome"] for item in site.call(event)["intake"]["objects"]} == {"accepted"}
    assert not site.objects("incoming/")


def test_what_waits_for_a_file_too_long_is_set_aside(site: Site) -> None:
    site.put(b"?", "incoming/apt/stable/notes.txt")
    with open_workspace(site.url) as workspace:
        workspace.clock = lambda: utc_now() + timedelta(hours=2)
        (taken,) = incoming.take(workspace).objects
    assert (taken.outcome, taken.message) == ("rejected", "it is no package of format apt, and none names it")


def test_when_time_runs_out_the_rest_waits_and_its_messages_come_again(site: Site) -> None:
    number, _ = site.versions()
    keys = [site.put(site.deb(f"late{index}"), f"incoming/apt/stable/late{index}.deb") for index in range(3)]
    event = queue_event(*(s3_event(site.bucket, key) for key in keys))
    # Every look costs a tenth: there is time for the first file, and not for the second.
    answer = site.call(event, Context(left=100_000, step=19_000))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-2"}, {"itemIdentifier": "message-3"}]}
    assert site.versions()[0] == number + 1
    assert len(site.objects("incoming/")) == 2
    with pytest.raises(BusyError, match="no time left for"):
        site.call(s3_event(site.bucket, keys[1]), Context(left=1, step=1))
    assert site.call(event) == {"batchItemFailures": []}
    assert site.versions()[0] == number + 2


def test_while_another_one_takes_what_is_there_nothing_is_taken_and_the_message_comes_again(site: Site) -> None:
    event = queue_event(s3_event(site.bucket, site.put(site.deb("busy"), "incoming/apt/stable/busy.deb")))
    with (
        closing(storage_for(site.endpoint, site.bucket, "drop")) as storage,
        Lease(storage, utc_now, subject=incoming.SUBJECT),
    ):
        assert site.call(event) == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}
        assert site.objects("incoming/")
    assert site.call(event) == {"batchItemFailures": []}
    assert not site.objects("incoming/")


def test_an_object_that_was_taken_away_meanwhile_holds_up_no_other(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    key = site.put(site.deb("gone"), "incoming/apt/stable/gone.deb")
    site.put(site.deb("stays"), "incoming/apt/stable/stays.deb")
    usage = shutil.disk_usage

    def taken_away(folder: Path) -> Any:
        site.client.delete_object(Bucket=site.bucket, Key=key)
        return usage(folder)

    monkeypatch.setattr("entrepot.services.incoming.shutil.disk_usage", taken_away)
    answer = site.call(s3_event(site.bucket, key))
    assert [item["key"] for item in answer["intake"]["objects"]] == ["incoming/apt/stable/stays.deb"]


def test_an_object_that_was_replaced_meanwhile_has_a_turn_of_its_own(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = site.put(site.deb("twice"), "incoming/apt/stable/twice.deb")
    upload = imports.upload

    def replaced(
        workspace: Workspace, paths: Sequence[Path], path: str, progress: Progress, **options: Any
    ) -> BatchResult:
        monkeypatch.setattr("entrepot.services.incoming.upload", upload)
        site.put(site.deb("twice", "2.0-1"), "incoming/apt/stable/twice.deb")
        return upload(workspace, paths, path, progress, **options)

    monkeypatch.setattr("entrepot.services.incoming.upload", replaced)
    site.call(s3_event(site.bucket, key))
    assert not site.objects("incoming/")
    assert site.report("accepted/apt/stable/twice.deb")["result"]["version"] == "2.0-1"


def test_no_report_takes_the_place_of_an_object(site: Site) -> None:
    key = site.put(b"one", "incoming/hello")
    site.put(b"other", "incoming/hello.json")
    site.call(s3_event(site.bucket, key))
    assert site.body("rejected/hello.json") == b"other"
    assert [site.report(f"rejected/{name}")["key"] for name in ("hello", "hello.json")] == [
        "incoming/hello",
        "incoming/hello.json",
    ]


def test_an_object_of_another_size_than_listed_is_not_read_on_and_has_a_turn_of_its_own(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = site.put(site.deb("grown"), "incoming/apt/stable/grown.deb")
    usage = shutil.disk_usage

    def grown(folder: Path) -> Any:
        monkeypatch.setattr("entrepot.services.incoming.shutil.disk_usage", usage)
        site.put(site.deb("grown").read_bytes() + b"more", "incoming/apt/stable/grown.deb")
        return usage(folder)

    monkeypatch.setattr("entrepot.services.incoming.shutil.disk_usage", grown)
    (taken,) = site.call(s3_event(site.bucket, key))["intake"]["objects"]
    assert taken["outcome"] == "rejected"
    with open_workspace(site.url) as workspace:
        tried = workspace.catalog.database.execute("SELECT count(*) FROM imports WHERE name LIKE 'grown%'").fetchone()
    assert tried == (1,)


def test_without_gnupg_a_package_of_a_signed_repository_comes_in_and_the_log_says_that_it_is_not_published(
    site: Site, keys: Callable[[], Key], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with open_workspace(site.url) as workspace:
        settings = workspace.settings_path.read_text()
        workspace.save_settings(f'{settings}\n[signers.gpg]\nhome = "{keys().home}"\n')
        tree = str(site.folder / "signed")
        repositories.create_repository(workspace, "signed", format_name="apt", publish_to=tree)
        repositories.create_distribution(workspace, "signed/stable")
    key = site.put(site.deb("signed"), "incoming/signed/stable/signed.deb")
    monkeypatch.setenv("PATH", str(site.folder))
    intake = site.call(s3_event(site.bucket, key))["intake"]
    assert [item["outcome"] for item in intake["objects"]] == ["accepted"]
    told = {"distribution": "signed/stable", "status": "failed", "error": "gpgconf is not installed"}
    assert intake["publications"] == [told]
    errors = [json.loads(record.message) for record in caplog.records if record.levelname == "ERROR"]
    assert errors == [{"publication": told}]
