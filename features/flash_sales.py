"""Flash sales beside the prices that were paid before them (policy 6.4)."""

from __future__ import annotations

import duckdb

__all__ = ["add_flash_sales"]

HISTORY_DAYS = 30
_MIN_SALES = 3


def add_flash_sales(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``flash_order`` (o, over_base, hours, parallel) and ``flash_baseline`` (o, gap, entities).

    ``flash_order`` has the orders of a flash sale, ``flash_baseline`` those that bought its product in
    the 30 days before, outside flash sales. Prices are what the seller got for a unit: shipping left
    out, the platform's discount put back; gifts at less than a tenth of the unit price are no price.
    """
    _add_flash_lines(con)
    _add_flash_orders(con)
    _add_baselines(con)
    con.execute("DROP TABLE flash; DROP TABLE flash_line; DROP TABLE flash_before")


def _add_flash_lines(con: duckdb.DuckDBPyConnection) -> None:
    """``flash``: the flash sales; ``flash_line``: every order line of their products with its net price.

    A promotion states no currency; its price is in the one that its product mostly sells in during
    flash sales, and lines in another are left out.
    """
    con.execute("""
        CREATE OR REPLACE TEMP TABLE flash AS
        SELECT promotion_id, product_id, price_minor, starts_at, ends_at FROM promotions
        WHERE kind = 'flash_sale' AND starts_at IS NOT NULL
    """)
    con.execute("""
        CREATE OR REPLACE TEMP TABLE flash_line AS
        WITH bought AS (
            SELECT * FROM order_items i WHERE product_id IN (SELECT product_id FROM flash) AND unit_price_minor > 0),
        goods AS (
            SELECT order_id, sum(quantity * unit_price_minor) AS goods FROM order_items
            WHERE order_id IN (SELECT order_id FROM bought) GROUP BY order_id),
        line AS (
            SELECT o.o, o.created_at, o.promotion_id, product_id, currency, list_price_minor AS list, entity_id,
                unit_price_minor AS unit_price, coalesce(status <> 'CANCELLED', true) AS kept,
                unit_price_minor * CASE WHEN goods > 0
                    THEN coalesce((total_minor - shipping_fee_minor + platform_discount_minor) / goods, 1)
                    ELSE 1 END AS net,
                (o.promotion_id, product_id) IN (SELECT (promotion_id, product_id) FROM flash) AS in_flash
            FROM bought JOIN orders o USING (order_id) JOIN goods USING (order_id)
            LEFT JOIN buyer_entity e ON e.buyer_id = o.buyer_id
            WHERE NOT coalesce(is_sample, false) AND NOT coalesce(is_replacement, false)
                AND NOT coalesce(is_exchange, false)),
        used AS (SELECT product_id, currency, count(*) FILTER (in_flash) AS f, count(*) AS n FROM line GROUP BY ALL),
        main AS (SELECT product_id, max_by(currency, (f, n, currency)) AS currency FROM used GROUP BY product_id)
        SELECT line.* FROM line SEMI JOIN main USING (product_id, currency) WHERE net >= 0.1 * unit_price
    """)
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE flash_before AS
        SELECT f.promotion_id, product_id, price_minor, l.o, l.net, l.entity_id, l.kept
        FROM flash f JOIN flash_line l USING (product_id)
        WHERE NOT in_flash AND l.created_at < f.starts_at
            AND l.created_at >= f.starts_at - INTERVAL {HISTORY_DAYS} DAY
    """)


def _add_flash_orders(con: duckdb.DuckDBPyConnection) -> None:
    """``flash_order``: the flash price beside the lowest price paid before, or the list price without history.

    Where the data begin less than 30 days before the sale, a lower price may be unseen, so only a price
    that was seen is held against the seller.
    """
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE flash_order AS
        WITH paid AS (
            SELECT promotion_id, product_id, min(net) AS lowest FROM flash_before WHERE kept GROUP BY ALL),
        shared AS (
            SELECT a.promotion_id, a.product_id, count(*) AS n FROM flash a JOIN flash b USING (product_id)
            WHERE a.promotion_id <> b.promotion_id AND a.starts_at < b.ends_at AND b.starts_at < a.ends_at
            GROUP BY ALL),
        began AS (SELECT min(created_at) AS first_at FROM orders),
        base AS (
            SELECT f.*, coalesce(s.n, 0) AS parallel, lowest,
                lowest IS NULL AND f.starts_at - INTERVAL {HISTORY_DAYS} DAY >= first_at AS no_history
            FROM flash f LEFT JOIN paid USING (promotion_id, product_id)
            LEFT JOIN shared s USING (promotion_id, product_id), began)
        SELECT l.o, max(parallel) AS parallel, max(date_diff('second', starts_at, ends_at) / 3600.0) AS hours,
            max(b.price_minor / CASE WHEN no_history THEN nullif(greatest(list - 1, 0), 0) ELSE lowest END - 1)
                AS over_base
        FROM flash_line l JOIN base b USING (promotion_id, product_id) GROUP BY l.o
    """)


def _add_baselines(con: duckdb.DuckDBPyConnection) -> None:
    """``flash_baseline``: what was paid before the sale, beside what the product fetches at other times.

    The usual price is the median outside those 30 days and outside flash sales; where the product sold at
    no other time, the lower quartile of what was paid then, from three sales on.
    """
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE flash_baseline AS
        WITH buyers AS (
            SELECT promotion_id, product_id, count(DISTINCT entity_id) AS entities FROM flash_before GROUP BY ALL),
        compared AS (
            SELECT f.promotion_id, product_id, net, l.created_at >= f.starts_at
                OR l.created_at < f.starts_at - INTERVAL {HISTORY_DAYS} DAY AS outside
            FROM flash f JOIN flash_line l USING (product_id) WHERE NOT in_flash),
        usual AS (
            SELECT promotion_id, product_id, CASE WHEN bool_or(outside) THEN median(net) FILTER (outside)
                WHEN count(*) >= {_MIN_SALES} THEN quantile_cont(net, 0.25) END AS usual
            FROM compared GROUP BY ALL)
        SELECT o, max(log2(net / usual)) AS gap, min(entities) AS entities
        FROM flash_before JOIN buyers USING (promotion_id, product_id)
        JOIN usual USING (promotion_id, product_id) GROUP BY o
    """)
