"""The families over whole tables: what is missing stays unknown, what had not happened is not known."""

from __future__ import annotations

from datetime import timedelta

import duckdb
import numpy as np
import pandas as pd
import pytest
from builders import AS_OF, a_market, an_item, an_order, at, ingested

from detector.contract import INPUT_TABLES
from detector.simulate.market import simulate
from features.batch import STAGES, compute_features, forget_after, read_features
from features.catalog import CATALOG, missing_inputs
from features.hallmarks import FEATURES as HALLMARK_FEATURES
from features.neighbours import FEATURES as NEIGHBOUR_FEATURES

SNAPSHOT_OF_SCORES = {feature.name for feature in (*NEIGHBOUR_FEATURES, *HALLMARK_FEATURES)}
"""Computed from a scan's first suspicion, not by a family."""


@pytest.fixture(scope="module")
def market() -> dict[str, pd.DataFrame]:
    """Every table and column of the contract, with fakes in it."""
    tables = simulate(2500, 60, 3, fake_share=0.08).tables
    return {name: table.to_pandas(types_mapper=pd.ArrowDtype) for name, table in tables.items()}


def values(tables: dict[str, pd.DataFrame]) -> dict[str, np.ndarray]:
    con = ingested(tables).con
    compute_features(con, AS_OF)
    return read_features(con, CATALOG)


@pytest.fixture(scope="module")
def full(market: dict[str, pd.DataFrame]) -> dict[str, np.ndarray]:
    return values(market)


def test_every_feature_of_the_catalog_is_computed(
    market: dict[str, pd.DataFrame], full: dict[str, np.ndarray]
) -> None:
    assert set(full) == set(CATALOG) - SNAPSHOT_OF_SCORES
    orders = len(market["orders"])
    for name, column in full.items():
        assert column.dtype == np.float64, name
        assert column.shape == (orders,), name
        assert not np.isinf(column).any(), name


def test_every_feature_is_known_of_some_order(full: dict[str, np.ndarray]) -> None:
    """But one, which must have read more reviews than these to know what is said of a category."""
    unknown = {name for name, column in full.items() if np.isnan(column).all()}
    assert unknown <= {"review_topic_mismatch_bits"}


@pytest.mark.parametrize(
    "left_out", ["all but orders", "optional columns of orders", "order_items", "tracking_events"]
)
def test_what_the_input_lacks_leaves_its_features_unknown(
    left_out: str, market: dict[str, pd.DataFrame]
) -> None:
    """Unknown, never 0."""
    tables = dict(market)
    if left_out == "all but orders":
        tables = {"orders": tables["orders"]}
    elif left_out == "optional columns of orders":
        required = [column.name for column in INPUT_TABLES["orders"].columns if column.required]
        tables["orders"] = tables["orders"][required]
    else:
        del tables[left_out]
    present = {name: set(table.columns) for name, table in tables.items()}
    wrong = [
        name
        for name, column in values(tables).items()
        if missing_inputs(CATALOG[name], present) and not np.isnan(column).all()
    ]
    assert wrong == []


def test_every_stage_runs_once_after_what_it_needs() -> None:
    ran = []

    class Stage:
        def __init__(self, name: str) -> None:
            ran.append(name)

        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None: ...

    compute_features(a_market([an_order()]).con, AS_OF, Stage)
    assert sorted(ran) == sorted(STAGES)
    assert set(ran[:3]) == {"parcels", "identities", "related accounts"}
    assert ran.index("identities") < ran.index("related accounts")
    assert ran[-1] == "habits"


def test_a_day_s_scan_does_not_know_the_next_day() -> None:
    day = at(days=1)
    before, after = day - timedelta(microseconds=1), day
    con = a_market(
        [
            an_order(order_id="seen", delivered_at=after, paid_at=before),
            an_order(order_id="last", created_at=before),
            an_order(order_id="next", created_at=after),
        ],
        reviews=[{"review_id": name, "created_at": when} for name, when in (("r1", before), ("r2", after))],
        shipments=[
            {"shipment_id": name, "created_at": when} for name, when in (("h1", before), ("h2", after))
        ],
        tracking_events=[
            {"shipment_id": "h1", "event_at": when, "status": "IN_TRANSIT"} for when in (before, after)
        ],
        affiliate_clicks=[{"creator_id": "c", "clicked_at": when} for when in (before, after)],
        reports=[{"report_id": name, "created_at": when} for name, when in (("t1", before), ("t2", after))],
        labels=[
            {"subject_kind": "order", "subject_id": name, "labelled_at": when}
            for name, when in (("seen", before), ("last", after))
        ],
    ).con
    forget_after(con, day)

    def column(query: str) -> list[object]:
        return [value for (value,) in con.execute(query).fetchall()]

    assert column("SELECT order_id FROM orders ORDER BY 1") == ["last", "seen"]
    assert con.execute("SELECT delivered_at, paid_at FROM orders WHERE order_id = 'seen'").fetchall() == [
        (None, before)
    ]
    for table, when in (
        ("reviews", "created_at"),
        ("shipments", "created_at"),
        ("tracking_events", "event_at"),
        ("affiliate_clicks", "clicked_at"),
        ("reports", "created_at"),
        ("labels", "labelled_at"),
    ):
        assert column(f"SELECT {when} FROM {table}") == [before], table


def a_small_market() -> duckdb.DuckDBPyConnection:
    orders = [an_order(order_id=f"o{9 - n}", created_at=at(hours=n)) for n in range(4)]
    return a_market(orders, order_items=[an_item("o9")]).con


def test_features_are_read_in_canonical_order() -> None:
    con = a_small_market()
    compute_features(con, AS_OF)
    found = read_features(con, ["buyer_orders_24h", "same_product_orders", "no_such_feature"])
    assert set(found) == {"buyer_orders_24h", "same_product_orders"}
    assert found["buyer_orders_24h"].tolist() == [0, 1, 2, 3]
    assert found["same_product_orders"].tolist() == pytest.approx([0, *[float("nan")] * 3], nan_ok=True)


def test_a_market_computed_twice_has_the_same_features(
    market: dict[str, pd.DataFrame], full: dict[str, np.ndarray]
) -> None:
    """Bit by bit, on other threads and with the rows in another order."""
    shuffled = {name: table.sample(frac=1, random_state=7) for name, table in market.items()}
    con = ingested(shuffled).con
    con.execute("SET threads = 3")
    compute_features(con, AS_OF)
    again = read_features(con, CATALOG)
    for name, column in full.items():
        np.testing.assert_array_equal(again[name], column, err_msg=name)
