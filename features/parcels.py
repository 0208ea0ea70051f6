"""One row per order with what its parcel's papers and scans say: the ground that ``tracking`` stands on.

An order may have several shipments (split parcels, a label printed twice). The one with the best trace is its
main parcel: what one delivered parcel shows cannot be held against the order because a second label was
never used.
"""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.carriers import Verdict, check_numbers, foreign_numbers, normalise
from features.first_mile import extra_ship_seconds, first_mile_fit
from features.trace import STATUS_KIND, Traces, trace_facts

__all__ = ["TABLES", "add_columns", "build_parcels", "number_invalid", "register_columns", "values_of"]

TABLES = ("tk_order", "tk_shipment", "tk_trace", "tk_parcel")
"""Temporary tables that ``build_parcels`` leaves for the signals; the family drops them at the end."""

_RANK = 1_000_000_000_000
"""Beyond every shipment number: the better a trace, the fewer of these are added before the minimum."""

Floats = npt.NDArray[np.float64]


def build_parcels(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``TABLES`` from the contract's tables."""
    _orders(con)
    _shipments(con)
    _numbers(con)
    _traces(con)
    _main_parcels(con)


def _orders(con: duckdb.DuckDBPyConnection) -> None:
    """``tk_order``: who, when, and what the order's own state claims of its parcel."""
    con.execute("""
        CREATE OR REPLACE TEMP TABLE tk_order AS
        WITH seller AS (SELECT seller_id, row_number() OVER (ORDER BY seller_id) AS seller
                        FROM (SELECT DISTINCT seller_id FROM orders)),
        entity AS (SELECT entity_id, row_number() OVER (ORDER BY entity_id) AS entity
                   FROM (SELECT DISTINCT entity_id FROM buyer_entity))
        SELECT o, order_id, seller, entity, epoch_us(created_at) / 1e6 AS ordered_at,
               epoch_us(orders.shipped_at) / 1e6 AS order_shipped_at,
               coalesce(is_sample, false) OR coalesce(is_replacement, false)
                   OR coalesce(is_exchange, false) AS exempt,
               combined_group_id,
               cancelled_at IS NOT NULL OR coalesce(status = 'CANCELLED', false) AS cancelled,
               delivered_at IS NOT NULL OR completed_at IS NOT NULL
                   OR coalesce(status IN ('DELIVERED', 'COMPLETED'), false) AS claims_delivery,
               orders.shipped_at IS NOT NULL OR delivered_at IS NOT NULL OR completed_at IS NOT NULL
                   OR coalesce(status IN ('IN_TRANSIT', 'DELIVERED', 'COMPLETED'), false) AS claims_shipment,
               recipient_name, ship_to_country, ship_to_region, ship_to_city, ship_to_postcode, ship_to_address
        FROM orders JOIN seller USING (seller_id) JOIN buyer_entity USING (buyer_id)
        JOIN entity USING (entity_id) ORDER BY o
    """)


def _shipments(con: duckdb.DuckDBPyConnection) -> None:
    """``tk_shipment``: the orders' shipments, ``s`` from 0 in a fixed order."""
    con.execute("""
        CREATE OR REPLACE TEMP TABLE tk_shipment AS
        SELECT row_number() OVER (ORDER BY o, h.created_at, shipment_id) - 1 AS s, o, ordered_at, shipment_id,
               carrier, tracking_number, last_mile_tracking_number, epoch_us(h.created_at) / 1e6 AS label_at,
               epoch_us(h.shipped_at) / 1e6 AS shipped_at, handover, ship_from_country, ship_from_region,
               ship_from_city, ship_from_postcode, declared_weight_g
        FROM shipments h JOIN tk_order USING (order_id) ORDER BY s
    """)


def _numbers(con: duckdb.DuckDBPyConnection) -> None:
    """Add what the registry says of each shipment's numbers to ``tk_shipment``."""
    table = con.sql("""
        SELECT s, carrier, tracking_number, last_mile_tracking_number, handover, ship_from_city, label_at,
               ordered_at FROM tk_shipment ORDER BY s
    """).to_arrow_table()
    numbers, carriers, cities = (_text(table, c) for c in ("tracking_number", "carrier", "ship_from_city"))
    verdicts = check_numbers(numbers, carriers)
    fit = first_mile_fit(numbers, carriers, _text(table, "handover"), cities, values_of(table, "label_at"))
    foreign = np.where(verdicts == Verdict.UNKNOWN, np.nan, foreign_numbers(numbers, verdicts))
    add_columns(con, "tk_shipment", "s", {
        "s": table["s"],
        "number": normalise(numbers),
        "last_mile_number": normalise(_text(table, "last_mile_tracking_number")),
        "number_invalid": np.where(fit == 1, 0.0, number_invalid(verdicts)),
        "carrier_mismatch": np.where(np.isnan(fit), foreign, 1 - fit),
        "extra_seconds": extra_ship_seconds(values_of(table, "ordered_at"), cities),
    })  # fmt: skip


def number_invalid(verdicts: npt.NDArray[np.int8]) -> Floats:
    """1 where the declared carrier cannot have printed the number, 0.5 where unusual, NaN where not known."""
    values = {Verdict.VALID: 0.0, Verdict.UNUSUAL: 0.5, Verdict.BAD_FORMAT: 1.0, Verdict.BAD_CHECK: 1.0}
    return np.array([values.get(verdict, np.nan) for verdict in Verdict])[verdicts]


def _traces(con: duckdb.DuckDBPyConnection) -> None:
    """``tk_trace``: the facts of every shipment's events, one row per ``s``; null times where not scanned."""
    kinds = " ".join(f"WHEN '{status}' THEN {int(kind)}" for status, kind in STATUS_KIND.items())
    events = con.sql(f"""
        SELECT s, epoch_us(event_at) / 1e6 AS instant, (CASE status {kinds} ELSE 0 END)::TINYINT AS kind,
               latitude, longitude, weight_g::DOUBLE AS grams
        FROM tracking_events JOIN tk_shipment USING (shipment_id) ORDER BY s, instant, kind, grams
    """).to_arrow_table()
    ordered = con.sql("SELECT s, ordered_at FROM tk_shipment ORDER BY s").to_arrow_table()
    numeric = {name: values_of(events, name) for name in ("latitude", "longitude", "grams")}
    facts = trace_facts(
        Traces(
            count=len(ordered),
            shipment=events["s"].to_numpy(),
            at=values_of(events, "instant"),
            kind=events["kind"].to_numpy(),
            ordered_at=values_of(ordered, "ordered_at"),
            **numeric,
        )
    )
    columns = {name: getattr(facts, name) for name in facts.__slots__}
    register_columns(con, "tk_facts", {"s": ordered["s"], **columns})
    con.execute("CREATE OR REPLACE TEMP TABLE tk_trace AS SELECT * FROM tk_facts ORDER BY s")
    con.unregister("tk_facts")


def _main_parcels(con: duckdb.DuckDBPyConnection) -> None:
    """``tk_parcel``: every order with its main parcel, and the places of its first scan and delivery."""
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE tk_parcel AS
        WITH best AS (
            SELECT o, max(number_invalid) AS number_invalid, max(carrier_mismatch) AS carrier_mismatch,
                   min(label_at) AS label_at, count(*) AS parcels,
                   CASE WHEN count(t.grams) = count(*) THEN sum(t.grams) END AS grams,
                   CASE WHEN count(declared_weight_g) = count(*) THEN sum(declared_weight_g) END AS declared_grams,
                   min(s + {_RANK} * (CASE WHEN delivered_at IS NOT NULL THEN 0
                                           WHEN scanned_at IS NOT NULL THEN 1 ELSE 2 END)) % {_RANK} AS s
            FROM tk_shipment JOIN tk_trace t USING (s) GROUP BY o)
        SELECT r.*, b.* EXCLUDE (o, s), p.* EXCLUDE (o, number_invalid, carrier_mismatch, ordered_at, label_at),
               t.* EXCLUDE (s, grams), accepted_place, delivered_place
        FROM tk_order r LEFT JOIN best b USING (o) LEFT JOIN tk_shipment p ON p.s = b.s
        LEFT JOIN tk_trace t ON t.s = b.s
        LEFT JOIN ({_place("accepted_place", "accepted_at", "PICKED_UP")}) a ON a.s = b.s
        LEFT JOIN ({_place("delivered_place", "delivered_at", "DELIVERED")}) d ON d.s = b.s
        ORDER BY r.o
    """)


def _place(name: str, time: str, status: str) -> str:
    """Query: where (and by whom signed) each shipment's event of that time and status took place."""
    return f"""
        SELECT s, min({{'country': country, 'region': region, 'city': city, 'postcode': postcode,
                        'signed_by': signed_by}}) AS {name}
        FROM tracking_events JOIN tk_shipment USING (shipment_id) JOIN tk_trace USING (s)
        WHERE status = '{status}' AND epoch_us(event_at) / 1e6 = {time} GROUP BY s
    """


def _text(table: pa.Table, name: str) -> pa.Array:
    return table[name].cast(pa.string()).combine_chunks()


def values_of(table: pa.Table, name: str) -> Floats:
    """A numeric column as float64, null as NaN."""
    return np.asarray(table[name].cast(pa.float64()).to_numpy(), dtype=np.float64)


def register_columns(con: duckdb.DuckDBPyConnection, name: str, columns: dict[str, Any]) -> None:
    """Register columns as a view; NaN becomes null."""
    con.register(name, pa.table({key: pa.array(values, from_pandas=True) if isinstance(values, np.ndarray)
                                 else values for key, values in columns.items()}))  # fmt: skip


def add_columns(
    con: duckdb.DuckDBPyConnection, table: str, key: str, columns: dict[str, Any], join: str = "INNER"
) -> None:
    """Add ``columns`` (one of them the key) to ``table``; a ``LEFT`` join keeps rows without a match."""
    register_columns(con, "tk_new", columns)
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE {table} AS
        SELECT * FROM {table} {join} JOIN tk_new USING ({key}) ORDER BY {key}
    """)
    con.unregister("tk_new")
