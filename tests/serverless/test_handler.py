"""What a function answers: commands, schedules, queues; the same event twice; what went wrong."""

from __future__ import annotations

import json
import logging

import pytest

from entrepot.errors import EntrepotError, SettingsError, UsageError
from entrepot.services.workspaces import open_workspace
from support.function_events import Context, queue_event, s3_event, scheduled_event
from support.function_site import Site


def tasks(site: Site) -> list[tuple[str, str, str]]:
    with open_workspace(site.url) as workspace:
        rows = workspace.catalog.database.query("SELECT kind, state, actor FROM tasks ORDER BY id")
        return [(row["kind"], row["state"], row["actor"]) for row in rows]


def test_a_command_is_answered_as_the_http_api_would_and_once_for_each_id(site: Site) -> None:
    before = len(tasks(site))
    answer = site.call({"command": "publish", "distribution": "apt/stable", "force": True, "id": "one"})
    assert (answer["status"], answer["result"]["distribution"]) == (200, "apt/stable")
    assert answer["result"]["targets"][0]["status"] == "published"
    assert site.call({"command": "publish", "distribution": "apt/stable", "force": True, "id": "one"}) == answer
    assert tasks(site)[before:] == [("publish", "completed", "function/entrepot")]
    # A call of its own has an id of its own.
    site.call({"command": "publish", "distribution": "apt/stable"}, Context(aws_request_id="another"))
    assert len(tasks(site)) == before + 2


def test_what_a_command_gets_wrong_is_answered_and_a_second_try_may_do_better(site: Site) -> None:
    wrong: list[tuple[dict[str, object], int, str]] = [
        ({"command": "dance"}, 422, "there is no command 'dance'"),
        ({"command": "sync", "source": "nowhere"}, 404, "no source called 'nowhere'"),
        ({"command": "schedule", "jobs": ["nothing"]}, 404, "no job 'nothing'"),
    ]
    for command, status, told in wrong:
        answer = site.call(command | {"id": "wrong"})
        assert answer["status"] == status
        assert told in answer["problem"]["detail"]
    assert site.call({"command": "gc", "id": "wrong"})["status"] == 200


def test_messages_of_a_queue_fail_one_by_one(site: Site) -> None:
    bad = {"command": "sync", "source": "nowhere"}
    event = queue_event({"command": "gc"}, bad, {"what": "is this"}, ids=["good", "bad", "odd"])
    failures = {"batchItemFailures": [{"itemIdentifier": "bad"}, {"itemIdentifier": "odd"}]}
    assert site.call(event) == failures
    count = len([task for task in tasks(site) if task[0] == "gc"])
    assert site.call(event) == failures
    assert len([task for task in tasks(site) if task[0] == "gc"]) == count


def test_a_scheduled_event_does_what_is_due_and_a_command_does_a_job_now(site: Site) -> None:
    assert site.call(scheduled_event("first"))["answers"][0]["answers"][0]["result"]["runs"] == []
    answer = site.call({"command": "schedule", "jobs": ["tidy"]})
    (run,) = answer["result"]["runs"]
    assert (run["job"], run["status"], answer["result"]["failures"]) == ("tidy", "begun", [])


def test_a_clock_without_a_job_is_no_error(site: Site) -> None:
    with open_workspace(site.url) as workspace:
        settings = workspace.settings_path.read_text()
        workspace.save_settings("")
    assert site.call(scheduled_event("no job"))["answers"] == [{"answers": []}]
    with open_workspace(site.url) as workspace:
        workspace.save_settings(settings)


def test_what_a_scheduled_job_gets_wrong_is_raised_for_whoever_watches(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_workspace(site.url) as workspace, workspace.catalog.transaction():
        workspace.catalog.database.execute("UPDATE schedule SET due_at = '2020-01-01T00:00:00Z', next_at = due_at")
        workspace.catalog.database.execute("UPDATE schedule SET next_at = due_at")
    monkeypatch.setattr("entrepot.services.upkeep.collect", _broken)
    with pytest.raises(EntrepotError, match="the disk is gone"):
        site.call(scheduled_event("due"))


def _broken(*_: object) -> None:
    raise EntrepotError("the disk is gone")


def test_what_was_done_is_in_the_log_as_json_and_no_call_needs_a_context(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    from entrepot.serverless import handler

    with caplog.at_level(logging.INFO, "entrepot.serverless"):
        handler({"command": "gc"})
        site.call(s3_event("elsewhere", "x"))
        with pytest.raises(UsageError):
            site.call({"nothing": 1})
    events = [json.loads(record.message) for record in caplog.records if record.name == "entrepot.serverless"]
    assert [event["event"] for event in events] == ["command", "event", "unknown"]
    assert "no event that is known" in events[-1]["problem"]["detail"]


def test_without_a_workspace_nothing_is_done(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENTREPOT_HOME", f"{site.url}-not-there")
    assert site.call({"command": "gc"})["status"] == 404
    monkeypatch.delenv("ENTREPOT_HOME")
    assert site.call({"command": "gc"})["problem"]["detail"] == "ENTREPOT_HOME is not set"
    with pytest.raises(SettingsError):
        site.call(scheduled_event())
    with pytest.raises(UsageError):
        site.call({"nothing": 1})
