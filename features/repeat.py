"""Repeat buying, cohorts and places: how a seller's buyers differ from buyers in general (2.1.d).

``focus`` of a group of accounts at a seller is the natural log-likelihood ratio of seeing so many there,
given the seller's size and the group's share of the whole market: accounts registered on one day, one
network, one postcode. It is 0 where the number is what chance gives.
"""

from __future__ import annotations

from datetime import datetime

import duckdb

from features.declare import Feature

FOCUS_CAP = 50.0

FEATURES: tuple[Feature, ...] = (
    Feature(
        "buyer_age_days",
        "Days from the buyer's registration to the order.",
        "The registration is not known, or later than the order.",
        ("buyers.registered_at",),
        entity="buyer",
    ),
    Feature(
        "cohort_focus",
        "Surprise (nats, capped at 50) that so many of the seller's buyers registered on the same day as "
        "this one, given how many of the market's buyers did.",
        "The registration is not known.",
        ("buyers.registered_at",),
        kind="snapshot",
        entity="buyer",
        clause="self_dealing",
    ),
    Feature(
        "network_focus",
        "Surprise (nats, capped at 50) that so many of the seller's buyers come from this order's network "
        "(IPv4 /24), given how much the market buys from there.",
        "The order has no IPv4 address.",
        ("orders.ip_address",),
        kind="snapshot",
        entity="address",
        clause="self_dealing",
    ),
    Feature(
        "postcode_focus",
        "Surprise (nats, capped at 50) that so many of the seller's buyers live in this order's postcode, "
        "given how many of the market's buyers in the country do.",
        "The postcode or the country is not known.",
        ("orders.ship_to_country", "orders.ship_to_postcode"),
        kind="snapshot",
        entity="address",
    ),
    Feature(
        "pair_orders",
        "Orders of the buyer's entity at this seller, this one included.",
        "Never null.",
        (),
        kind="snapshot",
        entity="pair",
        clause="repeat_buying",
    ),
    Feature(
        "same_product_orders",
        "Other orders of the entity that hold the product of this order it bought most often.",
        "The order's items are not known.",
        ("order_items.product_id",),
        kind="snapshot",
        entity="pair",
        clause="repeat_buying",
    ),
    Feature(
        "same_product_excess",
        "Surprise (nats, capped at 50) of same_product_orders, given how often the category's products are "
        "bought again by the same buyer.",
        "As same_product_orders.",
        ("order_items.product_id",),
        kind="snapshot",
        entity="pair",
        clause="repeat_buying",
    ),
    Feature(
        "pair_gap_hours",
        "Median hours between the entity's orders at this seller.",
        "It ordered there once.",
        (),
        kind="snapshot",
        entity="pair",
        clause="repeat_buying",
    ),
)

_GROUPS = {
    "cohort_focus": ("b.registered_at::DATE", "NULL"),
    "network_focus": (r"nullif(regexp_extract(o.ip_address, '^(\d+\.\d+\.\d+)\.\d+$', 1), '')", "NULL"),
    "postcode_focus": ("o.ship_to_country || ' ' || plain(o.ship_to_postcode)", "o.ship_to_country"),
}
"""Focus feature → (SQL of the group, SQL of the population it is compared within)."""


def compute(con: duckdb.DuckDBPyConnection, as_of: datetime) -> None:
    """Create ``f_repeat``."""
    _shopping(con)
    for name in _GROUPS:
        _focus(con, name)
    _pairs(con)
    _products(con)
    con.execute("""
        CREATE OR REPLACE TABLE f_repeat AS
        SELECT s.o, CASE WHEN registered_at <= created_at
                    THEN epoch(created_at - registered_at) / 86400 END AS buyer_age_days,
               c.focus AS cohort_focus, n.focus AS network_focus, p.focus AS postcode_focus,
               r.orders::DOUBLE AS pair_orders, i.orders::DOUBLE AS same_product_orders,
               i.excess AS same_product_excess, r.gap_hours AS pair_gap_hours
        FROM shopping s JOIN pair_stats r USING (entity_id, seller_id)
        LEFT JOIN cohort_focus c USING (o) LEFT JOIN network_focus n USING (o)
        LEFT JOIN postcode_focus p USING (o) LEFT JOIN product_repeats i USING (o);
        DROP TABLE cohort_focus; DROP TABLE network_focus; DROP TABLE postcode_focus;
        DROP TABLE pair_stats; DROP TABLE product_repeats; DROP TABLE shopping
    """)


