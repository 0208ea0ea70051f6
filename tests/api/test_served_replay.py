"""A day of a market through the running service: every order ends as the batch scores it as of then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pytest
from replay import MODEL_KEY, Day, Row, Tick, a_day, assert_same, computed, expected, traffic
from serving import Server, prepared, running

from api.answers import DecisionAnswer
from api.client import Client
from detector.drift import score_shares, stability_index
from detector.load import load
from detector.pseudonym import Veil
from detector.publish import publish
from detector.rulebook import load_rulebook
from detector.store.database import connect
from detector.store.decisions import features_of

pytestmark = pytest.mark.slow

KEY = b"a key of the tests, 32 bytes long"
POLICY = load_rulebook(None)
ONE_BY_ONE = 10
"""Orders of each tick that are scored in requests of their own."""


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    return a_day(tmp_path_factory.mktemp("day"), POLICY, orders=50_000, days=8, seed=17)


@pytest.fixture(scope="module")
def batch(day: Day) -> Iterator[duckdb.DuckDBPyConnection]:
    with computed(day) as con:
        yield con


def chunks(rows: Sequence[Row], size: int = 1000) -> Iterator[Sequence[Row]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def send(client: Client, tick: Tick) -> tuple[list[float], set[str]]:
    """Tell what came in; the scores of the orders placed, and the ids of all decisions that were made."""
    scored: list[DecisionAnswer] = [client.score(order) for order in tick.placed[:ONE_BY_ONE]]
    for orders in chunks(tick.placed[ONE_BY_ONE:]):
        scored += client.score_batch(orders).decisions
    made = {decision.decision_id for decision in scored}
    for table, rows in {"orders": tick.changed, **tick.later}.items():
        for some in chunks(rows):
            answer = client.add(table, some)
            assert answer.refused == 0, answer
            made |= {one for row in answer.rows for one in row.decision_ids}
    return [decision.score for decision in scored], made


def last_decisions(client: Client, order_ids: set[str]) -> dict[str, DecisionAnswer]:
    return {order_id: client.order(order_id, limit=1).decisions[0] for order_id in order_ids}


def assert_drift(server: Server, day: Day, scores: Sequence[float]) -> None:
    """The drift metric compares the scores given with those of the published scan."""
    scan = duckdb.sql(f"SELECT score FROM '{day.out}/orders.parquet'").fetchnumpy()["score"]
    drift = stability_index(score_shares(scan), score_shares(np.array(scores)))
    with server.client("auditor") as http:
        lines = http.get("/metrics").text.splitlines()
    told = [line for line in lines if line.startswith("truetrade_score_drift ")]
    assert len(told) == 1
    assert float(told[0].split()[1]) == pytest.approx(drift)


def assert_told(client: Client, day: Day) -> None:
    """What the scan found, the model and the policy are told as they are."""
    con = duckdb.connect()
    sellers = con.sql(f"FROM '{day.out}/sellers.parquet' ORDER BY score DESC LIMIT 5").to_arrow_table()
    for row in sellers.to_pylist():
        told = client.seller(row["seller_id"])
        assert (told.score, told.recommendation) == (row["score"], row["recommendation"])
    for row in con.sql(f"FROM '{day.out}/rings.parquet' LIMIT 3").to_arrow_table().to_pylist():
        ring, graph = client.ring(row["ring_id"]), client.ring_graph(row["ring_id"])
        assert (ring.buyer_ids, ring.creator_ids) == (row["buyer_ids"], row["creator_ids"])
        assert len(graph.edges) == len(ring.pairs) > 0
    assert client.model().model == day.bundle.id
    assert client.policy() == POLICY


def test_a_day_through_the_running_service_is_scored_as_the_batch_scores_it(
    database_url: str, day: Day, batch: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    keys = prepared(database_url)
    engine = connect(database_url)
    load(engine, day.history, Veil(KEY))
    publish(engine, day.out, datetime.now(UTC))
    settings = {
        "TRUETRADE_PSEUDONYM_KEY": KEY.decode(),
        "TRUETRADE_MODEL_BUNDLE": str(day.out.parent / "bundle"),
        "TRUETRADE_MODEL_KEY": MODEL_KEY.decode(),
    }
    with (
        running(database_url, keys, tmp_path, environment=settings) as server,
        Client(server.address, keys["admin"], timeout=120) as client,
    ):
        placed: set[str] = set()
        made: set[str] = set()
        scores: list[float] = []
        for tick in traffic(day, timedelta(hours=1)):
            placed |= {order["order_id"] for order in tick.placed}
            of_placed, ids = send(client, tick)
            scores, made = scores + of_placed, made | ids
        assert len(placed) >= 5000
        assert_told(client, day)
        assert_drift(server, day, scores)
        last = last_decisions(client, placed)
    assert {one.decision_id for one in last.values()} <= made
    said = expected(batch, day, POLICY, {order_id: one.decided_at for order_id, one in last.items()})
    with engine.connect() as connection:
        for order_id, decision in last.items():
            assert_same(said, order_id, decision, features_of(connection, decision.decision_id))
    engine.dispose()
