"""Tracking numbers and parcels: clauses tracking_mismatch (2.1.b) and invalid_tracking (2.1.c).

A fake order moves no goods, or moves an empty parcel from somewhere to somewhere. What its papers and scans
then contradict is measured twice: as a plain fact, which an investigator can check, and as how surprising
that fact is among other sellers' comparable parcels (``_surprise``, powers of ten), which is what rules should
ask: an outage, a wrong clock or a sloppy depot surprises nobody. Samples, replacements and exchanges are left
out; so are combined orders where they differ by nature (reuse, weight, missing shipment).
"""

from __future__ import annotations

from datetime import UTC, datetime

import duckdb

from features.carriers import carrier_file
from features.declare import Entity, Feature, Kind
from features.parcel_groups import add_group_facts
from features.parcel_numbers import add_number_reuse, create_order_number
from features.parcel_places import add_place_gaps
from features.parcel_weights import add_weights
from features.parcels import TABLES, add_columns, build_parcels, values_of
from features.peers import Fact, add_surprise
from features.points import add_point_facts, create_order_point
from features.timing import ParcelTimes, timing_facts

__all__ = ["FACTS", "FEATURES", "compute"]

MISMATCH, INVALID = "tracking_mismatch", "invalid_tracking"

_SHIPPED = "claims_shipment AND NOT cancelled AND NOT exempt AND number IS NOT NULL AND has_events"
_LANE = "(from_country, from_region, ship_to_country, ship_to_region, same_city)"
_REACH = "(carrier, abroad, same_city)"
_EARLY = " + ".join(f"(scan_before_order_hours > {hours})::INTEGER" for hours in (0, 1, 3, 9, 14.5, 24, 72))

FACTS: tuple[Fact, ...] = (
    Fact("number_invalid_surprise", "(2 * number_invalid)::INTEGER", ("carrier", "(carrier, week)")),
    Fact(
        "unscanned_surprise",
        f"CASE WHEN {_SHIPPED} THEN (scanned_at IS NULL)::INTEGER END",
        ("(carrier, label_day)", "(carrier, ship_day)", "(carrier, ship_to_country)"),
        "carrier",
    ),
    Fact(
        "unconfirmed_surprise",
        f"CASE WHEN {_SHIPPED} AND claims_delivery THEN (delivered_at IS NULL)::INTEGER END",
        ("(carrier, label_day)", "(carrier, ship_day)", "(carrier, ship_to_country)"),
        "carrier",
    ),
    Fact(
        "no_shipment_surprise",
        "CASE WHEN claims_delivery AND NOT cancelled AND NOT exempt AND combined_group_id IS NULL "
        "AND has_shipments THEN (parcels IS NULL)::INTEGER END",
        ("category", "(ship_to_country, order_week)"),
    ),
    Fact(
        "early_scan_surprise",
        f"CASE WHEN NOT exempt THEN {_EARLY} END",
        ("carrier", "(from_country, ship_to_country)"),
    ),
    Fact(
        "few_scans_surprise",
        "CASE WHEN NOT exempt AND delivered_at IS NOT NULL THEN 12 - least(scans, 12)::INTEGER END",
        (_REACH, "(carrier, ship_day)", _LANE),
        "(abroad, same_city)",
    ),
    Fact(
        "fast_transit_surprise",
        "CASE WHEN NOT exempt AND transit_hours >= 0 "
        "THEN greatest(40 - floor(4 * log2(1 + transit_hours))::INTEGER, 0) END",
        (_REACH, _LANE),
        "(abroad, same_city)",
    ),
    Fact(
        "destination_surprise",
        "CASE WHEN exempt THEN NULL WHEN pickup_point = 1 AND destination_gap <= 2 THEN 0 "
        "ELSE destination_gap::INTEGER END",
        ("carrier", "(ship_to_country, ship_to_region)"),
    ),
    Fact(
        "pickup_scan_surprise",
        "CASE WHEN NOT exempt AND NOT first_mile THEN pickup_scan_gap::INTEGER END",
        ("carrier", "(from_country, from_region)"),
    ),
    Fact(
        "light_parcel_surprise",
        "CASE WHEN weight_shortfall < 4 THEN greatest(floor(4 * weight_shortfall)::INTEGER, 0) "
        "WHEN weight_shortfall >= 4 THEN 16 END",
        ("carrier", "from_country"),
    ),
    Fact(
        "late_acceptance_surprise",
        "CASE WHEN NOT exempt THEN floor(2 * log2(1 + acceptance_days))::INTEGER END",
        ("(carrier, label_day)", "(from_country, from_region)"),
    ),
    Fact(
        "signatory_surprise",
        "CASE WHEN NOT exempt AND signed_by_other >= 0 THEN least(signatory_repeat + signed_by_other, 6)::INTEGER END",
        ("carrier", "ship_to_country"),
    ),
    Fact("trace_twin_surprise", "CASE WHEN trace_twins >= 0 THEN least(trace_twins, 6)::INTEGER END", ("carrier",)),
    Fact("delivered_together_surprise", "CASE WHEN delivered_together >= 0 THEN least(delivered_together, 8)::INTEGER END", ("carrier", "volume")),
    Fact("number_block_surprise", "floor(log2(number_block))::INTEGER", ("carrier", "volume")),
)
"""Every fact that is compared with other sellers' orders, and with which of them."""


