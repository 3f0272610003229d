"""The command line tells others at its end what it did."""

from __future__ import annotations

import json

from support.program import Program
from support.receiver import Receiver

SETTINGS = """
[notify.log]
kind = "jsonl"
path = "events.jsonl"
[notify.ops]
kind = "webhook"
url = "{}"
unsigned = true
events = ["version_created", "tree_published"]
"""


def test_a_command_tells_what_it_did_and_a_later_one_what_it_could_not(shop: Program) -> None:
    with Receiver() as receiver:
        (shop.home / "entrepot.toml").write_text(SETTINGS.format(receiver.url))
        assert shop("notify", "events").stderr == "everything was told\n"
        receiver.status = 500
        done = shop("import", "box", "battery", "--to", "window")
        assert "Warning: ops was not told, which is tried again: 127.0.0.1 answered 500" in done.stderr
        lines = (shop.home / "events.jsonl").read_text().splitlines()
        told = [json.loads(line)["type"] for line in lines]
        assert told == ["import_decided", "package_imported", "version_created", "tree_published"]
        rows = {row["name"]: row for row in shop.json("notify", "list")}
        assert [(rows[name]["delivered"], rows[name]["waiting"]) for name in ("log", "ops")] == [(4, 0), (0, 2)]
        assert "127.0.0.1 answered 500" in shop("notify", "events", "ops").stdout
        document = shop.json("notify", "retry", code=3)
        assert (document["title"], document["results"][0]["failed"]) == ("Partly failed", 1)
        receiver.status = 204
        assert shop.json("notify", "retry", "ops")[0]["delivered"] == 2
        (before, *_, after) = [post.headers["webhook-id"] for post in receiver.posts]
        # The event that failed first came again under the same id.
        assert before in [post.headers["webhook-id"] for post in receiver.posts[1:]]
        assert after != before
        assert shop("notify", "test", "ops").stdout == "ops took it\n"
        assert [entry["action"] for entry in shop.json("audit", "list")[:2]] == ["notify.retry", "notify.retry"]
        assert shop.json("notify", "drop", "ops") == {"notifier": "ops", "dropped": 0}
        assert json.loads(shop("notify", "schema").stdout)["properties"]["version"] == {
            "const": 1,
            "description": "Of this form. Within it fields may be added.",
        }