def _shopping(con: duckdb.DuckDBPyConnection) -> None:
    """``shopping``: every order's entity, seller and groups, told apart by 64-bit hashes, and its times."""
    groups = ", ".join(
        f"CASE WHEN {group} IS NOT NULL THEN hash({group}) END AS {name}_group, "
        f"hash(coalesce({population}, '')) AS {name}_population"
        for name, (group, population) in _GROUPS.items()
    )
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE shopping AS
        SELECT o.o, o.order_id, hash(e.entity_id) AS entity_id, hash(o.seller_id) AS seller_id, o.created_at,
               registered_at, {groups}
        FROM orders o JOIN buyer_entity e USING (buyer_id) LEFT JOIN buyers b USING (buyer_id)
    """)


def _focus(con: duckdb.DuckDBPyConnection, name: str) -> None:
    """Table ``name(o, focus)``: entities of the group at the seller, the order's own left out of the count."""
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE {name} AS
        WITH grouped AS (SELECT o, entity_id, seller_id, {name}_group AS member_of, {name}_population AS population
                         FROM shopping WHERE {name}_group IS NOT NULL),
        visits AS (SELECT DISTINCT entity_id, seller_id, member_of, population FROM grouped),
        cell AS (SELECT seller_id, member_of, count(*) AS found FROM visits GROUP BY ALL),
        seller AS (SELECT seller_id, population, count(*) AS size FROM visits GROUP BY ALL),
        grp AS (SELECT member_of, population, count(*) AS size FROM visits GROUP BY ALL),
        market AS (SELECT population, count(*) AS size FROM visits GROUP BY ALL)
        SELECT g.o, round(least({FOCUS_CAP}, CASE WHEN c.found - 1 > expected
                THEN (c.found - 1) * ln((c.found - 1) / expected) - (c.found - 1 - expected) ELSE 0 END), 9)
                AS focus
        FROM grouped g JOIN cell c USING (seller_id, member_of) JOIN seller s USING (seller_id, population)
        JOIN grp p USING (member_of, population) JOIN market m USING (population),
        LATERAL (SELECT greatest((s.size - 1.0) * (p.size - c.found + 1) / m.size, 1e-3) AS expected)
    """)


def _pairs(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("""
        CREATE OR REPLACE TEMP TABLE pair_stats AS
        SELECT entity_id, seller_id, count(*) AS orders, median(gap) AS gap_hours FROM (
            SELECT entity_id, seller_id, epoch(created_at - lag(created_at) OVER (
                PARTITION BY entity_id, seller_id ORDER BY o)) / 3600 AS gap FROM shopping) GROUP BY ALL
    """)


def _products(con: duckdb.DuckDBPyConnection) -> None:
    """How often the entity bought this order's products in other orders, against the category's habit."""
    con.execute("""
        CREATE OR REPLACE TEMP TABLE bought AS
        SELECT DISTINCT o, entity_id, hash(product_id) AS product_id
        FROM order_items JOIN shopping USING (order_id) WHERE product_id IS NOT NULL;
        CREATE OR REPLACE TEMP TABLE product_repeats AS
        WITH counted AS (
            SELECT entity_id, b.product_id, any_value(coalesce(category, '')) AS category, count(*) AS orders
            FROM bought b LEFT JOIN products p ON hash(p.product_id) = b.product_id
            GROUP BY entity_id, b.product_id),
        habit AS (
            SELECT category, (sum(orders - 1) + 1) / (count(*) + 20) AS again FROM counted GROUP BY ALL),
        judged AS (
            SELECT entity_id, product_id, orders - 1 AS orders, round(least(50, CASE WHEN orders - 1 > again
                THEN (orders - 1) * ln((orders - 1) / again) - (orders - 1 - again) ELSE 0 END), 9) AS excess
            FROM counted JOIN habit USING (category))
        SELECT o, max(orders) AS orders, max(excess) AS excess
        FROM bought JOIN judged USING (entity_id, product_id) GROUP BY o;
        DROP TABLE bought
    """)
