"""Connections that crawl, hang, flood or talk nonsense are cut off, and the service stays alive."""

from __future__ import annotations

import json
import selectors
import socket
import time
from contextlib import ExitStack

import httpx
import pytest
from serving import Server, connected, memory_bytes

from api.connections import TimedProtocol

SLOW_CONNECTIONS = 500


def answer(connection: socket.socket) -> bytes:
    """All that comes until the server closes."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def first_answer(connection: socket.socket) -> bytes:
    """One answer with a JSON object, however many packets it comes in."""
    received = b""
    while not received.endswith(b"}"):
        received += connection.recv(65536)
    return received


def exchange(server: Server, request: bytes) -> bytes:
    with connected(server) as connection:
        connection.sendall(request)
        return answer(connection)


def problem_of(response: bytes) -> dict[str, object]:
    head, _, body = response.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head.lower()
    found: dict[str, object] = json.loads(body)
    return found


def test_what_is_not_http_is_a_problem(server: Server) -> None:
    response = exchange(server, b"\x16\x03\x01 hello\r\n\r\n")
    assert response.startswith(b"HTTP/1.1 400 ")
    assert problem_of(response)["status"] == 400


def test_headers_beyond_the_limit_are_refused(server: Server) -> None:
    huge = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * (TimedProtocol.MAX_HEADER_BYTES + 70_000)
    response = exchange(server, huge)
    assert response.startswith(b"HTTP/1.1 431 ")
    assert problem_of(response)["status"] == 431


def test_requests_in_one_packet_are_all_answered(server: Server) -> None:
    one = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    response = exchange(server, one * 20 + last)
    assert response.count(b"HTTP/1.1 200 OK") == 21


def test_an_upgrade_that_is_not_offered_is_answered_as_plain_http(server: Server) -> None:
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    with connected(server) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + upgrade + b"\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


@pytest.mark.slow
def test_a_kept_connection_is_closed_when_idle_and_when_it_only_sends_blank_lines(server: Server) -> None:
    with connected(server) as idle, connected(server) as chatty:
        for connection in (idle, chatty):
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert first_answer(connection).startswith(b"HTTP/1.1 200 ")
        end = time.monotonic() + TimedProtocol.HEADER_SECONDS + 15
        chatty.settimeout(1)
        assert _trickle_and_read(chatty, b"\r\n", end) == b""
        assert idle.recv(1) == b""


@pytest.mark.slow
def test_a_body_that_crawls_is_timed_out(server: Server) -> None:
    key = server.keys["admin"].encode()
    head = b"POST /v1/score HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + key
    head += b"\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    with connected(server) as connection:
        connection.sendall(head)
        connection.settimeout(1)
        began = time.monotonic()
        response = _trickle_and_read(connection, b" ", began + TimedProtocol.BODY_SECONDS + 10)
    assert response.startswith(b"HTTP/1.1 408 ")
    assert problem_of(response)["status"] == 408
    assert time.monotonic() - began >= TimedProtocol.BODY_SECONDS - 1


@pytest.mark.slow
def test_500_connections_that_send_headers_a_byte_at_a_time_are_timed_out(server: Server) -> None:
    before = memory_bytes(server.process.pid)
    with ExitStack() as stack, httpx.Client(base_url=server.address, timeout=10) as good:
        slow = [stack.enter_context(connected(server)) for _ in range(SLOW_CONNECTIONS)]
        for connection in slow:
            connection.setblocking(False)
        open_ones, waits = set(slow), []
        end = time.monotonic() + TimedProtocol.HEADER_SECONDS + 20
        header = iter(b"GET /healthz HTTP/1.1\r\nX-Slow: " + b"a" * 1000)
        while open_ones and time.monotonic() < end:
            byte = bytes([next(header)])
            open_ones -= {connection for connection in open_ones if _is_closed(connection, byte)}
            began = time.monotonic()
            assert good.get("/healthz").status_code == 200
            waits.append(time.monotonic() - began)
            time.sleep(0.25)
    assert not open_ones
    assert max(waits) < 5
    assert memory_bytes(server.process.pid) - before < 32 * 2**20


def _is_closed(connection: socket.socket, byte: bytes) -> bool:
    """Send one more byte; whether the server has hung up."""
    with selectors.DefaultSelector() as ready:
        ready.register(connection, selectors.EVENT_READ)
        try:
            connection.send(byte)
            while ready.select(0):
                if not connection.recv(4096):
                    return True
        except OSError:
            return True
    return False


def _trickle_and_read(connection: socket.socket, byte: bytes, end: float) -> bytes:
    """Send a byte a second until the server closes; what it said."""
    said = b""
    while time.monotonic() < end:
        try:
            connection.send(byte)
            part = connection.recv(65536)
        except TimeoutError:
            continue
        except OSError:
            return said
        if not part:
            return said
        said += part
    raise AssertionError("the server did not close the connection")
