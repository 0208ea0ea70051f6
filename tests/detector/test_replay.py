"""A day's traffic through the service says, order by order, what the batch says as of each order's time."""

from __future__ import annotations

from datetime import UTC, timedelta

import numpy as np
import pytest
from replay import Day, a_day, expected, traffic
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
    service = Service(store, POLICY, day.bundle, KEY)
    last = replayed(service, day, timedelta(hours=2))
    batch = expected(day, POLICY, {order_id: one.decided_at for order_id, one in last.items()})
    assert len(last) > 300
    seen = dict.fromkeys(batch.features, False)
    for order_id, decision in last.items():
        row = batch.at[order_id]
        known = service.features(decision.decision_id)
        for name, column in batch.features.items():
            value = known.get(name, np.nan)
            seen[name] |= name in known
            assert np.isclose(value, column[row], rtol=1e-9, atol=1e-9, equal_nan=True), (
                order_id,
                name,
                value,
                column[row],
            )
        for name in ("score", "rule_score", "anomaly_score"):
            assert np.isclose(getattr(decision, name), getattr(batch, name)[row], rtol=0, atol=1e-9), (
                order_id,
                name,
            )
        assert decision.decision == batch.decision[row]
        for clause, value in decision.clauses.items():
            found = batch.clauses[clause][row]
            assert np.isclose(np.nan if value is None else value, found, rtol=0, atol=1e-9, equal_nan=True)
    assert sum(seen.values()) > 0.8 * len(seen), [name for name, any_ in seen.items() if not any_]
