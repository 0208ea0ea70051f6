"""The client: retries what may pass, with the same key; refuses at once what will not."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest
from postgres import free_port

from api.client import Client, RequestFailed

ANSWER = {
    "accepted": 1,
    "refused": 0,
    "rows": [{"accepted": True, "key": "rp1", "reason": None, "decision_ids": []}],
}
CUT = -1
"""Instead of a status: the connection breaks before an answer."""


class Scripted(ThreadingHTTPServer):
    """A service that answers with the given statuses, one after the other, and notes what it was sent."""

    def __init__(self, *statuses: int, retry_after: str | None = None) -> None:
        self.statuses, self.seen = list(statuses), list[dict[str, Any]]()
        script = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                script.seen.append({"key": self.headers["Idempotency-Key"], "path": self.path, "body": body})
                status = script.statuses.pop(0)
                if status == CUT:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                self.send_response(status)
                kind = "application/json" if status == 200 else "application/problem+json"
                self.send_header("Content-Type", kind)
                if retry_after is not None:
                    self.send_header("Retry-After", retry_after)
                self.end_headers()
                problem = {"status": status, "detail": "no", "error": "ServiceBusy"}
                self.wfile.write(json.dumps(ANSWER if status == 200 else problem).encode())

            def log_message(self, *_words: object) -> None:
                """Say nothing."""

        super().__init__(("127.0.0.1", 0), Handler)


@contextmanager
def client_of(script: Scripted) -> Iterator[tuple[Client, list[float]]]:
    """A client of the scripted service, and the waits that it takes."""
    waits: list[float] = []
    thread = Thread(target=script.serve_forever, daemon=True)
    thread.start()
    with Client(f"http://127.0.0.1:{script.server_port}", "key", sleep=waits.append) as client:
        yield client, waits
    script.shutdown()
    script.server_close()


def report(client: Client, **options: Any) -> int:
    return client.add("reports", [{"report_id": "rp1"}], **options).accepted


def test_what_passes_is_retried_with_one_idempotency_key() -> None:
    script = Scripted(503, CUT, 429, 200)
    with client_of(script) as (client, waits):
        assert report(client) == 1
    assert len(script.seen) == 4
    assert len({sent["key"] for sent in script.seen}) == 1
    assert len({sent["body"] for sent in script.seen}) == 1
    assert [0.1 <= waits[0] <= 0.2, 0.2 <= waits[1] <= 0.4, 0.4 <= waits[2] <= 0.8] == [True] * 3


def test_each_call_has_a_key_of_its_own_unless_given() -> None:
    script = Scripted(200, 200, 200)
    with client_of(script) as (client, _):
        report(client)
        report(client)
        report(client, idempotency_key="mine")
    first, second, third = (sent["key"] for sent in script.seen)
    assert first != second
    assert third == "mine"


def test_retry_after_is_waited_for() -> None:
    script = Scripted(503, 200, retry_after="3")
    with client_of(script) as (client, waits):
        report(client)
    assert waits == [3.0]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 500])
def test_what_will_not_pass_is_not_retried(status: int) -> None:
    script = Scripted(status)
    with client_of(script) as (client, waits), pytest.raises(RequestFailed) as failed:
        report(client)
    assert (failed.value.status, failed.value.error, waits) == (status, "ServiceBusy", [])


def test_after_five_tries_the_last_answer_is_the_error() -> None:
    script = Scripted(*[503] * 5)
    with client_of(script) as (client, waits), pytest.raises(RequestFailed, match="503"):
        report(client)
    assert len(waits) == 4


def test_a_service_that_is_not_there_is_a_transport_error_after_five_tries() -> None:
    waits: list[float] = []
    with (
        Client(f"http://127.0.0.1:{free_port()}", "key", sleep=waits.append) as client,
        pytest.raises(httpx.ConnectError),
    ):
        report(client)
    assert len(waits) == 4
