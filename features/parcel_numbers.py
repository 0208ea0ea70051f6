"""One tracking number on several orders, and blocks of consecutive numbers.

Carriers give numbers out again after 120 days at the earliest, so orders of one number that lie further apart
are different parcels. Orders shipped together on purpose, replacements, exchanges and samples share numbers.
"""

from __future__ import annotations

import duckdb

from features.trace import RECYCLING_SECONDS

__all__ = ["add_number_reuse", "create_order_number"]

WITNESSES = 30
"""Orders of one number that each order is compared with: a placeholder on a thousand orders stays cheap."""
MIN_LENGTH = 6
"""Shorter 'numbers' are placeholders such as N/A."""
BLOCK_STEP = 3
"""Largest step between the serials (without their last digit) of one block."""


def create_order_number(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``order_number(o, number_key)``: every number (last mile too) of every order, once.

    A number that was given out again is a key of its own: ``NUMBER#1`` for the second time it is used.
    """
    con.execute(f"""
        CREATE OR REPLACE TABLE order_number AS
        WITH used AS (
            SELECT o, min(ordered_at) AS ordered_at, number FROM (
                SELECT o, ordered_at, number FROM tk_shipment
                UNION ALL SELECT o, ordered_at, last_mile_number FROM tk_shipment)
            WHERE length(number) >= {MIN_LENGTH} GROUP BY o, number),
        stepped AS (
            SELECT *, coalesce(ordered_at - lag(ordered_at) OVER (PARTITION BY number ORDER BY ordered_at, o)
                               > {RECYCLING_SECONDS}, false)::INTEGER AS again FROM used),
        counted AS (SELECT *, sum(again) OVER (PARTITION BY number ORDER BY ordered_at, o) AS life FROM stepped)
        SELECT o, CASE WHEN life > 0 THEN number || '#' || life ELSE number END AS number_key
        FROM counted ORDER BY o, number_key
    """)


def add_number_reuse(con: duckdb.DuckDBPyConnection) -> None:
    """Add ``number_reuse_orders`` and ``number_block`` to ``tk_parcel``.

    ``number_reuse_orders``: orders of other buyers to other addresses with a number of this order, up to
    30; null without a number, and for samples, replacements and exchanges. ``number_block``: orders of
    the seller in the run of nearly consecutive numbers that this order's number belongs to (1: none).
    """
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE tk_reuse AS
        WITH shared AS (SELECT number_key FROM order_number GROUP BY ALL HAVING count(*) > 1),
        member AS (
            SELECT number_key, o, entity, combined_group_id,
                   CASE WHEN contains(ship_to_address, '*') THEN NULL ELSE lower(ship_to_address) END AS address,
                   CASE WHEN contains(ship_to_postcode, '*') THEN NULL
                        ELSE upper(replace(ship_to_postcode, ' ', '')) END AS postcode,
                   row_number() OVER (PARTITION BY number_key ORDER BY o) AS rank
            FROM order_number JOIN shared USING (number_key) JOIN tk_order USING (o) WHERE NOT exempt)
        SELECT a.o, count(DISTINCT b.o) AS orders
        FROM member a JOIN member b ON a.number_key = b.number_key AND a.entity <> b.entity
             AND b.rank <= {WITNESSES}
        WHERE a.combined_group_id IS DISTINCT FROM b.combined_group_id OR a.combined_group_id IS NULL
        GROUP BY a.o
        HAVING coalesce(bool_or(a.address <> b.address OR a.postcode <> b.postcode), true)
    """)
    _create_blocks(con)
    con.execute("""
        CREATE OR REPLACE TEMP TABLE tk_parcel AS
        SELECT p.*, CASE WHEN number IS NOT NULL AND NOT exempt THEN coalesce(orders, 0) END AS number_reuse_orders,
               block AS number_block
        FROM tk_parcel p LEFT JOIN tk_reuse USING (o) LEFT JOIN tk_block USING (o) ORDER BY o
    """)
    con.execute("DROP TABLE tk_reuse; DROP TABLE tk_block")


def _create_blocks(con: duckdb.DuckDBPyConnection) -> None:
    """``tk_block``: per order the number of the seller's orders in its run of consecutive numbers."""
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE tk_block AS
        WITH plain AS (
            SELECT o, seller, carrier, rtrim(number, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ') AS digits FROM tk_parcel
            WHERE number IS NOT NULL),
        serial AS (
            SELECT o, seller, hash(carrier, length(digits), left(digits, -9)) AS series,
                   TRY_CAST(left(right(digits, 9), 8) AS BIGINT) AS serial FROM plain),
        stepped AS (
            SELECT *, coalesce(serial - lag(serial) OVER (PARTITION BY seller, series ORDER BY serial, o)
                               > {BLOCK_STEP}, false)::INTEGER AS apart
            FROM serial WHERE serial IS NOT NULL),
        run AS (SELECT *, sum(apart) OVER (PARTITION BY seller, series ORDER BY serial, o) AS run FROM stepped)
        SELECT o, count(DISTINCT serial) OVER (PARTITION BY seller, series, run)::DOUBLE AS block FROM run
    """)