def _fact(name: str, clause: str, meaning: str, null_means: str, needs: str, source: str, kind: Kind = "row",
          entity: Entity = "order") -> Feature:  # fmt: skip
    return Feature(name, meaning, null_means, tuple(needs.split()), kind, entity, clause, source=source)


_NUMBER = "shipments.tracking_number shipments.carrier"
_SCANS = "tracking_events.event_at tracking_events.status"
_HOW = "−log10 of the share of other sellers' comparable orders that show as much: "

FEATURES: tuple[Feature, ...] = (
    _fact(
        "number_invalid", INVALID,
        "1: the declared carrier cannot have issued the number (shape or check digit); 0.5: unusual; 0: fits.",
        "No number, or a carrier without a reliable public pattern.", _NUMBER, "2.1.c",
    ),
    _fact(
        "carrier_mismatch", MISMATCH,
        "1: only another carrier issues such numbers, or prefix, hand-over, origin and date contradict (6.6).",
        "No number, or the declared carrier is not known.", _NUMBER, "6.6",
    ),
    _fact(
        "number_disowned", INVALID,
        "1: the carrier only ever answered not found, invalid or expired.",
        "The parcel has no events at all.", _SCANS, "2.1.c",
    ),
    _fact(
        "scan_before_order_hours", INVALID,
        "Hours by which the parcel's first scan precedes the order; a recycled number's old scans left out.",
        "The parcel was never scanned.", _SCANS, "2.1.c",
    ),
    _fact(
        "delivered_before_shipped_hours", INVALID,
        "Hours by which the delivery precedes the first other scan, or without one the hand-over stated.",
        "Not delivered, or neither scan nor hand-over known.", _SCANS, "6.5",
    ),
    _fact(
        "max_speed_kmh", MISMATCH,
        "Highest speed between two scans with coordinates; over 900 nothing flies.",
        "Fewer than two scans with coordinates.",
        "tracking_events.latitude tracking_events.longitude", "2.1.b",
    ),
    _fact(
        "trace_scans", INVALID, "Times at which the parcel was scanned on its way; two is a bare trace.",
        "No shipment.", _SCANS, "2.1.c",
    ),
    _fact(
        "transit_hours", INVALID, "Hours from the first scan to delivery; few hours over a distance are suspicious.",
        "Not accepted or not delivered.", _SCANS, "2.1.c",
    ),
    _fact(
        "label_only_days", INVALID, "Age of a label that was never scanned, 0 once scanned.",
        "No shipment.", f"shipments.created_at {_SCANS}", "6.7",
    ),
    _fact(
        "acceptance_days", INVALID, "Days from the order to the first scan, announced exceptions taken off.",
        "Never accepted.", _SCANS, "6.7",
    ),
    _fact(
        "destination_gap", MISMATCH,
        "Delivered elsewhere than shipped to: 1 other postcode, 2 other city, 3 other region, 4 other country.",
        "Not delivered, or a place is missing, masked or in another script.",
        "tracking_events.city orders.ship_to_city", "2.1.b",
    ),
    _fact(
        "pickup_scan_gap", MISMATCH,
        "First scan elsewhere than the stated origin: 1 other postcode, 2 city, 3 region, 4 country.",
        "No acceptance scan with a place, or no stated origin.",
        "tracking_events.city shipments.ship_from_city", "2.1.b",
    ),
    _fact(
        "warehouse_gap", MISMATCH,
        "Stated origin elsewhere than the registered warehouse: 1 other postcode, 2 city, 3 region, 4 country.",
        "Origin or warehouse not known.", "shipments.ship_from_city sellers.city", "2.1.b",
    ),
    _fact(
        "signed_by_other", MISMATCH,
        "1: signed by a person with another name than the recipient's; a neighbour, locker or reception is 0.",
        "No signatory, or a name masked or in another script.",
        "tracking_events.signed_by orders.recipient_name", "2.1.b",
    ),
    _fact(
        "measured_weight_ratio", MISMATCH, "Grams the carrier measured over catalogue weight × quantity.",
        "Not weighed, catalogue weight unknown, sample, replacement or combined parcel.",
        "tracking_events.weight_g products.weight_g", "2.1.b",
    ),
    _fact(
        "declared_weight_ratio", MISMATCH, "Grams the carrier measured over grams the seller declared.",
        "Not weighed or not declared, sample, replacement or combined parcel.",
        "tracking_events.weight_g shipments.declared_weight_g", "2.1.b",
    ),
    _fact(
        "number_reuse_orders", INVALID,
        "Orders of other buyers at other addresses with the same tracking number within the recycling time.",
        "No number; a sample, replacement or exchange.", _NUMBER, "2.1.c", "snapshot",
    ),
    _fact(
        "point_seller_share", MISMATCH, "Share of the seller's orders that leave from this order's consignment point.",
        "The consignment point's postcode is not known.", "shipments.ship_from_postcode", "2.1.b",
        "snapshot", "point",
    ),
    _fact(
        "point_side_share", MISMATCH,
        "How far the point is a side door for the other sellers there: mean share of their orders from elsewhere.",
        "No other seller uses the point, or it is not known.", "shipments.ship_from_postcode", "2.1.b",
        "snapshot", "point",
    ),
    _fact(
        "point_light_share", MISMATCH,
        "Share of the other sellers' parcels from the point that are far too light for their goods.",
        "No other seller's parcel from the point was weighed.",
        "shipments.ship_from_postcode tracking_events.weight_g products.weight_g", "2.1.b", "snapshot", "point",
    ),
    *(
        _fact(fact_name, clause, _HOW + what, null_means, needs, source, "snapshot")
        for fact_name, clause, what, null_means, needs, source in (
            ("number_invalid_surprise", INVALID, "a number that the carrier cannot have issued.",
             "As number_invalid.", _NUMBER, "2.1.c"),
            ("unscanned_surprise", INVALID, "said to be shipped, never scanned; same carrier, day, country.",
             "Not said to be shipped, cancelled, sample, replacement, or no number.", _SCANS, "2.1.c"),
            ("unconfirmed_surprise", INVALID, "said to be delivered without a delivery scan.",
             "Not said to be delivered, cancelled, sample, replacement, or no number.", _SCANS, "6.5"),
            ("no_shipment_surprise", INVALID, "delivered without any shipment; same category.",
             "Not said to be delivered, cancelled, combined, sample or replacement.",
             "shipments.order_id", "6.5"),
            ("early_scan_surprise", INVALID, "scanned so long before the order; same carrier and countries.",
             "As scan_before_order_hours; sample or replacement.", _SCANS, "2.1.c"),
            ("few_scans_surprise", INVALID, "delivered with so few scans; same carrier, day, lane.",
             "Not delivered; sample or replacement.", _SCANS, "2.1.c"),
            ("fast_transit_surprise", INVALID, "delivered so fast; same carrier, lane.",
             "As transit_hours; sample or replacement.", _SCANS, "2.1.c"),
            ("destination_surprise", MISMATCH, "delivered so far from ship-to; same carrier, region.",
             "As destination_gap; sample or replacement.", "tracking_events.city orders.ship_to_city", "2.1.b"),
            ("pickup_scan_surprise", MISMATCH, "first scanned so far from the stated origin.",
             "As pickup_scan_gap; sample or replacement.", "tracking_events.city shipments.ship_from_city",
             "2.1.b"),
            ("light_parcel_surprise", MISMATCH, "so much lighter than the product's other parcels.",
             "As measured_weight_ratio.", "tracking_events.weight_g products.weight_g", "2.1.b"),
            ("late_acceptance_surprise", INVALID, "accepted so late; same carrier, day, origin.",
             "As acceptance_days; sample or replacement.", _SCANS, "6.7"),
            ("signatory_surprise", MISMATCH, "one stranger signing at so many of the seller's addresses.",
             "As signed_by_other; sample or replacement.", "tracking_events.signed_by orders.recipient_name",
             "2.1.b"),
            ("trace_twin_surprise", INVALID, "so many parcels scanned at exactly the same intervals.",
             "Fewer than four scans.", _SCANS, "2.1.c"),
            ("delivered_together_surprise", INVALID, "so many addresses served in the same minute.",
             "Not delivered.", _SCANS, "2.1.c"),
            ("number_block_surprise", INVALID, "so long a run of consecutive numbers at the seller.",
             "No number that ends in digits.", _NUMBER, "2.1.c"),
        )
    ),
)  # fmt: skip


