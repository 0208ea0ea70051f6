"""Tracking numbers and parcels: clauses tracking_mismatch (2.1.b) and invalid_tracking (2.1.c).

A fake order moves no goods, or moves an empty parcel from somewhere to somewhere. What its papers and scans
then contradict is measured twice: as a plain fact, which an investigator can check, and as how surprising
that fact is among other sellers' comparable parcels (``_surprise``, powers of ten), which is what rules
should ask: an outage, a wrong clock or a sloppy depot surprises nobody. Samples, replacements and exchanges
are left out; so are combined orders where they differ by nature (reuse, weight, missing shipment).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.columns import Codes, Floats, group_codes, ordered, register
from features.levels import FACTS
from features.parcel_groups import parcel_groups
from features.parcel_numbers import create_order_number, number_reuse
from features.parcel_places import place_gaps
from features.parcel_weights import parcel_weights
from features.parcels import PLACE, Parcels, read_parcels
from features.peers import cohort_of, surprise
from features.points import consignment_points, point_facts
from features.timing import parcel_times, timing_facts
from features.tracking_features import FEATURES

__all__ = ["FEATURES", "SCANS_ONLY", "Survey", "compute", "survey"]

SCANS_ONLY = ("trace_scans", "label_only_days")
"""Features that say of a parcel that it was not scanned: unknown in a market that reports no scans at all."""


@dataclass(frozen=True, slots=True)
class Survey:
    """Every order's parcel and, row for row, its seller's registered place and main category."""

    parcels: Parcels
    shops: pa.Table


def survey(con: duckdb.DuckDBPyConnection) -> Survey:
    """Find out all that parcels say without knowing who is who; creates ``order_number(o, number_key)``."""
    parcels = read_parcels(con)
    create_order_number(con, parcels)
    shops = _read_shops(con, parcels.orders["seller_id"])
    parcels.columns.update(place_gaps(parcels, shops))
    return Survey(parcels, shops)


def compute(con: duckdb.DuckDBPyConnection, as_of: datetime, surveyed: Survey | None = None) -> None:
    """Create ``f_tracking`` (``o`` and one column per feature) and ``order_point``.

    ``order_point(o, point_id)`` is the consignment point of an order's parcel; it and ``order_number`` are
    left in place for neighbour statistics. Without ``surveyed``, ``survey`` is made now.
    """
    surveyed = surveyed or survey(con)
    shops = surveyed.shops
    parcels = _with_entity(con, surveyed.parcels)
    columns = parcels.columns
    seen = as_of.replace(tzinfo=UTC) if as_of.tzinfo is None else as_of
    columns |= timing_facts(parcel_times(columns), seen.timestamp())
    columns |= parcel_weights(con, parcels)
    columns["number_reuse_orders"] = number_reuse(con, parcels)
    seller = group_codes(parcels.orders["seller_id"])
    columns |= _points(con, parcels, seller)
    columns |= parcel_groups(parcels, seller)
    columns |= _surprises(con, parcels, shops, seller)
    if not con.sql("FROM tracking_events LIMIT 1").fetchall():  # a market without scans says nothing of one
        columns |= {name: np.full(len(seller), np.nan) for name in SCANS_ONLY}
    rows = np.arange(len(seller), dtype=np.int32)
    register(con, "tk_features", {"o": rows, **{feature.name: columns[feature.name] for feature in FEATURES}})
    con.execute("CREATE OR REPLACE TABLE f_tracking AS SELECT * FROM tk_features")
    con.unregister("tk_features")


def _with_entity(con: duckdb.DuckDBPyConnection, parcels: Parcels) -> Parcels:
    entities = con.sql("SELECT o, hash(entity_id) AS entity FROM orders JOIN buyer_entity USING (buyer_id)")
    entity = ordered(entities.to_arrow_table())["entity"]
    return replace(parcels, orders=parcels.orders.append_column("entity", entity))


def _points(con: duckdb.DuckDBPyConnection, parcels: Parcels, seller: Codes) -> dict[str, Floats]:
    """Create ``order_point`` and find the features of the points."""
    point = consignment_points(parcels)
    rows = np.flatnonzero(point.is_valid().to_numpy())
    known = point.take(pa.array(rows))
    register(con, "tk_point", {"o": rows.astype(np.int32), "point_id": known})
    con.execute("CREATE OR REPLACE TABLE order_point AS SELECT * FROM tk_point")
    con.unregister("tk_point")
    facts = point_facts(group_codes(known), seller[rows], parcels.columns["weight_shortfall"][rows])
    columns = {name: np.full(len(seller), np.nan) for name in facts}
    for name, values in facts.items():
        columns[name][rows] = values
    return columns


def _read_shops(con: duckdb.DuckDBPyConnection, seller_id: pa.ChunkedArray) -> pa.Table:
    """Registered place and main category of every order's seller, row by row."""
    shops = con.sql("""
        WITH goods AS (SELECT seller_id, mode(category ORDER BY category) AS category FROM products
                       WHERE category IS NOT NULL GROUP BY seller_id)
        SELECT seller_id, country, region, city, postcode, category
        FROM sellers FULL JOIN goods USING (seller_id)
    """).to_arrow_table()
    rows = pc.index_in(seller_id, shops["seller_id"].combine_chunks())
    return shops.select([*PLACE, "category"]).take(rows)


