"""Several customers of one product who buy little else, again and again, in no rhythm (2.1.d).

One loyal customer is a loyal customer, one subscriber comes in a rhythm, a shopkeeper takes several pieces at a
time. That one product has several customers who are none of these, beyond what the category's returning
customers let expect, is a small gang that buys one listing up.
"""

from __future__ import annotations

from datetime import datetime

import duckdb

from features.declare import Feature
from features.excess import add_surprise

OFTEN = 4
"""Orders from which somebody buys a product again and again."""

FEW_PIECES = 2
"""Pieces per order (median) up to which nobody stocks up."""

RHYTHM = 0.1
"""Mean distance of the gaps from whole multiples of their median, up to which they have a rhythm; chance gives 0.25."""

FEATURES: tuple[Feature, ...] = (
    Feature(
        "product_rebuyers_surprise",
        "How far the number of other accounts that buy this order's main product again and again, in no rhythm, "
        "few pieces at a time and hardly anything else, is above what returning customers of the category do, "
        "in powers of ten.",
        "The buyer's entity does not buy it so, or nobody else came back for the product.",
        ("order_items.product_id", "order_items.quantity"),
        kind="snapshot",
        entity="pair",
        clause="repeat_buying",
    ),
)


def compute(con: duckdb.DuckDBPyConnection, as_of: datetime) -> None:
    """Create ``f_rebuyers``. Expects ``main_product`` and ``buyer_entity``."""
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE rebought AS
        WITH bought AS MATERIALIZED (
            SELECT o, hash(entity_id) AS entity, hash(product_id) AS product
            FROM main_product JOIN orders USING (o) JOIN buyer_entity USING (buyer_id)),
        counted AS (
            SELECT entity, product, count(*) AS orders, sum(count(*)) OVER (PARTITION BY entity) AS total
            FROM bought GROUP BY entity, product)
        SELECT b.*, orders >= {OFTEN} AND 2 * orders > total AS mostly
        FROM bought b JOIN counted USING (entity, product) WHERE orders >= 2;
        CREATE OR REPLACE TEMP TABLE rebuyer AS
        WITH gaps AS (
            SELECT entity, product, epoch(created_at - lag(created_at) OVER same) AS gap
            FROM rebought JOIN orders USING (o) WHERE mostly
            WINDOW same AS (PARTITION BY entity, product ORDER BY o)),
        usual AS (SELECT entity, product, greatest(median(gap), 1) AS usual FROM gaps GROUP BY ALL),
        uneven AS (
            SELECT entity, product FROM gaps JOIN usual USING (entity, product) GROUP BY ALL
            HAVING exact_sum(abs(gap / usual - greatest(round(gap / usual), 1))) > {RHYTHM} * count(gap)),
        pieces AS (
            SELECT entity, product FROM rebought JOIN orders USING (o) JOIN order_items i USING (order_id)
            WHERE mostly AND hash(i.product_id) = product GROUP BY ALL HAVING median(quantity) <= {FEW_PIECES})
        SELECT * FROM uneven SEMI JOIN pieces USING (entity, product);
        CREATE OR REPLACE TEMP TABLE returning_customer AS
        SELECT row_number() OVER (ORDER BY entity, product) AS o, entity, product, product AS key,
               coalesce(category, '') AS cell, r.entity IS NOT NULL AS hit
        FROM (SELECT DISTINCT entity, product FROM rebought) LEFT JOIN rebuyer r USING (entity, product)
        LEFT JOIN products p ON hash(p.product_id) = product
    """)
    add_surprise(con, "returning_customer", "rebuyers")
    con.execute("""
        CREATE OR REPLACE TABLE f_rebuyers AS
        SELECT r.o, value AS product_rebuyers_surprise FROM rebought r
        JOIN returning_customer c USING (entity, product) JOIN rebuyers v ON v.o = c.o WHERE hit;
        DROP TABLE rebought; DROP TABLE rebuyer; DROP TABLE returning_customer; DROP TABLE rebuyers
    """)