def compute(con: duckdb.DuckDBPyConnection, as_of: datetime) -> None:
    """Create ``f_tracking`` (``o`` and one column per feature), ``order_point`` and ``order_number``.

    ``order_point(o, point_id)`` is the consignment point of an order's parcel and ``order_number(o,
    number_key)`` its tracking numbers; both are left in place for neighbour statistics.
    """
    build_parcels(con)
    add_place_gaps(con)
    _add_timing(con, as_of)
    add_weights(con)
    create_order_number(con)
    add_number_reuse(con)
    create_order_point(con)
    add_point_facts(con)
    add_group_facts(con)
    _create_signals(con)
    add_surprise(con, "tk_signal", "tk_surprise", FACTS)
    names = ", ".join(f"{feature.name}::DOUBLE AS {feature.name}" for feature in FEATURES)
    con.execute(f"""
        CREATE OR REPLACE TABLE f_tracking AS
        SELECT o, {names} FROM tk_signal JOIN tk_surprise USING (o) ORDER BY o
    """)
    for table in (*TABLES, "tk_signal", "tk_surprise"):
        con.execute(f"DROP TABLE {table}")


def _add_timing(con: duckdb.DuckDBPyConnection, as_of: datetime) -> None:
    """Add the timing features to ``tk_parcel``."""
    table = con.sql("""
        SELECT o, ordered_at, label_at, coalesce(shipped_at, order_shipped_at) AS shipped_at, accepted_at,
               scanned_at, delivered_at, coalesce(extra_seconds, 0) AS extra_seconds FROM tk_parcel ORDER BY o
    """).to_arrow_table()
    times = ParcelTimes(*(values_of(table, name) for name in ParcelTimes.__slots__))
    seen = as_of.replace(tzinfo=UTC) if as_of.tzinfo is None else as_of
    add_columns(con, "tk_parcel", "o", {"o": table["o"], **timing_facts(times, seen.timestamp())})


