"""Bodies that are too big, too deep, or not JSON: refused, while the service stays alive and small."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest
from serving import Server, connected, memory_bytes

from api.examples import AN_ORDER

HUGE = 100 * 2**20
BULK_PATHS = ("/v1/score/batch", "/v1/orders", "/v1/shipments")
JSON = {"Content-Type": "application/json"}


def post(server: Server, content: object, path: str = "/v1/score", **headers: str) -> httpx.Response:
    with server.client() as client:
        return client.post(path, content=content, headers=JSON | headers)


def is_problem(response: httpx.Response, status: int) -> bool:
    return (
        response.status_code == status
        and response.headers["content-type"] == "application/problem+json"
        and response.json()["status"] == status
        and response.json()["request_id"] == response.headers["x-request-id"]
    )


def pieces(size: int) -> Iterator[bytes]:
    """A body without a length, in pieces."""
    for _ in range(size // 2**16):
        yield b" " * 2**16


@pytest.mark.parametrize("path", ["/v1/score", *BULK_PATHS])
def test_100_megabytes_are_refused_announced_or_not_and_memory_stays_flat(server: Server, path: str) -> None:
    post(server, b"{}", path)
    before = memory_bytes(server.process.pid)
    assert is_problem(post(server, b" " * HUGE, path), 413)
    assert is_problem(post(server, pieces(HUGE), path), 413)
    assert memory_bytes(server.process.pid) - before < 48 * 2**20


def test_an_announced_length_is_refused_before_the_body_comes(server: Server) -> None:
    head = f"POST /v1/score HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.keys['admin']}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {HUGE}\r\n\r\n"
    with connected(server) as connection:
        connection.sendall(head.encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_a_stranger_is_refused_before_the_body_is_read(server: Server) -> None:
    with server.client(None) as client:
        assert is_problem(client.post("/v1/score", content=b"{", headers=JSON), 401)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 10_000,
        b'{"a":' * 10_000,
        b'{"order_id":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        b'{"order_id":"\xff\xfe"}',
        b'{"order_id":"\xed\xa0\x80"}',
        b'{"order_id":"\\ud800"}',
        b'{"order_id":"a\\u0000b"}',
        b'{"order_id":"a\x00b"}',
        b'{"total_minor":NaN}',
        b'{"unknown":Infinity}',
        b'{"unknown":-Infinity}',
        b'{"total_minor":' + b"9" * 5000 + b"}",
        b'{"total_minor":01}',
        b"{'order_id':1}",
        b'{"order_id":1}{}',
        b"\xef\xbb\xbf{}",
        b"",
        b"order_id=1",
    ],
)
def test_what_is_not_strict_json_is_a_400(server: Server, body: bytes) -> None:
    assert is_problem(post(server, body), 400)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("total_minor", 2**63),
        ("total_minor", 10**400),
        ("total_minor", -1),
        ("total_minor", 1.5),
        ("total_minor", 1e999),
        ("total_minor", "5"),
        ("total_minor", True),
        ("currency", "XXZ"),
        ("ship_to_country", "QQ"),
        ("status", "LOST"),
        ("created_at", "2024-05-01"),
        ("created_at", "2024-02-30T10:00:00Z"),
        ("created_at", "0001-01-01T00:00:00+14:00"),
        ("created_at", 1714567500),
        ("created_at", None),
        ("order_id", ""),
        ("order_id", " "),
        ("order_id", "x" * 201),
        ("order_id", 7),
        ("is_sample", "yes"),
        ("items", [{"product_id": "p"}]),
        ("items", [{"line_no": "1", "order_id": "another"}]),
        ("tracking_events", [{"event_at": "2024-05-01T00:00:00Z", "status": "DELIVERED"}]),
        ("review", {"review_id": "r", "rating": 6}),
    ],
)
def test_what_breaks_the_contract_is_a_422_that_says_where(
    server: Server, column: str, value: object
) -> None:
    with server.client() as client:
        answer = client.post("/v1/score", content=_json(AN_ORDER | {column: value}), headers=JSON)
    assert is_problem(answer, 422)
    (wrong,) = answer.json()["errors"]
    assert wrong["pointer"].startswith(f"#/{column}") or wrong["pointer"] == "#"


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonx"]
)
def test_another_content_type_is_a_415(server: Server, kind: str | None) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    with server.client() as client:
        assert is_problem(client.post("/v1/score", content=b"{}", headers=headers), 415)


def test_json_with_a_charset_is_json(server: Server) -> None:
    with server.client() as client:
        kind = {"Content-Type": "Application/JSON; charset=utf-8"}
        assert client.post("/v1/score?store=false", content=_json(AN_ORDER), headers=kind).status_code == 200


def test_a_batch_takes_1000_orders_and_no_more(server: Server) -> None:
    orders = [AN_ORDER | {"order_id": f"many-{n}"} for n in range(1001)]
    with server.client() as client:
        taken = client.post("/v1/score/batch?store=false", json={"orders": orders[:1000]})
        assert len(taken.json()["decisions"]) == 1000
        assert is_problem(client.post("/v1/score/batch", json={"orders": orders}), 422)
        assert is_problem(client.post("/v1/score/batch", json={"orders": []}), 422)


def _json(order: dict[str, object]) -> bytes:
    return json.dumps(order).replace("Infinity", "1e999").encode()
