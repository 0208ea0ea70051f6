"""A day's traffic through the service says, order by order, what the batch says as of each order's time."""

from __future__ import annotations

from datetime import UTC, timedelta

import pytest
from replay import Day, a_day, assert_same, computed, expected, traffic
from sqlalchemy import Engine

from detector.load import load
from detector.pseudonym import Veil
from detector.publish import publish
from detector.rulebook import load_rulebook
from detector.service import Decision, ScoreRequest, Service

KEY = b"a key of the tests, 32 bytes long"
POLICY = load_rulebook(None)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    return a_day(tmp_path_factory.mktemp("day"), POLICY, orders=4200, days=14, seed=11)


def replayed(service: Service, day: Day, step: timedelta) -> dict[str, Decision]:
    """Send the day's traffic; each order's last decision."""
    last: dict[str, Decision] = {}
    for tick in traffic(day, step):
        now = tick.until.replace(tzinfo=UTC)
        made = [
            decision.decision_id for decision in service.score([ScoreRequest(o) for o in tick.placed], now)
        ]
        told = {"orders": tick.changed, **tick.later}
        for table, rows in told.items():
            now += timedelta(microseconds=1)
            made += [one for result in service.add(table, rows, now) for one in result.decision_ids]
        for decision_id in made:
            decision = service.decision(decision_id)
            last[decision.order_id] = decision
    return last


def test_a_day_s_traffic_is_scored_as_the_batch_scores_it(store: Engine, day: Day) -> None:
    load(store, day.history, Veil(KEY))
    publish(store, day.out, day.begins.replace(tzinfo=UTC))
    with Service(store, POLICY, day.bundle, KEY) as service:
        last = replayed(service, day, timedelta(hours=2))
    assert len(last) > 300
    seen: set[str] = set()
    with computed(day) as con:
        batch = expected(con, day, POLICY, {order_id: one.decided_at for order_id, one in last.items()})
    for order_id, decision in last.items():
        known = service.features(decision.decision_id)
        assert_same(batch, order_id, decision, known)
        seen |= known.keys()
    assert len(seen) > 0.8 * len(batch.features), batch.features.keys() - seen
