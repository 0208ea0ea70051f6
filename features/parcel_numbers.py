"""One tracking number on several orders, and blocks of consecutive numbers.

Carriers give numbers out again after 120 days at the earliest, so orders of one number that lie further apart
are different parcels. Orders shipped together on purpose, replacements, exchanges and samples share numbers.
"""

from __future__ import annotations

import duckdb

from features.trace import RECYCLING_SECONDS

__all__ = ["create_blocks", "create_order_number", "create_reuse"]

WITNESSES = 30
"""Orders of one number that each order is compared with: a placeholder on a thousand orders stays cheap."""
MIN_LENGTH = 6
"""Shorter 'numbers' are placeholders such as N/A."""


def create_order_number(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``order_number(o, number_key)``: every number (last mile too) of every order, once.

    A number that was given out again is a key of its own: ``NUMBER#1`` for the second time it is used.
    """
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE tk_used AS
        SELECT DISTINCT number, o, ordered_at FROM (
            SELECT o, ordered_at, number FROM tk_shipment
            UNION ALL SELECT o, ordered_at, last_mile_number FROM tk_shipment
            WHERE last_mile_number IS NOT NULL)
        WHERE length(number) >= {MIN_LENGTH};
        CREATE OR REPLACE TEMP TABLE tk_shared AS
        WITH stepped AS (
            SELECT *, coalesce(ordered_at - lag(ordered_at) OVER (PARTITION BY number ORDER BY ordered_at, o)
                               > {RECYCLING_SECONDS}, false)::INTEGER AS again
            FROM tk_used
            SEMI JOIN (SELECT number FROM tk_used GROUP BY number HAVING count(*) > 1) USING (number))
        SELECT number, o, sum(again) OVER (PARTITION BY number ORDER BY ordered_at, o) AS life FROM stepped;
        CREATE OR REPLACE TABLE order_number AS
        SELECT u.o, CASE WHEN life > 0 THEN u.number || '#' || life ELSE u.number END AS number_key
        FROM tk_used u LEFT JOIN tk_shared s ON s.number = u.number AND s.o = u.o
    """)
    con.execute("DROP TABLE tk_used; DROP TABLE tk_shared")


def create_reuse(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``tk_reuse``: ``o`` and ``reused``, of the orders whose number is another's too.

    Counts the orders of other buyers to other addresses, up to 30. The parcel belongs to one of them: the
    order whose places and times the trace fits best (the earliest of equals) is left out.
    """
    con.execute("""
        CREATE OR REPLACE TEMP TABLE tk_member AS
        SELECT number_key, o, entity, combined, combined_group,
               CASE WHEN NOT contains(ship_to_address, '*') THEN lower(ship_to_address) END AS address,
               CASE WHEN NOT contains(ship_to_postcode, '*')
                    THEN upper(replace(ship_to_postcode, ' ', '')) END AS postcode,
               row_number() OVER (PARTITION BY number_key ORDER BY
                   coalesce(destination_gap >= 1, false)::INTEGER
                   + coalesce(scanned_at < ordered_at, false)::INTEGER
                   + coalesce(pickup_scan_gap >= 2, false)::INTEGER, o) AS rank
        FROM order_number SEMI JOIN (
            SELECT number_key FROM order_number GROUP BY number_key HAVING count(*) > 1) USING (number_key)
        JOIN tk_order USING (o) JOIN orders USING (o) JOIN tk_parcel USING (o) JOIN tk_gap USING (o)
        WHERE NOT exempt
    """)
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE tk_reuse AS
        SELECT a.o, count(DISTINCT b.o) AS reused
        FROM tk_member a JOIN tk_member b ON a.number_key = b.number_key AND a.entity <> b.entity
             AND b.rank <= {WITNESSES}
        WHERE NOT (a.combined AND b.combined AND a.combined_group = b.combined_group)
              AND coalesce(a.address <> b.address OR a.postcode <> b.postcode, true)
        GROUP BY a.o HAVING min(a.rank) > 1
    """)
    con.execute("DROP TABLE tk_member")


def create_blocks(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``tk_block``: ``o`` and ``number_block``, how many other days share the order's number block.

    A block is what numbers have in common but for the last serial digit and the check digit (and, of postal
    numbers, the country). A batch of labels is printed and numbered in one go, so only labels made on other
    days count, and only so far as the rest of the seller's parcels with the carrier are not consecutive as
    well: a shipper's account or a roll of labels numbers all of them in turn.
    """
    con.execute("""
        CREATE OR REPLACE TEMP TABLE tk_serial AS
        SELECT o, hash(seller, carrier) AS account, floor(h.label_at / 86400)::INTEGER AS label_day,
               hash(seller, carrier, left(number, CASE WHEN right(number, 1) >= 'A' THEN -4 ELSE -2 END))
                   AS block
        FROM tk_parcel JOIN tk_shipment h USING (o, s) JOIN tk_order USING (o)
        WHERE numbered;
        CREATE OR REPLACE TEMP TABLE tk_block AS
        WITH crowded AS (SELECT block FROM tk_serial GROUP BY block HAVING count(*) > 1),
        member AS (SELECT o, account, block, label_day FROM tk_serial SEMI JOIN crowded USING (block)),
        block AS (SELECT block, count(DISTINCT label_day) - 1 AS days FROM member GROUP BY block),
        shared AS (
            SELECT account, count(*) AS n FROM member JOIN block USING (block) WHERE days > 0
            GROUP BY account),
        account AS (
            SELECT account, count(*) AS n FROM tk_serial SEMI JOIN shared USING (account) GROUP BY account)
        SELECT o, coalesce(days * (account.n - shared.n) / account.n, 0) AS number_block
        FROM tk_serial s LEFT JOIN block b ON b.block = s.block LEFT JOIN shared ON shared.account = s.account
        LEFT JOIN account ON account.account = s.account
    """)
    con.execute("DROP TABLE tk_serial")
