"""What is written down: a JSON line per request, and no value that tells who somebody is."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from select import PIPE_BUF
from typing import Any

import pytest
from serving import Server, logged, prepared, running

from api.examples import AN_ORDER
from api.logs import _Lines
from detector.pseudonym import IDENTITY_COLUMNS

SECRET = "Zq7Wertvoll"
"""Part of every identity value that the tests send."""


@pytest.fixture
def own_server(tmp_path: Path) -> Any:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with running(url, prepared(url), tmp_path) as found:
        yield found


def _revealing(**changes: Any) -> dict[str, Any]:
    """An order whose identity columns all hold the secret."""
    return AN_ORDER | {name: f"{SECRET}-{name}" for name in IDENTITY_COLUMNS["orders"]} | changes


def test_no_identity_value_and_no_key_is_ever_logged_or_stored_as_it_came(
    own_server: Server, tmp_path: Path
) -> None:
    event = {"event_at": "2026-03-03T07:40:00Z", "status": "DELIVERED", "signed_by": f"{SECRET}-signed"}
    shipment = {"shipment_id": "h-1"}
    whole = _revealing(shipment=shipment, tracking_events=[event], review={"review_id": "r", "text": SECRET})
    with own_server.client() as client:
        assert client.post("/v1/score", json=whole).status_code == 200
        assert (
            client.post("/v1/orders", json={"orders": [whole, _revealing(currency="XXZ")]}).status_code == 200
        )
        assert client.post("/v1/score", json=_revealing(device_id=[SECRET])).status_code == 422
        assert client.post("/v1/score", json=_revealing(recipient_phone=SECRET * 99)).status_code == 422
        assert (
            client.post(
                "/v1/score", content=json.dumps(whole)[:-1], headers={"Content-Type": "application/json"}
            ).status_code
            == 400
        )
        assert (
            client.post("/v1/score/batch", json={"orders": [_revealing(created_at=SECRET)]}).status_code
            == 422
        )
        assert client.get(f"/v1/orders/{SECRET}").status_code == 404
        assert (
            client.get(
                "/v1/nothing", params={"phone": SECRET}, headers={"X-Request-ID": f"{SECRET} x"}
            ).status_code
            == 404
        )
        assert client.get("/healthz", headers={"User-Agent": SECRET, "Cookie": SECRET}).status_code == 200
        assert client.get("/metrics", headers={"Authorization": f"Bearer tt_abc_{SECRET}"}).status_code == 401
    log = own_server.log
    assert SECRET not in log
    assert own_server.keys["admin"] not in log
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("store.db*"))
    for name in IDENTITY_COLUMNS["orders"]:
        assert f"{SECRET}-{name}".encode() not in stored


def test_a_log_line_says_what_happened(own_server: Server) -> None:
    with own_server.client("scorer") as client:
        client.post("/v1/score", json=AN_ORDER, headers={"X-Request-ID": "req-7"})
    line = logged(own_server, request_id="req-7")
    assert line | {"ms": 0, "timestamp": "", "caller": ""} == {
        "event": "request",
        "level": "info",
        "method": "POST",
        "route": "/v1/score",
        "status": 200,
        "request_id": "req-7",
        "ms": 0,
        "timestamp": "",
        "caller": "",
    }
    assert line["caller"].startswith("key:")
    assert line["ms"] > 0


class _File(io.BytesIO):
    """Counts how often it is flushed."""

    flushes = 0

    def flush(self) -> None:
        self.flushes += 1


def test_the_lines_of_a_turn_of_the_loop_are_written_at_once_and_in_order() -> None:
    file = _File()
    lines = _Lines(file)

    async def turns() -> None:
        for turn in range(2):
            for line in range(3):
                lines.write(f"{turn}{line} ".encode())
                lines.flush()
            await asyncio.sleep(0)

    asyncio.run(turns())
    assert file.getvalue() == b"00 01 02 10 11 12 "
    assert file.flushes == 2


def test_a_line_of_a_thread_without_a_loop_is_written_as_it_comes() -> None:
    file = _File()
    lines = _Lines(file)
    for line in (b"one ", b"two"):
        lines.write(line)
        lines.flush()
    assert file.getvalue() == b"one two"
    assert file.flushes == 2


def test_no_more_is_written_at_once_than_a_pipe_keeps_together() -> None:
    file = _File()
    lines = _Lines(file)
    for _ in range(100):
        lines.write(b"x" * 99 + b"\n")
    lines.write(b"y" * PIPE_BUF + b"\n")
    lines.flush()
    assert file.getvalue() == (b"x" * 99 + b"\n") * 100 + b"y" * PIPE_BUF + b"\n"
    assert file.flushes == 100 * 100 // PIPE_BUF + 2
