"""Tracking numbers and parcels: clauses tracking_mismatch (2.1.b) and invalid_tracking (2.1.c).

A fake order moves no goods, or moves an empty parcel from somewhere to somewhere. What its papers and scans
then contradict is measured twice: as a plain fact, which an investigator can check, and as how surprising
that fact is among other sellers' comparable parcels (``_surprise``, powers of ten), which is what rules
should ask: an outage, a wrong clock or a sloppy depot surprises nobody. Samples, replacements and exchanges
are left out; so are combined orders where they differ by nature (reuse, weight, missing shipment).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from features.levels import FACTS
from features.parcel_groups import create_groups
from features.parcel_numbers import create_blocks, create_order_number, create_reuse
from features.parcel_places import place_gaps
from features.parcel_weights import create_weights
from features.parcels import TABLES, build_parcels, read_columns, register_columns
from features.peers import cohort_of, group_codes, surprise
from features.points import create_order_point, create_points
from features.timing import ParcelTimes, timing_facts
from features.tracking_features import FEATURES

__all__ = ["FEATURES", "compute"]

Floats = npt.NDArray[np.float64]


def compute(con: duckdb.DuckDBPyConnection, as_of: datetime) -> None:
    """Create ``f_tracking`` (``o`` and one column per feature), ``order_point`` and ``order_number``.

    ``order_point(o, point_id)`` is the consignment point of an order's parcel and ``order_number(o,
    number_key)`` its tracking numbers; both are left in place for neighbour statistics.
    """
    build_parcels(con)
    create_order_number(con)
    create_order_point(con)
    columns = _plain_columns(con, as_of)
    for table in (*TABLES, *_PARTS):
        con.execute(f"DROP TABLE {table}")
    for view in ("tk_shipment", "tk_gap"):
        con.unregister(view)
    features = {feature.name: columns[feature.name] for feature in FEATURES}
    register_columns(con, "tk_features", {"o": np.arange(len(columns["exempt"]), dtype=np.int32), **features})
    con.execute("CREATE OR REPLACE TABLE f_tracking AS SELECT * FROM tk_features")
    con.unregister("tk_features")


_PARTS = ("tk_weight", "tk_reuse", "tk_block", "tk_point", "tk_group")
"""Tables of some of the orders each, with features."""


def _plain_columns(con: duckdb.DuckDBPyConnection, as_of: datetime) -> dict[str, Floats]:
    """Every column that features are made of, and the features, as arrays by order."""
    orders = con.sql("SELECT count(*) FROM orders").fetchall()[0][0]
    columns = read_columns(con, _ORDER, orders) | place_gaps(con, orders)
    gaps = {name: columns[name] for name in ("destination_gap", "pickup_scan_gap", "signed_by_other")}
    register_columns(con, "tk_gap", {"o": np.arange(orders), **gaps})
    seen = as_of.replace(tzinfo=UTC) if as_of.tzinfo is None else as_of
    times = ParcelTimes(*(columns[name] for name in ParcelTimes.__slots__))
    columns |= timing_facts(times, seen.timestamp())
    for create in (create_weights, create_reuse, create_blocks, create_points, create_groups):
        create(con)
    for part in _PARTS:
        columns |= read_columns(con, f"FROM {part}", orders)
    eligible = (columns["numbered"] == 1) & (columns["exempt"] == 0)
    columns["number_reuse_orders"] = np.where(eligible, np.nan_to_num(columns["reused"]), np.nan)
    return columns | _surprises(con, columns)


_ORDER = """
    SELECT o, order_shipped_at, ordered_at, exempt, combined, cancelled, claims_delivery, claims_shipment,
           p.* EXCLUDE (o, s, rhythm, grams, declared_grams, shipped_at, dead, scans, extra_seconds),
           coalesce(p.shipped_at, order_shipped_at) AS shipped_at,
           coalesce(extra_seconds, 0) AS extra_seconds,
           dead AS number_disowned, scans AS trace_scans,
           EXISTS (FROM tracking_events) AS has_events, EXISTS (FROM shipments) AS has_shipments
    FROM tk_order LEFT JOIN tk_parcel p USING (o)
"""


def _surprises(con: duckdb.DuckDBPyConnection, columns: dict[str, Floats]) -> dict[str, Floats]:
    """The surprise of every fact."""
    keys = _read_keys(con)
    both = columns | {name: keys[name].astype(np.float64) for name in ("abroad", "same_city")}
    seller = group_codes(keys["seller"])
    joint = sorted({names for fact in FACTS for names in (*fact.cohorts, fact.parent)})
    cohorts = {names: cohort_of(seller, *(keys[name] for name in names.split())) for names in joint}
    found = {}
    for fact in FACTS:
        level = np.nan_to_num(fact.level(both), nan=-1).astype(np.int8)
        found[fact.name] = surprise(level, [cohorts[names] for names in fact.cohorts], cohorts[fact.parent])
    return found


def _read_keys(con: duckdb.DuckDBPyConnection) -> dict[str, npt.NDArray[Any]]:
    """What makes orders comparable, by order: names as hashes, days and weeks as numbers."""
    table = con.sql("""
        WITH goods AS (SELECT seller_id, hash(mode(category ORDER BY category)) AS category FROM products
                       WHERE category IS NOT NULL GROUP BY seller_id),
        size AS (SELECT seller, floor(log2(count(*)))::TINYINT AS volume FROM tk_order GROUP BY seller),
        shop AS (
            SELECT seller, volume, country, region, coalesce(category, 0) AS category
            FROM size LEFT JOIN (SELECT *, hash(seller_id) AS seller FROM sellers) USING (seller)
            LEFT JOIN (SELECT hash(seller_id) AS seller, category FROM goods) USING (seller)),
        place AS (
            SELECT t.o, seller, volume, category, lower(carrier) AS carrier, ship_to_country, ship_to_region,
                   coalesce(ship_from_country, country) AS from_country,
                   coalesce(ship_from_region, region) AS from_region, ship_from_city, ship_to_city,
                   t.ordered_at,
                   coalesce(p.label_at, t.ordered_at) AS label_at,
                   coalesce(p.shipped_at, order_shipped_at, p.label_at, t.ordered_at) AS shipped_at
            FROM tk_order t JOIN shop USING (seller) JOIN orders USING (o) LEFT JOIN tk_parcel p USING (o)
            LEFT JOIN tk_shipment h ON h.s = p.s)
        SELECT seller, volume, category, hash(carrier) AS carrier, hash(from_country) AS from_country,
               hash(ship_to_country) AS to_country, hash(from_country, from_region) AS from_region,
               hash(ship_to_country, ship_to_region) AS to_region,
               floor(ordered_at / 604800)::INTEGER AS order_week,
               floor(label_at / 86400)::INTEGER AS label_day,
               floor(shipped_at / 86400)::INTEGER AS ship_day,
               coalesce(from_country <> ship_to_country, false) AS abroad,
               coalesce(lower(ship_from_city) = lower(ship_to_city), false) AS same_city
        FROM place ORDER BY o
    """).to_arrow_table()
    return {name: table[name].to_numpy() for name in table.column_names}
