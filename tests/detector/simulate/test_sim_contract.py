"""The simulated tables keep the data contract to the letter."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pycountry
import pytest

from detector.contract import INPUT_TABLES, arrow_schema
from detector.simulate.market import Market

NAMES = sorted(INPUT_TABLES)


def test_every_table_of_the_contract_is_there(market: Market) -> None:
    assert set(market.tables) == set(INPUT_TABLES)
    assert all(table.num_rows > 0 for table in market.tables.values())


@pytest.mark.parametrize("name", NAMES)
def test_schema_is_the_contracts(market: Market, name: str) -> None:
    assert market.tables[name].schema == arrow_schema(INPUT_TABLES[name])


@pytest.mark.parametrize("name", NAMES)
def test_required_values_enums_and_ranges(market: Market, name: str) -> None:
    for column in INPUT_TABLES[name].columns:
        values = market.tables[name][column.name]
        if column.required:
            assert values.null_count == 0, column.name
        if column.enum:
            assert set(pc.unique(values.drop_null()).to_pylist()) <= set(column.enum), column.name
        if column.minimum is not None and values.null_count < len(values):
            assert pc.min(values).as_py() >= column.minimum, column.name
        if column.maximum is not None and values.null_count < len(values):
            assert pc.max(values).as_py() <= column.maximum, column.name


@pytest.mark.parametrize("name", [name for name in NAMES if INPUT_TABLES[name].key])
def test_keys_are_unique(con: duckdb.DuckDBPyConnection, name: str) -> None:
    key = ", ".join(INPUT_TABLES[name].key)
    twice = con.execute(f"SELECT {key} FROM {name} GROUP BY ALL HAVING count(*) > 1").fetchall()
    assert twice == []


@pytest.mark.parametrize(
    ("child", "column", "parent", "key"),
    [
        ("orders", "seller_id", "sellers", "seller_id"),
        ("orders", "buyer_id", "buyers", "buyer_id"),
        ("orders", "creator_id", "creators", "creator_id"),
        ("orders", "campaign_id", "campaigns", "campaign_id"),
        ("orders", "promotion_id", "promotions", "promotion_id"),
        ("order_items", "order_id", "orders", "order_id"),
        ("order_items", "product_id", "products", "product_id"),
        ("products", "seller_id", "sellers", "seller_id"),
        ("shipments", "order_id", "orders", "order_id"),
        ("tracking_events", "shipment_id", "shipments", "shipment_id"),
        ("reviews", "order_id", "orders", "order_id"),
        ("promotions", "product_id", "products", "product_id"),
        ("campaigns", "product_id", "products", "product_id"),
        ("affiliate_clicks", "creator_id", "creators", "creator_id"),
        ("reports", "seller_id", "sellers", "seller_id"),
        ("labels", "subject_id", "orders", "order_id"),
        ("truth", "order_id", "orders", "order_id"),
    ],
)
def test_references_lead_somewhere(
    con: duckdb.DuckDBPyConnection, child: str, column: str, parent: str, key: str
) -> None:
    lost = con.execute(
        f"SELECT count(*) FROM {child} WHERE {column} IS NOT NULL"
        f" AND {column} NOT IN (SELECT {key} FROM {parent})"
    ).fetchall()[0]
    assert lost == (0,)


def test_currencies_and_countries_are_real(market: Market) -> None:
    currencies = set(pc.unique(market.tables["orders"]["currency"]).to_pylist())
    countries = set(pc.unique(market.tables["orders"]["ship_to_country"]).to_pylist())
    assert {"CN", "US", "GB", "ID", "TH", "MY", "PH", "VN", "SG", "DE"} <= countries
    assert all(pycountry.currencies.get(alpha_3=code) for code in currencies)
    assert all(pycountry.countries.get(alpha_2=code) for code in countries)


def test_ids_tell_nothing_about_their_order(con: duckdb.DuckDBPyConnection) -> None:
    """The id's first digits are as frequent among fakes as among the rest, and unrelated to time."""
    share = con.execute(
        "SELECT avg((order_id < '8')::INT) FILTER (is_fake), avg((order_id < '8')::INT) FROM truth"
    ).fetchall()[0]
    assert abs(share[0] - 0.5) < 0.06
    assert abs(share[1] - 0.5) < 0.02
    slope = con.execute(
        "SELECT corr(('0x' || order_id[1:8])::BIGINT, epoch(created_at)) FROM orders"
    ).fetchall()[0]
    assert abs(slope[0]) < 0.02


def test_rows_are_not_grouped_by_truth(market: Market, con: duckdb.DuckDBPyConnection) -> None:
    """In each tenth of the truth table and of buyers there is about a tenth of the fakes."""
    fake = market.truth["orders"]["is_fake"].to_numpy()
    tenths = [part.mean() for part in (fake[i::10] for i in range(10))]
    blocks = [fake[i * 6000 : (i + 1) * 6000].mean() for i in range(10)]
    assert max(tenths) < 0.03
    assert max(blocks) < 0.03


def test_truth_is_not_in_the_market(market: Market) -> None:
    columns = {name for table in market.tables.values() for name in table.column_names}
    assert not columns & {"attack", "group", "ring", "is_guilty", "role"}
    labels = market.tables["labels"]
    fakes = pc.sum(market.truth["orders"]["is_fake"]).as_py()
    assert labels.num_rows < 0.1 * fakes
    assert pa.types.is_boolean(labels.schema.field("is_fake").type)
