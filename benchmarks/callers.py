"""Callers of ``POST /v1/score`` and of batches, as light as can be: a client library would be what is measured."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
from pydantic_core import to_json

__all__ = ["CONNECTIONS", "Latencies", "at_rate", "batches", "closed_loop"]

CONNECTIONS = 32

Latencies = np.ndarray[Any, np.dtype[np.float64]]


class Connection:
    """One keep-alive HTTP/1.1 connection; cheaper than a client library, which would be what is measured."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, headers: str) -> None:
        self._reader, self._writer, self._headers = reader, writer, headers

    @classmethod
    async def to(cls, port: int, headers: str) -> Connection:
        return cls(*await asyncio.open_connection("127.0.0.1", port), headers)

    async def post(self, body: bytes) -> None:
        head = f"POST /v1/score HTTP/1.1\r\nHost: bench\r\n{self._headers}Content-Type: application/json\r\n"
        self._writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        length = int(answer.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        content = await self._reader.readexactly(length)
        if not answer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(content.decode())


async def closed_loop(
    port: int, headers: str, stream: Iterator[dict[str, Any]], seconds: float, connections: int
) -> Latencies:
    """Seconds per request of clients that each send the next one when they are answered."""
    end, taken = time.perf_counter() + seconds, list[float]()

    async def client() -> None:
        connection = await Connection.to(port, headers)
        while (began := time.perf_counter()) < end:
            await connection.post(to_json(next(stream)))
            taken.append(time.perf_counter() - began)

    await asyncio.gather(*(client() for _ in range(connections)))
    return np.array(taken)


async def at_rate(
    port: int, headers: str, stream: Iterator[dict[str, Any]], seconds: float, rate: float
) -> Latencies:
    """Seconds per request from when it was due, at a steady rate, whether or not earlier ones are answered."""
    idle: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(4 * CONNECTIONS):
        idle.put_nowait(await Connection.to(port, headers))
    taken: list[float] = []

    async def one(due: float) -> None:
        connection = await idle.get()
        await connection.post(to_json(next(stream)))
        taken.append(time.perf_counter() - due)
        idle.put_nowait(connection)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(int(seconds * rate)):
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(one(due))
    return np.array(taken)


def batches(port: int, token: str, stream: Iterator[dict[str, Any]], seconds: float) -> float:
    """Orders a second in requests of 1,000, one after the other."""
    done, spent = 0, 0.0
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        while spent < seconds:
            body = json.dumps({"orders": list(itertools.islice(stream, 1000))})
            began = time.perf_counter()
            client.post("/v1/score/batch", content=body, headers=_json(token)).raise_for_status()
            spent += time.perf_counter() - began
            done += 1000
    return done / spent


def _json(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
