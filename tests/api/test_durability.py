"""kill -9 under load: what was acknowledged is there after the restart."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Event, Thread

import httpx
import pytest
from serving import Server, prepared, running
from sqlalchemy import func, select, text

from api.examples import AN_ORDER
from detector.store.database import connect
from detector.store.decisions import DECISIONS
from detector.store.facts import FACTS

KILLS, LOAD_SECONDS, CALLERS = 10, 6.0, 4


def _load(server: Server, life: int, caller: int, stop: Event, acknowledged: dict[str, str]) -> None:
    """Score order after order; note order and decision of every answer that arrived whole."""
    with server.client("scorer") as client:
        for number in range(1_000_000):
            if stop.is_set():
                return
            order_id = f"life{life}-caller{caller}-{number}"
            try:
                answer = client.post("/v1/score", json=AN_ORDER | {"order_id": order_id})
            except httpx.TransportError:
                return
            assert answer.status_code == 200
            acknowledged[answer.json()["decision_id"]] = order_id


@pytest.mark.slow
def test_ten_kills_under_load_lose_nothing_acknowledged(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    keys = prepared(url)
    acknowledged: dict[str, str] = {}
    for life in range(KILLS):
        before = len(acknowledged)
        with running(url, keys, tmp_path) as server:
            stop = Event()
            callers = [
                Thread(target=_load, args=(server, life, n, stop, acknowledged)) for n in range(CALLERS)
            ]
            for caller in callers:
                caller.start()
            time.sleep(LOAD_SECONDS)
            server.kill()
            stop.set()
            for caller in callers:
                caller.join(60)
        assert len(acknowledged) > before, "no order was scored in this life"
    with running(url, keys, tmp_path) as server, server.client() as client:
        last = next(reversed(acknowledged))
        assert client.get(f"/v1/decisions/{last}").json()["order_id"] == acknowledged[last]
    engine = connect(url)
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
        kept = {row.decision_id: row.order_id for row in connection.execute(select(DECISIONS))}
        orders = set(connection.scalars(select(FACTS["orders"].c.order_id)))
        once = connection.execute(
            select(func.count(), func.count(DECISIONS.c.order_id.distinct())).select_from(DECISIONS)
        ).one()
    engine.dispose()
    assert acknowledged.items() <= kept.items()
    assert set(acknowledged.values()) <= orders
    assert once[0] == once[1], "an order that was sent once has one decision"
