"""Consignment points: where parcels enter the network, and who else's do.

Sellers of a third-party warehouse share a point too, so sharing it says nothing. What gives a parcel mill
away is that it is a side door: its sellers send only a part of their orders from it, and those parcels are
light for what they should hold.
"""

from __future__ import annotations

import duckdb

__all__ = ["create_order_point", "create_points"]

LIGHT = 1.0
"""``weight_shortfall`` from which a parcel counts as light: under 37 % of what it should weigh."""
PRIOR_PARCELS = 5
"""Other sellers' parcels that weigh as much as assuming an ordinary point."""


def create_order_point(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``order_point(o, point_id)``: the postcode of the pick-up scan or, not stated, of the ship-from.

    Orders without such a postcode have no row: a city is no point.
    """
    con.execute("""
        CREATE OR REPLACE TABLE order_point AS
        WITH place AS (
            SELECT p.o, coalesce(e.country, ship_from_country, '') AS country,
                   upper(replace(coalesce(e.postcode, ship_from_postcode), ' ', '')) AS postcode
            FROM tk_parcel p JOIN tk_shipment USING (s)
            LEFT JOIN (FROM tk_scan WHERE NOT is_delivery AND postcode IS NOT NULL) e ON e.o = p.o)
        SELECT o, country || ' ' || postcode AS point_id FROM place
        WHERE length(postcode) > 0 AND NOT contains(postcode, '*')
    """)


def create_points(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``tk_point``: what is known of the order's consignment point, for orders that have one.

    ``point_seller_share``: share of the seller's orders that leave from this point. Over the other sellers'
    orders there, shrunk to an ordinary point when they are few: ``point_side_share``, the mean share of
    their sellers' orders that leave from elsewhere, and ``point_light_share``, the share of weighed parcels
    that are light.
    """
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE tk_point AS
        WITH placed AS (
            SELECT o, seller, hash(point_id) AS point, weight_shortfall
            FROM order_point JOIN tk_order USING (o) LEFT JOIN tk_weight USING (o)),
        pair AS (
            SELECT point, seller, count(*) AS n, count(weight_shortfall) AS weighed,
                   count(*) FILTER (weight_shortfall > {LIGHT}) AS light FROM placed GROUP BY ALL),
        sized AS (SELECT *, sum(n) OVER (PARTITION BY seller)::BIGINT AS seller_n FROM pair),
        sided AS (SELECT *, (1000000 * n * (seller_n - n) // seller_n)::BIGINT AS side FROM sized),
        shared AS (
            SELECT *, sum(n) OVER point - n AS others, sum(weighed) OVER point - weighed AS other_weighed,
                   sum(light) OVER point - light AS other_light, sum(side) OVER point - side AS other_side
            FROM sided WINDOW point AS (PARTITION BY point))
        SELECT o, n / seller_n AS point_seller_share,
               CASE WHEN others > 0 THEN other_side / 1e6 / (others + {PRIOR_PARCELS}) END
                   AS point_side_share,
               CASE WHEN other_weighed > 0 THEN other_light / (other_weighed + {PRIOR_PARCELS}) END
                   AS point_light_share
        FROM placed JOIN shared USING (point, seller)
    """)
