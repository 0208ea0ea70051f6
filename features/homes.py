"""Where the accounts of one entity live: a home is not a ring (2.1.a).

Who lives together shares devices, cards and favourite shops, and gets parcels at one place. Accounts that were
bought, rented or made for a shop share a device or a card across homes that have nothing to do with each other.
"""

from __future__ import annotations

from datetime import datetime

import duckdb

from features.declare import Feature

FEATURES: tuple[Feature, ...] = (
    Feature(
        "entity_seller_homes",
        "Places (postcodes) at which those of the entity's accounts that bought at this seller usually get their "
        "parcels; several accounts with one place are a home, with several a ring.",
        "The entity has one account, or a place is not known that would make the second.",
        ("orders.ship_to_country", "orders.ship_to_postcode"),
        kind="snapshot",
        entity="pair",
        clause="self_dealing",
    ),
)


def compute(con: duckdb.DuckDBPyConnection, as_of: datetime) -> None:
    """Create ``f_homes``. Expects ``buyer_entity``."""
    con.execute("""
        CREATE OR REPLACE TABLE f_homes AS
        WITH member AS (
            SELECT o, buyer_id, hash(entity_id) AS entity, hash(seller_id) AS seller,
                   ship_to_country || ' ' || plain(ship_to_postcode) AS postcode
            FROM orders JOIN buyer_entity USING (buyer_id) WHERE entity_size > 1),
        seen AS (SELECT buyer_id, postcode, count(*) AS orders FROM member WHERE postcode IS NOT NULL GROUP BY ALL),
        home AS (SELECT buyer_id, max_by(postcode, (orders, postcode)) AS place FROM seen GROUP BY buyer_id),
        pair AS (
            SELECT entity, seller, count(DISTINCT place) AS homes, bool_and(place IS NOT NULL) AS known
            FROM member LEFT JOIN home USING (buyer_id) GROUP BY ALL)
        SELECT o, CASE WHEN known OR homes > 1 THEN homes END::DOUBLE AS entity_seller_homes
        FROM member JOIN pair USING (entity, seller)
    """)
