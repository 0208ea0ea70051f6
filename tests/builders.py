"""Small marketplaces for tests: rows with defaults, as the contract's tables in DuckDB."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from detector.contract import INPUT_TABLES, arrow_schema
from detector.ingest import Ingested, ingest_frames

Row = dict[str, Any]

START = datetime(2024, 5, 1, 12)
"""When the default order was placed (UTC)."""

AS_OF = datetime(2024, 9, 1)
"""Later than everything the builders make by themselves."""


def at(**after: float) -> datetime:
    """The default instant plus a time difference: ``at(days=2, hours=3)``."""
    return START + timedelta(**after)


def an_order(**changes: Any) -> Row:
    """An order of the contract; without ``order_id`` it is numbered by ``frames``."""
    return {
        "seller_id": "s1",
        "buyer_id": "b1",
        "created_at": START,
        "currency": "USD",
        "total_minor": 2500,
        "status": "COMPLETED",
    } | changes


def an_item(order_id: str, **changes: Any) -> Row:
    return {"order_id": order_id, "line_no": "1", "product_id": "p1", "quantity": 1} | changes


def an_identifier(kind: str, value: str, account_id: str = "b1", account_kind: str = "buyer") -> Row:
    return {
        "account_kind": account_kind,
        "account_id": account_id,
        "identifier_kind": kind,
        "identifier_value": value,
    }


def frames(orders: Iterable[Row], **tables: Iterable[Row]) -> dict[str, pd.DataFrame]:
    """Contract table name → frame; orders without an id are ``o0001``, ``o0002`` … in the given order."""
    numbered = [{"order_id": f"o{n:04d}"} | row for n, row in enumerate(orders, start=1)]
    return {name: frame(name, list(rows)) for name, rows in {"orders": numbered, **tables}.items()}


def frame(table: str, rows: Sequence[Row]) -> pd.DataFrame:
    """Rows as a frame of the contract's own types; a column that no row has is not there."""
    named = {name for row in rows for name in row}
    schema = arrow_schema(INPUT_TABLES[table])
    unknown = named - set(schema.names)
    if unknown:
        raise ValueError(f"{table} has no column {sorted(unknown)}")
    needed = {column.name for column in INPUT_TABLES[table].columns if column.required}
    fields = [field for field in schema if field.name in named | needed]
    return pa.Table.from_pylist(list(rows), pa.schema(fields)).to_pandas(types_mapper=pd.ArrowDtype)


def a_market(orders: Iterable[Row], **tables: Iterable[Row]) -> Ingested:
    """The rows, ingested into a DuckDB of their own; fails where a row breaks the contract."""
    return ingested(frames(orders, **tables))


def ingested(tables: Mapping[str, pd.DataFrame]) -> Ingested:
    """Frames, ingested into a DuckDB of their own; fails where a row breaks the contract."""
    con = duckdb.connect(config={"threads": 1})
    found = ingest_frames(tables, con)
    rejects = con.execute("FROM rejects").fetchall()
    if rejects:
        raise ValueError(f"a builder made rows that break the contract: {rejects[:3]}")
    return found


def by_order(con: duckdb.DuckDBPyConnection, table: str) -> dict[str, dict[str, float | None]]:
    """A feature table as order id → feature → value, null as None."""
    found = con.execute(f"SELECT order_id, f.* EXCLUDE (o) FROM orders LEFT JOIN {table} f USING (o)")
    names = [column[0] for column in found.description or ()][1:]
    return {row[0]: dict(zip(names, row[1:], strict=True)) for row in found.fetchall()}


def same(left: Any, right: Any, tolerance: float = 0.0) -> bool:
    """Equal arrays of floats, NaN at the same places."""
    return bool(
        np.allclose(np.asarray(left, float), np.asarray(right, float), rtol=0, atol=tolerance, equal_nan=True)
    )


def a_crowd(buyers: int = 600, sellers: int = 50, mean_orders: float = 2.0, seed: int = 1) -> list[Row]:
    """Orders of unrelated people: everybody has an own device, phone, card, network and home, and shops
    where the market shops (popularity falls with the seller's rank), over sixty days.
    """
    random = np.random.default_rng(seed)
    popularity = 1 / (np.arange(sellers) + 3)
    popularity /= popularity.sum()
    rows = []
    for buyer, orders in enumerate(1 + random.poisson(mean_orders - 1, buyers)):
        own = {
            "buyer_id": f"c{buyer:05d}",
            "device_id": f"device-c{buyer}",
            "payment_id": f"card-c{buyer}",
            "recipient_phone": f"+1 555 {buyer:07d}",
            "ip_address": f"10.{buyer // 250}.{buyer % 250}.7",
            "ship_to_country": "US",
            "ship_to_address": f"{buyer + 1} {('Oak', 'Elm', 'Ash', 'Birch')[buyer % 4]} Street",
            "ship_to_postcode": f"{97000 + buyer % 90}",
        }
        for seller in random.choice(sellers, orders, p=popularity):
            when = at(seconds=int(random.integers(60 * 86_400)))
            rows.append(an_order(seller_id=f"shop{seller:03d}", created_at=when, **own))
    return rows


def shuffled(rows: Sequence[Row], seed: int = 1) -> list[Row]:
    return [rows[n] for n in np.random.default_rng(seed).permutation(len(rows))]
