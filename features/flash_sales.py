"""Flash sales beside the prices that were paid before them (policy 6.4)."""

from __future__ import annotations

import duckdb

__all__ = ["add_flash_sales"]

HISTORY_DAYS = 30


def add_flash_sales(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``flash_order`` (o, over_base, hours, parallel) and ``flash_baseline`` (o, gap, entities).

    ``flash_order`` has the orders of a flash sale, ``flash_baseline`` those that bought its product in
    the 30 days before, outside flash sales. Prices are what the seller got for a unit: shipping left
    out, the platform's discount put back; gifts at less than a tenth of the unit price are no price.
    """
    _add_flash_lines(con)
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE flash_order AS
        WITH paid AS (
            SELECT f.promotion_id, f.product_id, min(net) AS lowest, count(*) AS n
            FROM flash f JOIN flash_line l USING (product_id)
            WHERE NOT in_flash AND real AND l.created_at < f.starts_at
                AND l.created_at >= f.starts_at - INTERVAL {HISTORY_DAYS} DAY GROUP BY ALL),
        overlap AS (
            SELECT a.promotion_id, a.product_id, count(*) AS n FROM flash a JOIN flash b USING (product_id)
            WHERE a.promotion_id <> b.promotion_id AND a.starts_at < b.ends_at AND b.starts_at < a.ends_at
            GROUP BY ALL),
        began AS (SELECT min(created_at) AS at FROM orders),
        base AS (
            SELECT f.*, coalesce(o.n, 0) AS parallel, lowest,
                p.n IS NULL AND f.starts_at - INTERVAL {HISTORY_DAYS} DAY >= began.at AS no_history
            FROM flash f LEFT JOIN paid p USING (promotion_id, product_id)
            LEFT JOIN overlap o USING (promotion_id, product_id), began)
        SELECT l.o, max(b.price_minor / CASE WHEN no_history THEN nullif(greatest(list - 1, 0), 0) ELSE lowest END - 1)
            AS over_base, max(date_diff('second', starts_at, ends_at) / 3600.0) AS hours, max(parallel) AS parallel
        FROM flash_line l JOIN base b ON b.promotion_id = l.promotion_id AND b.product_id = l.product_id
        GROUP BY l.o
    """)
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE flash_baseline AS
        WITH before AS (
            SELECT f.promotion_id, l.product_id, l.o, l.net, l.entity_id, starts_at, currency
            FROM flash f JOIN flash_line l USING (product_id)
            WHERE NOT in_flash AND l.created_at < f.starts_at
                AND l.created_at >= f.starts_at - INTERVAL {HISTORY_DAYS} DAY),
        buyers AS (
            SELECT promotion_id, product_id, count(DISTINCT entity_id) AS entities FROM before GROUP BY ALL),
        usual AS (
            SELECT f.promotion_id, l.product_id, l.currency, median(net) AS usual
            FROM flash f JOIN flash_line l USING (product_id)
            WHERE l.created_at >= f.starts_at OR l.created_at < f.starts_at - INTERVAL {HISTORY_DAYS} DAY
            GROUP BY ALL)
        SELECT o, max(log2(net / u.usual)) AS gap, min(entities) AS entities
        FROM before JOIN buyers USING (promotion_id, product_id)
        LEFT JOIN usual u USING (promotion_id, product_id, currency) GROUP BY o
    """)
    con.execute("DROP TABLE flash; DROP TABLE flash_line")


def _add_flash_lines(con: duckdb.DuckDBPyConnection) -> None:
    """``flash``: the flash sales; ``flash_line``: every order line of their products with its net price."""
    con.execute("""
        CREATE OR REPLACE TEMP TABLE flash AS
        SELECT promotion_id, product_id, price_minor, starts_at, ends_at FROM promotions
        WHERE kind = 'flash_sale' AND starts_at IS NOT NULL
    """)
    con.execute("""
        CREATE OR REPLACE TEMP TABLE flash_line AS
        WITH wanted AS (
            SELECT order_id FROM order_items WHERE product_id IN (SELECT product_id FROM flash)),
        goods AS (
            SELECT order_id, sum(quantity * unit_price_minor) AS goods FROM order_items SEMI JOIN wanted
            USING (order_id) GROUP BY order_id),
        line AS (
            SELECT o.o, o.created_at, o.promotion_id, product_id, currency, list_price_minor AS list, entity_id,
                unit_price_minor AS unit_price,
                unit_price_minor * CASE WHEN total_minor > 0 AND goods > 0 AND shipping_fee_minor IS NOT NULL
                    AND platform_discount_minor IS NOT NULL
                    THEN (total_minor - shipping_fee_minor + platform_discount_minor) / goods ELSE 1 END AS net,
                status <> 'CANCELLED' OR status IS NULL AS real
            FROM order_items i JOIN orders o USING (order_id) JOIN goods USING (order_id)
            LEFT JOIN buyer_entity e ON e.buyer_id = o.buyer_id
            WHERE i.product_id IN (SELECT product_id FROM flash) AND unit_price_minor > 0
                AND NOT coalesce(is_sample, false) AND NOT coalesce(is_replacement, false)
                AND NOT coalesce(is_exchange, false))
        SELECT l.*, EXISTS (SELECT 1 FROM promotions p WHERE p.promotion_id = l.promotion_id
            AND p.product_id = l.product_id AND p.kind = 'flash_sale') AS in_flash
        FROM line l WHERE net >= 0.1 * unit_price
    """)