def _create_signals(con: duckdb.DuckDBPyConnection) -> None:
    """``tk_signal``: ``tk_parcel`` with the keys that make orders comparable."""
    prefix = carrier_file()["first_mile_switch"]["prefix"]
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE tk_signal AS
        WITH shop AS (
            SELECT seller, floor(log2(count(*))) AS volume FROM tk_parcel GROUP BY seller),
        goods AS (
            SELECT order_id, min(category) AS category FROM order_items JOIN products USING (product_id)
            GROUP BY order_id)
        SELECT p.* EXCLUDE (carrier, accepted_place, delivered_place), lower(carrier) AS carrier,
               CASE WHEN events > 0 THEN dead END AS number_disowned, scans AS trace_scans,
               coalesce(ship_from_country, w.country) AS from_country,
               coalesce(ship_from_region, w.region) AS from_region,
               coalesce(ship_from_country, w.country) <> ship_to_country AS abroad,
               coalesce(lower(ship_from_city) = lower(ship_to_city), false) AS same_city,
               floor(label_at / 86400) AS label_day, floor(label_at / 604800) AS week,
               floor(ordered_at / 604800) AS order_week,
               floor(coalesce(shipped_at, order_shipped_at, label_at) / 86400) AS ship_day,
               coalesce(starts_with(number, '{prefix}'), false) AS first_mile, volume, category,
               (SELECT count(*) > 0 FROM tracking_events) AS has_events,
               (SELECT count(*) > 0 FROM shipments) AS has_shipments
        FROM tk_parcel p JOIN shop USING (seller) JOIN (SELECT o, seller_id FROM orders) USING (o)
        LEFT JOIN sellers w USING (seller_id)
        LEFT JOIN goods ON goods.order_id = p.order_id
        ORDER BY o
    """)
