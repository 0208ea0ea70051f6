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

__all__ = ["TABLES", "build_parcels", "number_invalid", "read_columns", "register_columns", "values_of"]

TABLES = ("tk_order", "tk_parcel", "tk_scan")
"""Temporary tables that ``build_parcels`` leaves for the signals, besides the view ``tk_shipment``."""

Floats = npt.NDArray[np.float64]


def build_parcels(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``TABLES`` from the contract's tables.

    ``tk_order`` has one row per order, ``tk_shipment`` one per shipment of an order (``s`` from 0),
    ``tk_parcel`` one per order with a shipment: ``s`` of its main parcel and the facts of its trace;
    ``tk_scan`` the places of that parcel's pick-up and delivery.
    """
    _create_orders(con)
    _register_shipments(con)
    _create_parcels(con)
    _create_scans(con)


def _create_orders(con: duckdb.DuckDBPyConnection) -> None:
    """``tk_order``: who, when, and what the order's own state claims of its parcel."""
    con.execute("""
        CREATE OR REPLACE TEMP TABLE tk_order AS
        SELECT o, hash(seller_id) AS seller, hash(entity_id) AS entity,
               epoch_us(created_at) / 1e6 AS ordered_at, epoch_us(shipped_at) / 1e6 AS order_shipped_at,
               coalesce(is_sample OR is_replacement OR is_exchange, false) AS exempt,
               hash(combined_group_id) AS combined_group, combined_group_id IS NOT NULL AS combined,
               cancelled_at IS NOT NULL OR coalesce(status = 'CANCELLED', false) AS cancelled,
               delivered_at IS NOT NULL OR completed_at IS NOT NULL
                   OR coalesce(status IN ('DELIVERED', 'COMPLETED'), false) AS claims_delivery,
               shipped_at IS NOT NULL OR delivered_at IS NOT NULL OR completed_at IS NOT NULL
                   OR coalesce(status IN ('IN_TRANSIT', 'DELIVERED', 'COMPLETED'), false) AS claims_shipment
        FROM orders JOIN buyer_entity USING (buyer_id)
    """)


def _register_shipments(con: duckdb.DuckDBPyConnection) -> None:
    """``tk_shipment``: the orders' shipments and what the registry says of their numbers."""
    table = con.sql("""
        SELECT o, epoch_us(orders.created_at) / 1e6 AS ordered_at, shipment_id, carrier, tracking_number,
               last_mile_tracking_number, epoch_us(h.created_at) / 1e6 AS label_at,
               epoch_us(h.shipped_at) / 1e6 AS shipped_at, handover, ship_from_country, ship_from_region,
               ship_from_city, ship_from_postcode, declared_weight_g::DOUBLE AS declared_grams
        FROM shipments h JOIN orders USING (order_id)
    """).to_arrow_table()
    checked = _checked_numbers(table)
    kept = table.drop_columns(["tracking_number", "last_mile_tracking_number", "handover"])
    columns = {name: kept[name] for name in kept.column_names}
    register_columns(con, "tk_shipment", {"s": np.arange(len(table)), **columns, **checked})


def _checked_numbers(table: pa.Table) -> dict[str, Any]:
    """What the registry and the first-mile switch say of each shipment's number."""
    number, carrier, city = (_text(table, c) for c in ("tracking_number", "carrier", "ship_from_city"))
    number = normalise(number)
    verdicts = check_numbers(number, carrier)
    fit = first_mile_fit(number, carrier, _text(table, "handover"), city, values_of(table, "label_at"))
    foreign = np.where(verdicts == Verdict.UNKNOWN, np.nan, foreign_numbers(number, verdicts))
    return {
        "number": number,
        "last_mile_number": normalise(_text(table, "last_mile_tracking_number")),
        "number_invalid": np.where(fit == 1, 0.0, number_invalid(verdicts)),
        "carrier_mismatch": np.where(np.isnan(fit), foreign, 1 - fit),
        "first_mile": ~np.isnan(fit),
        "extra_seconds": extra_ship_seconds(values_of(table, "ordered_at"), city),
    }


def number_invalid(verdicts: npt.NDArray[np.int8]) -> Floats:
    """1 where the declared carrier cannot have issued the number, 0.5 where unusual, NaN where not known."""
    values = {Verdict.VALID: 0.0, Verdict.UNUSUAL: 0.5, Verdict.BAD_FORMAT: 1.0, Verdict.BAD_CHECK: 1.0}
    return np.array([values.get(verdict, np.nan) for verdict in Verdict])[verdicts]


_PARCEL = """
    first_mile, number IS NOT NULL AS numbered, shipped_at, extra_seconds, scanned_at, accepted_at,
    picked_up_at, delivered_at, scans, dead, pickup_point, max_speed_kmh, rhythm
"""


def _create_parcels(con: duckdb.DuckDBPyConnection) -> None:
    """``tk_parcel``: the only shipment of an order, or the one with the best trace and the facts of all."""
    facts = trace_facts(_read_events(con))
    columns = {name: getattr(facts, name) for name in facts.__slots__}
    register_columns(con, "tk_trace", {"s": np.arange(len(facts.scans)), **columns})
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE tk_several AS
        WITH several AS (SELECT o FROM tk_shipment GROUP BY o HAVING count(*) > 1)
        SELECT h.o, s, max(number_invalid) OVER every AS number_invalid,
               max(carrier_mismatch) OVER every AS carrier_mismatch, min(label_at) OVER every AS label_at,
               count(*) OVER every AS parcels,
               CASE WHEN bool_and(grams IS NOT NULL) OVER every THEN sum(grams) OVER every END AS grams,
               CASE WHEN bool_and(declared_grams IS NOT NULL) OVER every
                    THEN sum(declared_grams) OVER every END AS declared_grams, {_PARCEL}
        FROM several JOIN tk_shipment h USING (o) JOIN tk_trace USING (s) WINDOW every AS (PARTITION BY h.o)
        QUALIFY row_number() OVER (PARTITION BY h.o ORDER BY delivered_at IS NULL, scanned_at IS NULL,
                                   scans DESC, h.label_at, number, delivered_at, shipment_id) = 1;
        CREATE OR REPLACE TEMP TABLE tk_parcel AS
        SELECT o, s, number_invalid, carrier_mismatch, label_at, 1 AS parcels, grams, declared_grams,
               {_PARCEL}
        FROM tk_shipment JOIN tk_trace USING (s) ANTI JOIN tk_several USING (o)
        UNION ALL FROM tk_several
    """)
    con.unregister("tk_trace")
    con.execute("DROP TABLE tk_several")


def _create_scans(con: duckdb.DuckDBPyConnection) -> None:
    """``tk_scan``: place (and signatory) of the pick-up and of the delivery of every main parcel."""
    con.execute("""
        CREATE OR REPLACE TEMP TABLE tk_scan AS
        SELECT p.o, status = 'DELIVERED' AS is_delivery, country, region, city, postcode, signed_by
        FROM tracking_events e JOIN tk_shipment USING (shipment_id) JOIN tk_parcel p USING (s)
        WHERE status IN ('PICKED_UP', 'DELIVERED')
              AND epoch_us(event_at) / 1e6
                  = CASE status WHEN 'DELIVERED' THEN delivered_at ELSE picked_up_at END
    """)


def _read_events(con: duckdb.DuckDBPyConnection) -> Traces:
    kinds = " ".join(f"WHEN '{status}' THEN {int(kind)}" for status, kind in STATUS_KIND.items())
    events = con.sql(f"""
        SELECT s, epoch_us(event_at) / 1e6 AS instant, (CASE status {kinds} ELSE 0 END)::TINYINT AS kind,
               latitude, longitude, weight_g::DOUBLE AS grams
        FROM tracking_events JOIN tk_shipment USING (shipment_id)
    """).to_arrow_table()
    ordered = con.sql("SELECT s, ordered_at FROM tk_shipment").to_arrow_table()
    ordered_at = np.empty(len(ordered))
    ordered_at[ordered["s"].to_numpy()] = values_of(ordered, "ordered_at")
    return Traces(
        count=len(ordered),
        shipment=events["s"].to_numpy(),
        at=values_of(events, "instant"),
        kind=events["kind"].to_numpy(),
        latitude=values_of(events, "latitude"),
        longitude=values_of(events, "longitude"),
        grams=values_of(events, "grams"),
        ordered_at=ordered_at,
    )


def _text(table: pa.Table, name: str) -> pa.Array:
    return table[name].cast(pa.string()).combine_chunks()


def values_of(table: pa.Table, name: str) -> Floats:
    """A numeric column as float64, null as NaN."""
    return np.asarray(table[name].cast(pa.float64()).to_numpy(), dtype=np.float64)


def read_columns(con: duckdb.DuckDBPyConnection, query: str, orders: int) -> dict[str, Floats]:
    """The numeric columns of a query with ``o`` as float64 arrays by order, NaN where there is no value."""
    table = con.sql(query).to_arrow_table()
    rows = table["o"].to_numpy()
    columns = {}
    for name in table.column_names:
        if name != "o":
            columns[name] = np.full(orders, np.nan)
            columns[name][rows] = values_of(table, name)
    return columns


def register_columns(con: duckdb.DuckDBPyConnection, name: str, columns: dict[str, Any]) -> None:
    """Register columns as a view; NaN becomes null."""
    arrays = {
        key: pa.array(values, from_pandas=True) if isinstance(values, np.ndarray) else values
        for key, values in columns.items()
    }
    con.register(name, pa.table(arrays))
