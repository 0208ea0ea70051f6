"""Bulk loading: every clean row is stored once, identity values veiled, on both kinds of database."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from builders import an_identifier, an_item, an_order, at, frames
from sqlalchemy import Engine, inspect, select
from stored_market import a_folder

from detector.contract import INPUT_TABLES
from detector.errors import InputError
from detector.load import load
from detector.pseudonym import IDENTITY_COLUMNS, Veil, pseudonym
from detector.store.facts import FACTS, reported

KEY = b"a key of the tests, 32 bytes long"
VEIL = Veil(KEY)
NAME = "Ana Sá"
SENSITIVE = {"device": "phone-7", "ip": "10.0.0.1", "name": NAME}


def a_market() -> dict[str, pd.DataFrame]:
    """A row of every table."""
    seen = {"device_id": SENSITIVE["device"], "ip_address": SENSITIVE["ip"]}
    orders = [
        an_order(order_id="o1", recipient_name=NAME, is_sample=False, delivered_at=at(days=3), **seen),
        an_order(order_id="o2", created_at=at(microseconds=1), **seen),
    ]
    scan = {"shipment_id": "h1", "event_at": at(days=3), "status": "DELIVERED", "latitude": 38.7}
    return frames(
        orders,
        order_items=[an_item("o1")],
        products=[{"product_id": "p1", "weight_g": 200}],
        sellers=[{"seller_id": "s1", "country": "PT"}],
        buyers=[{"buyer_id": "b1", "registered_at": at(days=-9)}],
        creators=[{"creator_id": "c1", "identity_verified": True}],
        account_identifiers=[an_identifier("device", "phone-7"), an_identifier("ip", "10.0.0.1")],
        shipments=[{"shipment_id": "h1", "order_id": "o1", "created_at": at(hours=1)}],
        tracking_events=[scan | {"signed_by": NAME}],
        reviews=[{"review_id": "r1", "order_id": "o1", "rating": 5, "created_at": at(days=4)}],
        promotions=[{"promotion_id": "f1", "product_id": "p1", "kind": "flash_sale"}],
        campaigns=[{"campaign_id": "k1", "product_id": "p1", "creator_commission_bp": 900}],
        affiliate_clicks=[{"creator_id": "c1", "clicked_at": at(hours=-1), **seen}],
        reports=[{"report_id": "t1", "created_at": at(days=5), "reporter_kind": "buyer"}],
        labels=[{"subject_kind": "order", "subject_id": "o1", "is_fake": False}],
    )


def stored(engine: Engine, table: str) -> list[dict[str, object]]:
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(select(FACTS[table])).mappings()]


def plain(value: object) -> object:
    """A frame's or a database's value, to compare them."""
    if isinstance(value, datetime):
        return pd.Timestamp(value).tz_localize(UTC) if value.tzinfo is None else pd.Timestamp(value)
    return value


def test_every_table_is_stored_as_it_was_with_identity_values_hidden(store: Engine, tmp_path: Path) -> None:
    tables = a_market()
    assert set(tables) == set(INPUT_TABLES)
    counts, rejected = load(store, a_folder(tmp_path / "in", tables), VEIL)
    assert (counts, rejected) == ({name: len(frame) for name, frame in tables.items()}, 0)
    for name, frame in tables.items():
        rows = stored(store, name)
        hidden = {*IDENTITY_COLUMNS.get(name, {}), "identifier_value"}
        for column in frame.columns.difference(sorted(hidden)):
            expected = {plain(value) for value in frame[column] if not pd.isna(value)}
            assert {plain(row[column]) for row in rows} - {None} == expected, (name, column)
        assert not {value for row in rows for value in row.values()} & set(SENSITIVE.values()), name


def test_equal_identity_values_stay_equal_and_names_can_be_read_with_the_key(
    store: Engine, tmp_path: Path
) -> None:
    load(store, a_folder(tmp_path / "in", a_market()), VEIL)
    device = pseudonym(KEY, "device", "phone-7")
    orders = stored(store, "orders")
    assert [order["device_id"] for order in orders] == [device, device]
    assert device in {row["identifier_value"] for row in stored(store, "account_identifiers")}
    assert stored(store, "affiliate_clicks")[0]["device_id"] == device
    signed = stored(store, "tracking_events")[0]["signed_by"]
    assert signed == next(order["recipient_name"] for order in orders if order["order_id"] == "o1")
    assert VEIL.opened(str(signed)) == NAME


def test_loading_again_changes_nothing_and_a_correction_replaces_its_row(
    store: Engine, tmp_path: Path
) -> None:
    tables = a_market()
    load(store, a_folder(tmp_path / "in", tables), VEIL)
    before = {name: stored(store, name) for name in tables}
    load(store, tmp_path / "in", VEIL)
    assert {name: stored(store, name) for name in tables} == before
    tables["orders"].loc[0, "total_minor"] = 99
    load(store, a_folder(tmp_path / "corrected", {"orders": tables["orders"]}), VEIL)
    assert [order["total_minor"] for order in stored(store, "orders")] == [99, 2500]


def test_rows_are_stored_whether_they_fill_a_statement_or_not(store: Engine, tmp_path: Path) -> None:
    orders = pd.DataFrame([an_order(order_id=f"o{number:03d}", total_minor=number) for number in range(97)])
    load(store, a_folder(tmp_path / "in", {"orders": orders}), VEIL)
    orders.loc[5:90, "total_minor"] += 1000
    load(store, a_folder(tmp_path / "corrected", {"orders": orders}), VEIL)
    assert [order["total_minor"] for order in stored(store, "orders")] == orders["total_minor"].to_list()


def test_indexes_are_there_after_a_load(store: Engine, tmp_path: Path) -> None:
    def indexes() -> dict[str, set[str | None]]:
        inspected = inspect(store)
        return {name: {index["name"] for index in inspected.get_indexes(name)} for name in FACTS}

    before = indexes()
    load(store, a_folder(tmp_path / "in", a_market()), VEIL)
    assert indexes() == before
    assert before["shipments"] == {"ix_shipments_order_id"}


def test_what_the_market_tells_is_noted(store: Engine, tmp_path: Path) -> None:
    tables = a_market()
    load(store, a_folder(tmp_path / "in", {"orders": tables["orders"]}), VEIL)
    with store.connect() as connection:
        assert reported(connection) == {"orders.total_minor"}
    load(store, a_folder(tmp_path / "more", tables), VEIL)
    with store.connect() as connection:
        assert reported(connection) == {"orders.total_minor", "tracking_events.event_at"}


def test_a_folder_that_cannot_be_read_leaves_the_store_as_it_was(store: Engine, tmp_path: Path) -> None:
    load(store, a_folder(tmp_path / "in", a_market()), VEIL)
    with pytest.raises(InputError):
        load(store, tmp_path / "nowhere", VEIL)
    assert len(stored(store, "orders")) == 2
