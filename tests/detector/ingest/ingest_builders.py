"""Rows of the data contract as text, and ways to write and read them."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from detector.contract import INPUT_TABLES, arrow_schema
from detector.ingest import Ingested, ingest, ingest_frames

Row = dict[str, str | None]

_DEFAULTS: dict[str, Row] = {
    "orders": {
        "order_id": "o1",
        "seller_id": "s1",
        "buyer_id": "b1",
        "created_at": "2024-05-01T10:00:00Z",
        "currency": "USD",
        "total_minor": "1999",
        "status": "COMPLETED",
        "paid_at": "2024-05-01T10:01:00Z",
        "refund_minor": "0",
        "ship_to_country": "DE",
        "is_sample": "false",
    },
    "order_items": {"order_id": "o1", "line_no": "1", "product_id": "p1", "quantity": "2"},
    "products": {"product_id": "p1", "weight_g": "300", "listed_at": "2024-01-01T00:00:00Z"},
    "sellers": {"seller_id": "s1", "country": "CN", "city": "Dongguan"},
    "buyers": {"buyer_id": "b1", "registered_at": "2023-01-01T00:00:00Z"},
    "creators": {"creator_id": "c1", "follower_count": "1000", "identity_verified": "true"},
    "account_identifiers": {
        "account_kind": "buyer",
        "account_id": "b1",
        "identifier_kind": "device",
        "identifier_value": "d1",
    },
    "shipments": {
        "shipment_id": "h1",
        "order_id": "o1",
        "handover": "PICK_UP",
        "declared_weight_g": "300",
        "created_at": "2024-05-01T12:00:00Z",
    },
    "tracking_events": {
        "shipment_id": "h1",
        "event_at": "2024-05-02T08:00:00Z",
        "status": "PICKED_UP",
        "country": "CN",
        "latitude": "23.1",
        "longitude": "113.3",
    },
    "reviews": {"review_id": "r1", "order_id": "o1", "rating": "5", "text": "good"},
    "promotions": {"promotion_id": "m1", "product_id": "p1", "kind": "discount", "price_minor": "900"},
    "campaigns": {"campaign_id": "k1", "product_id": "p1", "creator_commission_bp": "500"},
    "affiliate_clicks": {"creator_id": "c1", "product_id": "p1", "clicked_at": "2024-05-01T09:00:00Z"},
    "reports": {"report_id": "t1", "reporter_kind": "buyer", "created_at": "2024-05-03T00:00:00Z"},
    "labels": {"subject_kind": "order", "subject_id": "o1", "is_fake": "1", "clause": "reviews"},
}


def a_row(table: str, **changes: str | None) -> Row:
    """A valid row of ``table`` with some values changed."""
    return _DEFAULTS[table] | changes


def an_order(order_id: str = "o1", **changes: str | None) -> Row:
    return a_row("orders", order_id=order_id, **changes)


def csv_text(rows: Sequence[Row], newline: str = "\n") -> str:
    stream = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(stream, names, lineterminator=newline)
    writer.writeheader()
    writer.writerows({name: "" if row.get(name) is None else row[name] for name in names} for row in rows)
    return stream.getvalue()


def as_frame(rows: Sequence[Row]) -> pd.DataFrame:
    return pd.DataFrame(list(rows)).astype(object)


def write(folder: Path, form: str, table: str, rows: Sequence[Row]) -> None:
    """Write ``rows`` as text in the named form."""
    folder.mkdir(parents=True, exist_ok=True)
    if form == "csv":
        (folder / f"{table}.csv").write_text(csv_text(rows), newline="")
    elif form == "csv.gz":
        (folder / f"{table}.csv.gz").write_bytes(gzip.compress(csv_text(rows).encode()))
    elif form == "parquet":
        pq.write_table(_text_table(rows), folder / f"{table}.parquet")
    elif form == "parts":
        for day, row in enumerate(rows, start=1):
            part = folder / table / f"date=2024-05-{day:02d}"
            part.mkdir(parents=True)
            pq.write_table(_text_table([row]), part / "part-0.parquet")
    else:
        raise ValueError(form)


FORMS = ("csv", "csv.gz", "parquet", "parts")


def _text_table(rows: Sequence[Row]) -> pa.Table:
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: pa.array([row.get(name) for row in rows], pa.string()) for name in names})


def typed(table: str, rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Rows of Python values as Arrow in the contract's own types."""
    names = {name for row in rows for name in row}
    schema = pa.schema([field for field in arrow_schema(INPUT_TABLES[table]) if field.name in names])
    return pa.Table.from_pylist(list(rows), schema=schema)


def read(folder: Path, **options: Any) -> Ingested:
    return ingest(folder, duckdb.connect(), **options)


def read_frames(**frames: pd.DataFrame) -> Ingested:
    return ingest_frames(frames, duckdb.connect())


def rows_of(ingested: Ingested, table: str, *columns: str) -> list[tuple[Any, ...]]:
    """The clean table's rows: orders as they lie, the others, which have no order, by their columns."""
    order = "" if table == "orders" else " ORDER BY ALL"
    return ingested.con.execute(f"SELECT {', '.join(columns) or '*'} FROM {table}{order}").fetchall()


def rejects(ingested: Ingested) -> list[tuple[Any, ...]]:
    return ingested.con.execute("FROM rejects").fetchall()


def at(text: str) -> datetime:
    """A naive UTC time, as the clean tables hold it."""
    return datetime.fromisoformat(text)
