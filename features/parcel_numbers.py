"""One tracking number on several orders.

Carriers give numbers out again after 120 days at the earliest, so orders of one number that lie further apart
are different parcels. Orders shipped together on purpose, replacements, exchanges and samples share numbers.
"""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa

from features.columns import Floats, read_columns, register
from features.parcels import Parcels
from features.trace import RECYCLING_SECONDS

__all__ = ["create_order_number", "number_reuse"]

WITNESSES = 30
"""Orders of one number that each order is compared with: a placeholder on a thousand orders stays cheap."""
MIN_LENGTH = 6
"""Shorter 'numbers' are placeholders such as N/A."""


def create_order_number(con: duckdb.DuckDBPyConnection, parcels: Parcels) -> None:
    """Create ``order_number(o, number_key)``: every number (last mile too) of every order, once.

    A number that was given out again is a key of its own: ``NUMBER#1`` for the second time it is used.
    """
    rows = parcels.numbers["o"].to_numpy()
    ordered_at = pa.array(parcels.columns["ordered_at"][rows])
    con.register("tk_number", parcels.numbers.append_column("ordered_at", ordered_at))
    con.execute(f"""
        CREATE OR REPLACE TABLE order_number AS
        WITH used AS MATERIALIZED (
            SELECT DISTINCT number, o, ordered_at FROM tk_number WHERE length(number) >= {MIN_LENGTH}),
        shared AS (SELECT number FROM used GROUP BY number HAVING count(*) > 1),
        stepped AS (
            SELECT *, coalesce(ordered_at - lag(ordered_at) OVER (PARTITION BY number ORDER BY ordered_at, o)
                               > {RECYCLING_SECONDS}, false)::INTEGER AS again
            FROM used SEMI JOIN shared USING (number)),
        lived AS (
            SELECT number, o, sum(again) OVER (PARTITION BY number ORDER BY ordered_at, o) AS life FROM stepped)
        SELECT u.o, CASE WHEN life > 0 THEN u.number || '#' || life ELSE u.number END AS number_key
        FROM used u LEFT JOIN lived s ON s.number = u.number AND s.o = u.o
    """)
    con.unregister("tk_number")


def number_reuse(con: duckdb.DuckDBPyConnection, parcels: Parcels) -> Floats:
    """Orders of other buyers to other addresses that share a number of the order (``order_number``), up to 30.

    The parcel belongs to one of them: the order whose places and times the trace fits best (the earliest of
    equals) has 0. NaN without a number, and for samples, replacements and exchanges.
    """
    columns = parcels.columns
    misfit = sum(
        np.nan_to_num(columns[name]) >= least
        for name, least in (("destination_gap", 1), ("pickup_scan_gap", 2), ("scan_before_order_hours", 1e-9))
    )
    register(con, "tk_order", {
        "o": np.arange(len(parcels.orders)), "entity": parcels.orders["entity"], "misfit": misfit,
        "combined": columns["combined"] == 1, "combined_group": parcels.orders["combined_group"],
        "exempt": columns["exempt"] == 1,
    })  # fmt: skip
    reused = read_columns(con, _REUSE, len(parcels.orders))["reused"]
    con.unregister("tk_order")
    eligible = (columns["numbered"] == 1) & (columns["exempt"] == 0)
    return np.where(eligible, np.nan_to_num(reused), np.nan)


_REUSE = f"""
    WITH shared AS (SELECT number_key FROM order_number GROUP BY number_key HAVING count(*) > 1),
    member AS (
        SELECT number_key, o, entity, combined, combined_group,
               CASE WHEN NOT contains(ship_to_address, '*') THEN lower(ship_to_address) END AS address,
               CASE WHEN NOT contains(ship_to_postcode, '*')
                    THEN upper(replace(ship_to_postcode, ' ', '')) END AS postcode,
               row_number() OVER (PARTITION BY number_key ORDER BY misfit, o) AS rank
        FROM order_number SEMI JOIN shared USING (number_key) JOIN tk_order USING (o) JOIN orders USING (o)
        WHERE NOT exempt)
    SELECT a.o, count(DISTINCT b.o) AS reused
    FROM member a JOIN member b ON a.number_key = b.number_key AND a.entity <> b.entity AND b.rank <= {WITNESSES}
    WHERE NOT (a.combined AND b.combined AND a.combined_group = b.combined_group)
          AND coalesce(a.address <> b.address OR a.postcode <> b.postcode, true)
    GROUP BY a.o HAVING min(a.rank) > 1
"""
