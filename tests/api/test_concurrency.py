"""Many callers at once on PostgreSQL with four workers: nothing twice, nothing lost."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import httpx
import pytest
from serving import Server, prepared, running
from sqlalchemy import func, select

from api.examples import AN_ORDER, ROWS
from detector.store.database import connect
from detector.store.decisions import DECISIONS
from detector.store.facts import FACTS

pytestmark = pytest.mark.slow
CALLERS = 50


@pytest.fixture
def four_workers(postgres_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("four")
    with running(postgres_database, prepared(postgres_database), folder, workers=4) as server:
        yield server


def at_once(server: Server, requests: list[tuple[str, Any, str | None]]) -> list[httpx.Response]:
    """Send all (path, body, idempotency key) in the same instant, each over its own connection."""
    start = Barrier(len(requests))

    def one(request: tuple[str, Any, str | None]) -> httpx.Response:
        path, body, key = request
        with server.client() as client:
            client.get("/healthz")
            start.wait()
            return client.post(
                path, json=body, headers={} if key is None else {"Idempotency-Key": key}, timeout=120
            )

    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(one, requests))


def count_of(server: Server, table: Any, *where: Any) -> int:
    engine = connect(server.database_url)
    with engine.connect() as connection:
        found = connection.execute(select(func.count()).select_from(table).where(*where)).scalar_one()
    engine.dispose()
    return int(found)


def test_50_identical_requests_are_one_decision(four_workers: Server) -> None:
    for round_ in range(3):
        order = AN_ORDER | {"order_id": f"same-{round_}"}
        answers = at_once(four_workers, [("/v1/score", order, f"key-{round_}")] * CALLERS)
        assert [answer.status_code for answer in answers] == [200] * CALLERS
        assert len({answer.json()["decision_id"] for answer in answers}) == 1
        assert count_of(four_workers, DECISIONS, DECISIONS.c.order_id == order["order_id"]) == 1


def test_50_identical_batches_and_bulks_are_carried_out_once(four_workers: Server) -> None:
    orders = [AN_ORDER | {"order_id": f"batch-{n}"} for n in range(5)]
    answers = at_once(four_workers, [("/v1/score/batch", {"orders": orders}, "b")] * CALLERS)
    assert {answer.status_code for answer in answers} == {200}
    found = {tuple(one["decision_id"] for one in answer.json()["decisions"]) for answer in answers}
    assert len(found) == 1
    reviews = [ROWS["reviews"] | {"order_id": f"batch-{n}", "review_id": f"r-{n}"} for n in range(5)]
    answers = at_once(four_workers, [("/v1/reviews", {"reviews": reviews}, "r")] * CALLERS)
    assert len({answer.text for answer in answers}) == 1
    assert count_of(four_workers, DECISIONS) == 10


def test_50_updates_of_one_order_lose_none(four_workers: Server) -> None:
    """Each tells another scan of the order's parcel; all of them are there, and the order was scored on each."""
    order = AN_ORDER | {"order_id": "updated", "shipment": ROWS["shipments"] | {"order_id": "updated"}}
    first = at_once(four_workers, [("/v1/score", order, None)])[0]
    scans = [ROWS["tracking_events"] | {"event_at": f"2026-03-04T11:{n:02}:00Z"} for n in range(CALLERS)]
    answers = at_once(
        four_workers, [("/v1/tracking-events", {"tracking_events": [scan]}, None) for scan in scans]
    )
    assert {answer.status_code for answer in answers} == {200}
    made = {answer.json()["rows"][0]["decision_ids"][0] for answer in answers}
    assert len(made) == CALLERS
    assert first.json()["decision_id"] not in made
    assert count_of(four_workers, FACTS["tracking_events"]) == CALLERS
    assert count_of(four_workers, DECISIONS) == CALLERS + 1


def test_metrics_of_four_workers_are_added_up(four_workers: Server) -> None:
    orders = [("/v1/score", AN_ORDER | {"order_id": f"m-{n}"}, None) for n in range(40)]
    assert {answer.status_code for answer in at_once(four_workers, orders)} == {200}
    with four_workers.client("auditor") as client:
        text = client.get("/metrics").text
    counted = [
        float(line.split()[-1]) for line in text.splitlines() if line.startswith("truetrade_decisions_total")
    ]
    assert sum(counted) == 40
