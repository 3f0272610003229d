"""The function in the program that runs functions: read-only files but for /tmp, no home folder, a runtime API."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from queue import Queue
from typing import Any

import pytest

from support.function_events import queue_event, s3_event
from support.function_site import Site

SEALED = 'mount -o remount,bind,ro / && mount -t tmpfs tmp /tmp && exec "$@"'
"""What makes the file system of a function out of that of this machine."""


class Runtime:
    """The runtime API: hands out one event, and keeps what is answered. The function may ask for more for ever."""

    def __init__(self, event: dict[str, Any]) -> None:
        self.answers: Queue[tuple[str, Any]] = Queue()
        events, answers = [event], self.answers
        asked = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if not events:
                    asked.wait(60)
                    self.close_connection = True
                    return
                self._send(200, json.dumps(events.pop()).encode())

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                answers.put((self.path.rpartition("/")[2], json.loads(body)))
                self._send(202, b"{}")

            def handle(self) -> None:
                # The function is ended while it asks for more.
                with suppress(ConnectionError):
                    super().handle()

            def _send(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Lambda-Runtime-Aws-Request-Id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
                self.send_header("Content-Type", "application/json")
                self.send_header(
                    "Lambda-Runtime-Trace-Id",
                    "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700",
                )
                self.send_header("Lambda-Runtime-Deadline-Ms", str(int(time.time() * 1000) + 600_000))
                self.send_header(
                    "Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:1:function:entrepot"
                )
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is that of the class above
                """Nothing is told."""

        self.over = asked
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Runtime:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def environment(site: Site, runtime: Runtime) -> dict[str, str]:
    """All that a function has of an environment."""
    return {
        "PATH": os.environ["PATH"],
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{runtime.server.server_port}",
        "AWS_LAMBDA_FUNCTION_NAME": "entrepot",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.12",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKTEST",
        "AWS_SECRET_ACCESS_KEY": "SKTEST",
        "AWS_ENDPOINT_URL": site.endpoint,
        "LAMBDA_TASK_ROOT": "/var/task",
        "_HANDLER": "entrepot.serverless.handler",
        "ENTREPOT_HOME": site.url,
        "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
    }


def can_seal() -> bool:
    """Whether this machine lets us have a read-only file system of our own."""
    if not shutil.which("unshare"):
        return False
    command = ["unshare", "-rm", "sh", "-c", SEALED, "sh", "true"]
    return subprocess.run(command, capture_output=True).returncode == 0


@pytest.mark.isolated
@pytest.mark.skipif(find_spec("awslambdaric") is None, reason="needs awslambdaric")
def test_a_package_comes_in_where_only_tmp_can_be_written_to(site: Site) -> None:
    key = site.put(site.deb("sealed"), "incoming/cloud/stable/sealed.deb")
    command = [sys.executable, "-m", "awslambdaric", "entrepot.serverless.handler"]
    if can_seal():
        command = ["unshare", "-rm", "sh", "-c", SEALED, "sh", *command]
    with Runtime(queue_event(s3_event(site.bucket, key))) as runtime:
        process = subprocess.Popen(
            command,
            env=environment(site, runtime),
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            how, answer = runtime.answers.get(timeout=120)
        finally:
            process.kill()
            output, _ = process.communicate()
    assert (how, answer) == ("response", {"batchItemFailures": []}), output
    assert site.objects() == ["accepted/cloud/stable/sealed.deb", "reports/accepted/cloud/stable/sealed.deb.json"]
    assert site.client.head_object(Bucket=site.bucket, Key="tree/dists/stable/Release")
