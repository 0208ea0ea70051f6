"""A seller's habits: small oddities of single parcels and orders that add up at one shop.

One light parcel is a wrong catalogue weight, one unscanned label a tired courier. That a shop's *other*
orders show the same far more often than comparable orders of other shops do is evidence about the shop.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import duckdb

from features.declare import Feature
from features.excess import add_surprise


@dataclass(frozen=True, slots=True)
class Habit:
    """A yes/no fact of an order, null unknown: SQL over ``f_tracking`` t, ``f_repeat`` r, ``f_promotion`` p.

    ``cell`` is what comparable orders share.
    """

    name: str
    fact: str
    cell: str
    meaning: str
    clause: str
    needs: tuple[str, ...]

    @property
    def feature(self) -> Feature:
        return Feature(
            self.name,
            f"How far the share of the seller's other orders that {self.meaning} is above comparable orders' "
            "of the market, in powers of ten.",
            "The fact is not known of this order, or the seller has no other order of which it is.",
            self.needs,
            kind="snapshot",
            entity="seller",
            clause=self.clause,
        )


_LANE = "coalesce(s.carrier, '') || ' ' || coalesce(o.ship_to_country, '')"
_EVENTS = ("shipments.tracking_number", "tracking_events.event_at")
_WEIGHTS = ("tracking_events.weight_g", "products.weight_g")

HABITS: tuple[Habit, ...] = (
    Habit(
        "seller_light_surprise",
        "t.light_parcel_surprise >= 1.2",
        "coalesce(s.carrier, '')",
        "went in a parcel far too light for its goods",
        "tracking_mismatch",
        _WEIGHTS,
    ),
    Habit(
        "seller_unscanned_surprise",
        "t.unscanned_surprise >= 1",
        _LANE,
        "have a label that was never scanned",
        "invalid_tracking",
        _EVENTS,
    ),
    Habit(
        "seller_bare_trace_surprise",
        "t.few_scans_surprise >= 1 OR t.fast_transit_surprise >= 1",
        _LANE,
        "were delivered with hardly a scan or in hardly any time",
        "invalid_tracking",
        _EVENTS,
    ),
    Habit(
        "seller_stranger_surprise",
        "t.signed_by_other = 1",
        _LANE,
        "were signed for by a stranger",
        "tracking_mismatch",
        ("tracking_events.signed_by", "orders.recipient_name"),
    ),
    Habit(
        "seller_off_address_surprise",
        "t.destination_gap >= 1",
        _LANE,
        "were delivered at another place than shipped to",
        "tracking_mismatch",
        ("tracking_events.postcode", "orders.ship_to_postcode"),
    ),
    Habit(
        "seller_bad_number_surprise",
        "t.number_invalid = 1 OR t.number_disowned = 1 OR t.number_reuse_orders >= 1",
        _LANE,
        "have a number that is invalid, unknown to the carrier or used twice",
        "invalid_tracking",
        ("shipments.tracking_number",),
    ),
    Habit(
        "seller_price_spike_surprise",
        "p.unit_price_log2 >= 0.4",
        "''",
        "were paid far above the product's usual price",
        "abuse",
        ("order_items.unit_price_minor",),
    ),
    Habit(
        "seller_rebuying_surprise",
        "CASE WHEN r.same_product_excess IS NOT NULL "
        "THEN r.same_product_excess >= 6 AND r.pair_gap_hours < 120 END",
        "''",
        "bought the same product again and again within days",
        "repeat_buying",
        ("order_items.product_id",),
    ),
)

FEATURES: tuple[Feature, ...] = tuple(habit.feature for habit in HABITS)


def compute(con: duckdb.DuckDBPyConnection, as_of: datetime) -> None:
    """Create ``f_habits``. Expects ``f_tracking``."""
    facts = ", ".join(
        f"({habit.fact}) AS {habit.name}, {habit.cell} AS {habit.name}_cell" for habit in HABITS
    )
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE habit_facts AS
        SELECT o.o, o.seller_id AS key, {facts} FROM orders o LEFT JOIN f_tracking t USING (o)
        LEFT JOIN f_repeat r USING (o) LEFT JOIN f_promotion p USING (o)
        LEFT JOIN (SELECT order_id, min(carrier) AS carrier FROM shipments GROUP BY ALL) s USING (order_id)
    """)
    for habit in HABITS:
        con.execute(f"""
            CREATE OR REPLACE TEMP VIEW habit_source AS
            SELECT o, key, {habit.name}_cell AS cell, {habit.name} AS hit FROM habit_facts
        """)
        add_surprise(con, "habit_source", habit.name)
    columns = ", ".join(f"{habit.name}.value AS {habit.name}" for habit in HABITS)
    joins = " ".join(f"LEFT JOIN {habit.name} USING (o)" for habit in HABITS)
    con.execute(f"CREATE OR REPLACE TABLE f_habits AS SELECT o.o, {columns} FROM orders o {joins}")
    con.execute("DROP VIEW habit_source; DROP TABLE habit_facts")
    for habit in HABITS:
        con.execute(f"DROP TABLE {habit.name}")
