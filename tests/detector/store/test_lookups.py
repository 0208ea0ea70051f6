"""Windows by look-up: the oracle of the batch's windows, whatever the order in which facts arrive."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC

import pytest
from builders import Row, an_order, at
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from velocity_oracle import order_tables
from velocity_oracle import window_values as oracle

from detector.pseudonym import Veil
from detector.store.facts import put, veiled
from detector.store.lookups import _statement, window_values
from features.velocity import HOT_KEY_LIMIT

VEIL = Veil(b"a key of the tests, 32 bytes long")


def stored(rows: Sequence[Row]) -> list[Row]:
    return [
        veiled(VEIL, "orders", row | {"created_at": row["created_at"].replace(tzinfo=UTC)}) for row in rows
    ]


def looked_up(engine: Engine, rows: Sequence[Row]) -> dict[str, dict[str, float | None]]:
    """Store the orders, look every window up, forget them: order id → aggregate → value."""
    facts = stored(rows)
    market = {
        f"orders.{name}"
        for name in ("total_minor", "platform_discount_minor")
        if any(row.get(name) is not None for row in rows)
    }
    with engine.connect() as connection:
        put(connection, "orders", facts)
        found = window_values(connection, facts, market)
        connection.rollback()
    return {
        row["order_id"]: {name: None if v[i] != v[i] else float(v[i]) for name, v in found.items()}
        for i, row in enumerate(facts)
    }


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(rows=order_tables(), seed=st.integers(0, 9))
def test_look_ups_are_the_oracle_in_any_order_of_arrival(store: Engine, rows: list[Row], seed: int) -> None:
    late = random.Random(seed).sample(rows, len(rows))
    assert looked_up(store, late) == oracle(rows, HOT_KEY_LIMIT)


def test_the_limit_itself_is_not_hot_yet(store: Engine) -> None:
    rows = [
        an_order(order_id=f"o{n:04d}", buyer_id=f"b{n % 7}", device_id="d1", created_at=at(seconds=n))
        for n in range(HOT_KEY_LIMIT + 2)
    ]
    found = looked_up(store, rows)
    last, hot = found[f"o{HOT_KEY_LIMIT:04d}"], found[f"o{HOT_KEY_LIMIT + 1:04d}"]
    assert (last["device_orders_24h"], last["device_buyers_30d"]) == (HOT_KEY_LIMIT, 7)
    assert (hot["device_orders_24h"], hot["device_buyers_30d"]) == (HOT_KEY_LIMIT, None)
    assert hot["seller_orders_1h"] == HOT_KEY_LIMIT


def test_an_order_that_is_not_stored_sees_the_stored_ones(store: Engine) -> None:
    first, second = stored([an_order(order_id="a"), an_order(order_id="b", created_at=at(minutes=1))])
    with store.begin() as connection:
        put(connection, "orders", [first])
        found = window_values(connection, [second, first], set())
    assert found["buyer_orders_1h"].tolist() == [1, 0]


def test_a_correction_moves_the_order_in_everybody_s_history(store: Engine) -> None:
    first, judged = stored([an_order(order_id="a"), an_order(order_id="b", created_at=at(minutes=1))])
    with store.begin() as connection:
        put(connection, "orders", [first, judged])
        put(connection, "orders", [{**first, "created_at": at(days=-2).replace(tzinfo=UTC)}])
        found = window_values(connection, [judged], set())
    assert (found["buyer_orders_24h"][0], found["buyer_orders_7d"][0]) == (0, 1)


def test_every_reading_uses_an_index(store: Engine) -> None:
    """No look-up reads more than a key's own orders."""
    if store.dialect.name != "sqlite":
        pytest.skip("PostgreSQL plans by its statistics; an empty table tells nothing")
    statement = _statement("sqlite").compile(dialect=store.dialect)
    with store.connect() as connection:
        plan = connection.execute(
            text(f"EXPLAIN QUERY PLAN {statement}".replace("?", ":rows")), {"rows": "[]"}
        )
        steps = [row.detail for row in plan]
    readings = [step for step in steps if "orders" in step]
    assert len(readings) == 9
    assert all(step.startswith("SEARCH orders USING") and "created_at<?" in step for step in readings)
    assert not [step for step in steps if "TEMP B-TREE FOR ORDER BY" in step]
