"""Windows by look-up: the oracle of the batch's windows, whatever the order in which facts arrive."""

from __future__ import annotations

import random
import re
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
from detector.store.facts import veiled
from detector.store.orders_in_database import latest_orders
from detector.store.windows import windows_of
from features.velocity import AGGREGATES, HOT_KEY_LIMIT

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
    windows = windows_of(engine)
    with engine.connect() as connection:
        windows.put(connection, facts)
        found = windows.values(connection, facts, market)
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
    windows = windows_of(store)
    with store.begin() as connection:
        windows.put(connection, [first])
        found = windows.values(connection, [second, first], set())
    assert found["buyer_orders_1h"].tolist() == [1, 0]


def test_a_correction_moves_the_order_in_everybody_s_history(store: Engine) -> None:
    first, judged = stored([an_order(order_id="a"), an_order(order_id="b", created_at=at(minutes=1))])
    windows = windows_of(store)
    with store.begin() as connection:
        windows.put(connection, [first, judged])
        windows.put(connection, [{**first, "created_at": at(days=-2).replace(tzinfo=UTC)}])
        found = windows.values(connection, [judged], set())
    assert (found["buyer_orders_24h"][0], found["buyer_orders_7d"][0]) == (0, 1)


# in a file of SQLite they are looked up in memory
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_every_reading_uses_an_index(store: Engine) -> None:
    """No look-up reads more than a key's own orders, and the index alone tells what is wanted."""
    with store.connect() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))  # of an empty table it would read all
        connection.execute(text("SET LOCAL enable_bitmapscan = off"))
        for key in sorted({aggregate.key for aggregate in AGGREGATES}):
            columns = {a.column for a in AGGREGATES if a.key == key and a.column}
            statement = latest_orders(key[0], key[1:], sorted(columns)).compile(dialect=store.dialect)
            parameters = dict.fromkeys(key, "") | {"since": 0, "until": 0, "most": 1}
            plan = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
            steps = " ".join(plan.scalars())
            assert "Index Only Scan" in steps, steps
            assert re.search(rf"Index Cond: \(.*{key[0]} = .*created_at >= .*created_at < ", steps), steps


def test_a_hot_buyer_s_orders_at_one_shop_are_still_counted(store: Engine) -> None:
    """The shop's orders lie deeper than the limit of the buyer's; money of a rare currency too."""
    rare = [
        an_order(order_id=f"r{n}", buyer_id="b1", seller_id="s9", currency="SEK", created_at=at(seconds=n))
        for n in range(3)
    ]
    rows = [
        an_order(
            order_id=f"o{n:04d}", buyer_id="b1", seller_id=f"s{n % 3}", created_at=at(minutes=1, seconds=n)
        )
        for n in range(HOT_KEY_LIMIT + 5)
    ]
    last = an_order(order_id="z", buyer_id="b1", seller_id="s9", currency="SEK", created_at=at(hours=2))
    found = looked_up(store, [*rare, *rows, last])
    assert found == oracle([*rare, *rows, last], HOT_KEY_LIMIT)
    assert (found["z"]["buyer_seller_orders_24h"], found["z"]["buyer_orders_24h"]) == (3, HOT_KEY_LIMIT)
    assert found["z"]["buyer_total_minor_30d"] == sum(row["total_minor"] for row in rare)
