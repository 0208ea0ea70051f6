"""Traffic of hours in minutes: are the service's memory and latency flat?

``python -m benchmarks.soak [SECONDS]`` starts the real service on a new SQLite file and sends it what two
hours of a small marketplace would: orders scored as they are placed, then their parcel scans and reviews,
from eight callers, twelve times as fast. Ten lines, one per tenth of the time: requests, p50 and p99 of
``/v1/score``, the process's own memory (without the mapped database file, which the system may drop).
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from subprocess import Popen
from typing import Any

import httpx
import numpy as np

from api.client import Client
from api.examples import AN_ORDER, ROWS
from detector.store.database import connect, upgrade
from detector.store.keys import create_key

CALLERS = 8
SPEED_UP = 12
ORDERS_PER_SECOND = 0.25 * SPEED_UP * CALLERS
TENTHS = 10
PORT = 18_765


@dataclass
class Seen:
    """Milliseconds per scored order, by tenth of the time."""

    milliseconds: list[list[float]] = field(default_factory=lambda: [[] for _ in range(TENTHS)])
    requests: list[int] = field(default_factory=lambda: [0] * TENTHS)


def main(seconds: float) -> None:
    """Print ten lines and the growth from the second to the last."""
    with tempfile.TemporaryDirectory(prefix="truetrade-soak-") as folder:
        url = f"sqlite:///{folder}/store.db"
        engine = connect(url)
        upgrade(engine)
        with engine.begin() as connection:
            key = create_key(connection, role="admin", name="soak", now=datetime.now(UTC)).token
        engine.dispose()
        process = _served(url, Path(folder))
        try:
            _report(process, key, seconds)
        finally:
            process.terminate()
            process.wait(30)


def _served(url: str, folder: Path) -> Popen[bytes]:
    command = [sys.executable, "-m", "api.cli", "serve", "--database-url", url, "--port", str(PORT)]
    with (folder / "server.log").open("wb") as log:
        process = Popen(command, stdout=log, cwd=folder)
    for _ in range(300):
        try:
            if httpx.get(f"http://127.0.0.1:{PORT}/readyz").is_success:
                return process
        except httpx.TransportError:
            time.sleep(0.2)
    process.kill()
    raise TimeoutError("the service did not start")


def _report(process: Popen[bytes], key: str, seconds: float) -> None:
    began, seen, memory = time.monotonic(), Seen(), list[float]()
    callers = [
        threading.Thread(target=_call, args=(key, caller, began, seconds, seen)) for caller in range(CALLERS)
    ]
    for caller in callers:
        caller.start()
    print(f"{'minute':>7} {'requests':>9} {'p50 ms':>8} {'p99 ms':>8} {'memory MB':>10}")
    for tenth in range(TENTHS):
        time.sleep(max(0.0, began + (tenth + 1) * seconds / TENTHS - time.monotonic()))
        memory.append(_memory_mb(process.pid))
        p50, p99 = np.percentile(seen.milliseconds[tenth] or [np.nan], [50, 99])
        minute = (tenth + 1) * seconds / TENTHS / 60
        print(f"{minute:7.1f} {seen.requests[tenth]:9d} {p50:8.1f} {p99:8.1f} {memory[-1]:10.1f}", flush=True)
    for caller in callers:
        caller.join()
    print(f"memory from the second line to the last: {memory[-1] - memory[1]:+.1f} MB")


def _call(key: str, caller: int, began: float, seconds: float, seen: Seen) -> None:
    interval = CALLERS / ORDERS_PER_SECOND
    with Client(f"http://127.0.0.1:{PORT}", key, timeout=60) as client:
        for number, order in enumerate(_orders(caller)):
            due = began + (number + caller / CALLERS) * interval
            if due >= began + seconds:
                return
            time.sleep(max(0.0, due - time.monotonic()))
            _one_order(client, order, began, seconds, seen)


def _one_order(client: Client, order: dict[str, Any], began: float, seconds: float, seen: Seen) -> None:
    sent = time.monotonic()
    tenth = min(int((sent - began) / seconds * TENTHS), TENTHS - 1)
    client.score(order)
    seen.milliseconds[tenth].append((time.monotonic() - sent) * 1000)
    shipment = ROWS["shipments"] | {"shipment_id": f"h-{order['order_id']}", "order_id": order["order_id"]}
    client.add("shipments", [shipment])
    client.add("tracking_events", [ROWS["tracking_events"] | {"shipment_id": shipment["shipment_id"]}])
    client.add(
        "reviews", [ROWS["reviews"] | {"review_id": f"r-{order['order_id']}", "order_id": order["order_id"]}]
    )
    seen.requests[tenth] += 4


def _orders(caller: int) -> Iterator[dict[str, Any]]:
    """Orders of many buyers at a hundred sellers; as in life, a few sellers have most of them."""
    random = np.random.default_rng(caller)
    number = 0
    while True:
        number += 1
        yield AN_ORDER | {
            "order_id": f"o-{caller}-{number}",
            "buyer_id": f"b-{random.integers(20_000)}",
            "seller_id": f"s-{int(random.pareto(1.2) * 3) % 100}",
            "device_id": f"d-{random.integers(20_000)}",
            "created_at": datetime.now(UTC).isoformat(),
        }


def _memory_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 600.0)
