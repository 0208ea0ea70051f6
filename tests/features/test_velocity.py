"""Trailing windows: the batch path and the plain expression against a slow oracle in Python."""

from __future__ import annotations

from functools import cache

import duckdb
import ibis
import pyarrow as pa
import pytest
from builders import Row, a_market, an_order, at, by_order
from hypothesis import given, settings
from hypothesis import strategies as st
from velocity_oracle import order_tables, window_values

from detector.contract import ORDERS, arrow_schema
from features import windows
from features.batch import window_table
from features.velocity import AGGREGATES, FEATURES, HOT_KEY_LIMIT, Aggregate
from features.windows import window_features


def batch_values(rows: list[Row]) -> dict[str, dict[str, float | None]]:
    con = a_market(rows).con
    window_table(con)
    return by_order(con, "f_windows")


@cache
def plain_query(limit: int) -> str:
    """The expression over the contract's own types, with another limit for hot keys."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "HOT_KEY_LIMIT", limit)
        orders = ibis.table(ibis.Schema.from_pyarrow(arrow_schema(ORDERS)), name="orders")
        return str(ibis.to_sql(window_features(orders), dialect="duckdb"))


def plain_values(rows: list[Row], limit: int) -> dict[str, dict[str, float | None]]:
    con = duckdb.connect(config={"threads": 1})
    con.register("orders", pa.Table.from_pylist(rows, arrow_schema(ORDERS)))
    found = con.sql(plain_query(limit)).to_arrow_table().to_pylist()
    return {row.pop("order_id"): row for row in found}


@settings(max_examples=6, deadline=None, derandomize=True)
@given(order_tables(), st.sampled_from([3, HOT_KEY_LIMIT]))
def test_the_batch_path_is_the_oracle(rows: list[Row], limit: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "HOT_KEY_LIMIT", limit)
        assert batch_values(rows) == window_values(rows, limit)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(order_tables(), st.sampled_from([2, HOT_KEY_LIMIT]))
def test_the_plain_expression_is_the_oracle(rows: list[Row], limit: int) -> None:
    assert plain_values(rows, limit) == window_values(rows, limit)


def test_the_limit_itself_is_not_hot_yet() -> None:
    """1,000 orders in the window are counted, 1,001 stop the count and void the other aggregates."""
    rows = [
        an_order(order_id=f"o{n:04d}", buyer_id=f"b{n % 7}", device_id="d1", created_at=at(seconds=n))
        for n in range(HOT_KEY_LIMIT + 2)
    ]
    found = batch_values(rows)
    last, hot = found[f"o{HOT_KEY_LIMIT:04d}"], found[f"o{HOT_KEY_LIMIT + 1:04d}"]
    assert (last["device_orders_24h"], last["device_buyers_30d"]) == (HOT_KEY_LIMIT, 7)
    assert (hot["device_orders_24h"], hot["device_buyers_30d"]) == (HOT_KEY_LIMIT, None)
    assert hot["buyer_total_minor_30d"] == 2500 * sum(n % 7 == 1001 % 7 for n in range(1001))


def test_a_window_includes_its_first_instant_and_not_the_order_s_own() -> None:
    found = batch_values(
        [
            an_order(order_id="early", created_at=at(hours=-1, microseconds=-1)),
            an_order(order_id="first", created_at=at(hours=-1)),
            an_order(order_id="same", created_at=at()),
            an_order(order_id="judged", created_at=at()),
        ]
    )
    assert found["judged"]["buyer_orders_1h"] == 1
    assert found["judged"]["buyer_orders_24h"] == 2


def test_the_sum_of_unknown_amounts_is_unknown() -> None:
    paid = {"device_id": "d1", "platform_discount_minor": 30}
    found = batch_values(
        [
            an_order(order_id="first", buyer_id="b1", **paid),
            an_order(order_id="blank", buyer_id="b2", created_at=at(minutes=1)),
            an_order(order_id="after_blank", buyer_id="b2", created_at=at(minutes=2)),
            an_order(order_id="other_currency", buyer_id="b1", currency="EUR", created_at=at(minutes=3)),
            an_order(order_id="after_first", buyer_id="b1", created_at=at(minutes=4)),
        ]
    )
    sums = {order: values["buyer_platform_discount_minor_30d"] for order, values in found.items()}
    assert sums == {"first": 0, "blank": 0, "after_blank": None, "other_currency": 0, "after_first": 30}


def test_a_market_without_discounts_or_devices_knows_nothing_of_them() -> None:
    found = batch_values([an_order(order_id="a"), an_order(order_id="b", created_at=at(hours=1))])
    for feature in FEATURES:
        if {"orders.device_id", "orders.platform_discount_minor"} & set(feature.needs):
            assert {values[feature.name] for values in found.values()} == {None}


def test_order_of_rows_changes_nothing() -> None:
    rows = [
        an_order(order_id=f"o{n}", buyer_id=f"b{n % 3}", device_id="d", created_at=at(minutes=n % 5))
        for n in range(40)
    ]
    assert batch_values(rows) == batch_values(rows[::-1])


@pytest.mark.parametrize("aggregate", AGGREGATES, ids=lambda aggregate: aggregate.name)
def test_every_aggregate_is_described(aggregate: Aggregate) -> None:
    feature = next(feature for feature in FEATURES if feature.name == aggregate.name)
    assert feature.kind == "window"
    assert feature.window == aggregate.window
    assert {f"orders.{part}" for part in aggregate.key} <= set(feature.needs)
    assert aggregate.window in feature.meaning