def _surprises(
    con: duckdb.DuckDBPyConnection, parcels: Parcels, shops: pa.Table, seller: Codes
) -> dict[str, Floats]:
    """The surprise of every fact."""
    keys = _keys(parcels, shops, seller)
    stated = [len(con.sql(f"FROM {table} LIMIT 1").fetchall()) for table in ("tracking_events", "shipments")]
    flags = {"has_events": stated[0], "has_shipments": stated[1]}
    facts = parcels.columns | {name: keys[name].astype(np.float64) for name in ("abroad", "same_city")}
    facts |= {name: np.full(len(seller), float(flag)) for name, flag in flags.items()}
    joint = sorted({names for fact in FACTS for names in (*fact.cohorts, fact.parent)})
    cohorts = {names: cohort_of(seller, *(keys[name] for name in names.split())) for names in joint}
    found = {}
    for fact in FACTS:
        level = np.nan_to_num(fact.level(facts), nan=-1).astype(np.int8)
        found[fact.name] = surprise(level, [cohorts[names] for names in fact.cohorts], cohorts[fact.parent])
    return found


def _keys(parcels: Parcels, shops: pa.Table, seller: Codes) -> dict[str, Codes]:
    """What makes orders comparable: codes of carrier, places, days, category and size of the seller."""
    columns, orders, shipment = parcels.columns, parcels.orders, parcels.shipment
    to_country = orders["ship_to_country"].cast(pa.string())
    from_country, from_region = (
        pc.coalesce(shipment[f"ship_from_{level}"].cast(pa.string()), shops[level])
        for level in ("country", "region")
    )
    same_city = pc.equal(pc.utf8_lower(shipment["ship_from_city"]), pc.utf8_lower(orders["ship_to_city"]))
    label_day, ship_day = (np.floor(at / 86_400) for at in _label_and_shipping(columns))
    return {
        "carrier": group_codes(pc.utf8_lower(shipment["carrier"])),
        "from_country": group_codes(from_country),
        "to_country": group_codes(to_country),
        "from_region": group_codes(from_country, from_region),
        "to_region": group_codes(to_country, orders["ship_to_region"]),
        "abroad": pc.fill_null(pc.not_equal(from_country, to_country), False).to_numpy().astype(np.int32),
        "same_city": pc.fill_null(same_city, False).to_numpy().astype(np.int32),
        "category": group_codes(shops["category"]),
        "volume": np.floor(np.log2(np.bincount(seller)))[seller].astype(np.int32),
        "weight_basis": np.searchsorted([-0.5, 0.5, 3.5], columns["weight_basis"]).astype(np.int32),
        "label_day": group_codes(label_day),
        "ship_day": group_codes(ship_day),
    }


def _label_and_shipping(columns: dict[str, Floats]) -> tuple[Floats, Floats]:
    """When the label was made and the parcel shipped, the next best time where that is not stated."""
    label_at = np.where(np.isnan(columns["label_at"]), columns["ordered_at"], columns["label_at"])
    shipped_at = np.where(np.isnan(columns["shipped_at"]), columns["order_shipped_at"], columns["shipped_at"])
    return label_at, np.where(np.isnan(shipped_at), label_at, shipped_at)
