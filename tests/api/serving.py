"""The real service as a process of its own on a free loopback port, and keys for every role."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from postgres import free_port

from detector.roles import ROLES
from detector.store.database import connect, upgrade
from detector.store.keys import create_key, revoke_key

START_SECONDS = 300


@dataclass
class Server:
    """A running service. ``log`` is everything it has written."""

    address: str
    database_url: str
    process: subprocess.Popen[bytes]
    log_file: Path
    keys: dict[str, str] = field(repr=False)

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def client(self, role: str | None = "admin", **options: object) -> httpx.Client:
        """A plain HTTP client; ``role`` may also be ``expired``, ``revoked`` or None for no key."""
        headers = {} if role is None else {"Authorization": f"Bearer {self.keys[role]}"}
        return httpx.Client(base_url=self.address, headers=headers, timeout=30, **options)

    def kill(self) -> None:
        """As a crash would: SIGKILL to the server and its workers."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


def logged(server: Server, **wanted: object) -> dict[str, Any]:
    """The first line of the log with these fields; a request's is written after its answer."""
    for _ in range(100):
        for line in server.log.splitlines():
            fields = json.loads(line) if line.endswith("}") else {}
            if wanted.items() <= fields.items():
                return fields
        time.sleep(0.1)
    raise AssertionError(f"no line with {wanted}:\n{server.log}")


@contextmanager
def connected(server: Server) -> Iterator[socket.socket]:
    """A bare connection to the service."""
    where = urlsplit(server.address)
    with socket.create_connection((where.hostname or "", where.port or 0), timeout=60) as found:
        yield found


def memory_bytes(pid: int) -> int:
    """Resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def prepared(database_url: str) -> dict[str, str]:
    """Make the tables and one key per role, one expired and one revoked (both admin)."""
    engine, now = connect(database_url), datetime.now(UTC)
    upgrade(engine)
    with engine.begin() as connection:
        keys = {role: create_key(connection, role=role, name=f"test-{role}", now=now).token for role in ROLES}
        past = now - timedelta(seconds=1)
        keys["expired"] = create_key(connection, role="admin", name="x", now=past, expires_at=past).token
        revoked = create_key(connection, role="admin", name="x", now=past)
        revoke_key(connection, revoked.key_id, now)
        keys["revoked"] = revoked.token
    engine.dispose()
    return keys


@contextmanager
def running(
    database_url: str,
    keys: Mapping[str, str],
    folder: Path,
    *,
    workers: int = 1,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """``truetrade serve`` until the block ends; the database must have been prepared."""
    port, log_file = free_port(), folder / f"server-{time.monotonic_ns()}.log"
    command = [sys.executable, "-m", "api.cli", "serve", "--database-url", database_url]
    command += ["--port", str(port), "--workers", str(workers)]
    settings = {"TRUETRADE_PSEUDONYM_KEY_FILE": str(folder / "pseudonym.key"), **(environment or {})}
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env={**os.environ, **settings}, start_new_session=True
        )
    server = Server(f"http://127.0.0.1:{port}", database_url, process, log_file, dict(keys))
    try:
        _wait_until_ready(server)
        yield server
    finally:
        _stop(server)


def _wait_until_ready(server: Server) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        assert server.process.poll() is None, server.log
        try:
            if httpx.get(f"{server.address}/readyz", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"the server did not start:\n{server.log}")


def _stop(server: Server) -> None:
    if server.process.poll() is not None:
        return
    server.process.terminate()
    try:
        server.process.wait(30)
    except subprocess.TimeoutExpired:
        server.kill()
        raise
