"""Sales beside the clicks that should have brought them (policy 6.8)."""

from __future__ import annotations

import duckdb
import numpy as np

from features.excess import estimate_spread, surprise

__all__ = ["add_clicks", "add_shared_devices"]

CLICK_DAYS = 30
QUICK_SECONDS = 15
"""Nobody opens a link, chooses and pays within this time."""
_COVER_WEIGHT = 5
_MAX_SURPRISE = 30.0


def add_clicks(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``click_order`` from ``affiliate_order`` and the clicks; empty when there are no clicks.

    Columns: ``o``; ``missing`` (BOOLEAN: no click on this creator's links by this buyer, device or ip in
    the 30 days before); ``seconds`` (since the last one); ``click_surprise`` (how unusual a missing click
    is for this creator, powers of ten); ``day_clicks`` (clicks on this creator's links by the buyer or
    from the device that day and the day before); ``conversion`` (surprise of so many sales per click).
    """
    _add_last_click(con)
    con.execute("""
        CREATE OR REPLACE TEMP TABLE click_match AS
        SELECT o, creator_id, channel, last IS NULL AS missing, date_diff('millisecond', last, created_at) / 1e3 AS seconds
        FROM affiliate_order LEFT JOIN last_click USING (o) WHERE EXISTS (SELECT 1 FROM affiliate_clicks)
    """)
    _add_conversion(con)
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE click_order AS
        WITH channels AS (
            SELECT coalesce(channel, '') AS channel, avg((NOT missing)::INTEGER) AS cover FROM click_match GROUP BY ALL),
        creators AS (
            SELECT creator_id, count(*) AS n, count(*) FILTER (NOT missing) AS k FROM click_match GROUP BY ALL),
        days AS (
            SELECT creator_id, buyer_id, device_id, clicked_at::DATE AS day, count(*) AS n FROM affiliate_clicks
            GROUP BY ALL),
        clicked AS (
            SELECT o, sum(n) AS n FROM affiliate_order a JOIN days d ON d.creator_id = a.creator_id
                AND (d.device_id = a.device_id) AND d.day BETWEEN a.created_at::DATE - 1 AND a.created_at::DATE
            GROUP BY o)
        SELECT m.o, missing, seconds, coalesce(clicked.n, 0) AS day_clicks, conversion,
            CASE WHEN missing THEN -log10(greatest(1 - (k + {_COVER_WEIGHT} * cover) / (c.n - 1 + {_COVER_WEIGHT}), 0.001))
                ELSE 0 END AS click_surprise
        FROM click_match m JOIN creators c USING (creator_id) JOIN channels h ON h.channel = coalesce(m.channel, '')
        LEFT JOIN clicked USING (o) LEFT JOIN creator_conversion v USING (creator_id)
    """)
    con.execute("DROP TABLE last_click; DROP TABLE click_match; DROP TABLE creator_conversion")


def _add_last_click(con: duckdb.DuckDBPyConnection) -> None:
    """``last_click``: the latest click before each order by the same buyer, device or ip."""
    found = " UNION ALL ".join(
        f"""SELECT a.o, c.clicked_at FROM affiliate_order a ASOF JOIN
            (SELECT creator_id, {key}, clicked_at FROM affiliate_clicks WHERE {key} IS NOT NULL) c
            ON a.creator_id = c.creator_id AND a.{key} = c.{key} AND a.created_at >= c.clicked_at
            WHERE c.clicked_at >= a.created_at - INTERVAL {CLICK_DAYS} DAY"""
        for key in ("buyer_id", "device_id", "ip_address")
    )
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE last_click AS SELECT o, max(clicked_at) AS last FROM ({found}) GROUP BY o"
    )


def _add_conversion(con: duckdb.DuckDBPyConnection) -> None:
    """``creator_conversion``: per creator with clicks, the surprise of its clicked sales per click."""
    group = con.execute("""
        WITH sold AS (SELECT creator_id, count(*) AS n FROM click_match WHERE NOT missing GROUP BY creator_id)
        SELECT creator_id, count(*)::DOUBLE AS clicks, coalesce(any_value(sold.n), 0)::DOUBLE AS sold
        FROM affiliate_clicks LEFT JOIN sold USING (creator_id) WHERE creator_id IS NOT NULL
        GROUP BY creator_id ORDER BY creator_id
    """).df()
    sold, clicks = group["sold"].to_numpy(np.float64), group["clicks"].to_numpy(np.float64)
    expected = clicks * (sold.sum() / max(clicks.sum(), 1.0))
    values = group[["creator_id"]].assign(
        conversion=surprise(sold - 1, expected, estimate_spread(sold, expected))
    )
    con.register("conversion_values", values)
    con.execute("""
        CREATE OR REPLACE TEMP TABLE creator_conversion AS
        SELECT creator_id::VARCHAR AS creator_id, conversion FROM conversion_values
    """)
    con.unregister("conversion_values")


def add_shared_devices(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``creator_devices`` (o, accounts) and ``creator_ips`` (o, surprise).

    ``accounts``: other buyers who clicked on or bought through this creator's links from this device.
    ``surprise``: powers of ten against so many other buyers of this ip address buying through the same
    creator, given how many they are and how much the creator sells elsewhere: a dormitory behind one
    address buys from many creators.
    """
    con.execute("""
        CREATE OR REPLACE TEMP TABLE creator_devices AS
        WITH used AS (
            SELECT creator_id, device_id, buyer_id FROM affiliate_order
            UNION SELECT creator_id, device_id, buyer_id FROM affiliate_clicks),
        shared AS (
            SELECT creator_id, device_id, count(DISTINCT buyer_id) AS n FROM used
            WHERE device_id IS NOT NULL AND buyer_id IS NOT NULL GROUP BY ALL)
        SELECT o, n - 1 AS accounts FROM affiliate_order JOIN shared USING (creator_id, device_id)
    """)
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE creator_ips AS
        WITH used AS (
            SELECT DISTINCT ip_address, creator_id, buyer_id FROM affiliate_order WHERE ip_address IS NOT NULL),
        total AS (SELECT count(*) AS n, count(DISTINCT creator_id) AS creators FROM used),
        creators AS (SELECT creator_id, count(*) AS n FROM used GROUP BY creator_id),
        ips AS (SELECT ip_address, count(*) AS n FROM used GROUP BY ip_address),
        pairs AS (SELECT ip_address, creator_id, count(*) AS n FROM used GROUP BY ALL),
        judged AS (
            SELECT ip_address, creator_id, p.n - 1 AS others, greatest(1e-3, (i.n - 1) *
                (c.n - p.n + 0.5) / (total.n - i.n + 0.5 * total.creators)) AS e
            FROM pairs p JOIN ips i USING (ip_address) JOIN creators c USING (creator_id), total)
        SELECT o, least({_MAX_SURPRISE}, others * log10((1 + e) / e)) AS surprise
        FROM affiliate_order JOIN judged USING (ip_address, creator_id)
    """)
