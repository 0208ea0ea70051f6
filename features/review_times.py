"""When a review was written: beside dispatch and delivery, and beside the seller's other reviews."""

from __future__ import annotations

from datetime import datetime

import duckdb
import numpy as np
import pandas as pd

from features.excess import surprise

__all__ = ["add_review_bursts", "add_review_lags"]

_BURST_AT_LEAST = 4
_BURST_SPREAD = 2.0
_LAST_LAG_DAY = 29


def add_review_lags(con: duckdb.DuckDBPyConnection, as_of: datetime) -> None:
    """Create ``review_lag``: r, after_delivery, after_shipment (hours), early_norm (share, 0–1).

    Delivery and dispatch are the earliest that any source knows, over all parcels of the order and of
    the orders combined with it, so that a late scan never makes a review look early.
    """
    _add_parcel_times(con)
    con.execute("SET VARIABLE review_as_of = ?::TIMESTAMP", [as_of])
    con.execute("""
        CREATE OR REPLACE TEMP TABLE review_lag_only AS
        SELECT r, w.o, area, rating, date_diff('second', delivered, w.created_at) / 3600.0 AS after_delivery,
            date_diff('second', coalesce(shipped, CASE WHEN status IN ('UNPAID', 'ON_HOLD', 'AWAITING_SHIPMENT',
                'AWAITING_COLLECTION') THEN getvariable('review_as_of') END), w.created_at) / 3600.0 AS after_shipment
        FROM review_row w JOIN parcel_times USING (o) WHERE w.created_at IS NOT NULL
    """)
    con.execute("""
        CREATE OR REPLACE TEMP TABLE review_lag AS
        WITH hour AS (
            SELECT area, floor(after_delivery)::BIGINT AS hour, count(*) AS n, count(*) FILTER (rating <= 3) AS poor
            FROM review_lag_only WHERE after_delivery IS NOT NULL GROUP BY ALL),
        upto AS (
            SELECT area, hour, sum(n) OVER early AS n, sum(poor) OVER early AS poor,
                sum(n) OVER every AS n_all, sum(poor) OVER every AS poor_all
            FROM hour WINDOW early AS (PARTITION BY area ORDER BY hour), every AS (PARTITION BY area)),
        norm AS (
            SELECT area, hour, (poor + 100 * n / n_all) / (poor_all + 100) AS early_norm FROM upto)
        SELECT r, after_delivery, after_shipment, early_norm
        FROM review_lag_only l LEFT JOIN norm n ON n.area = l.area AND n.hour = floor(after_delivery)::BIGINT
    """)
    con.execute("DROP TABLE review_lag_only; DROP TABLE parcel_times")


def _add_parcel_times(con: duckdb.DuckDBPyConnection) -> None:
    """``parcel_times``: per reviewed order its status, earliest dispatch and earliest delivery.

    Times before the order are somebody else's parcel or a broken clock and do not count.
    """
    con.execute("""
        CREATE OR REPLACE TEMP TABLE parcel_times AS
        WITH reviewed AS (
            SELECT o, order_id, created_at, status, shipped_at, delivered_at,
                coalesce('group ' || combined_group_id, 'order ' || order_id) AS parcel
            FROM orders WHERE o IN (SELECT o FROM review_row)
                AND NOT coalesce(is_replacement, false) AND NOT coalesce(is_exchange, false)),
        parcels AS (
            SELECT parcel, shipped_at, delivered_at FROM reviewed
            UNION ALL
            SELECT 'group ' || combined_group_id, shipped_at, delivered_at FROM orders
            WHERE combined_group_id IS NOT NULL
            UNION ALL
            SELECT parcel, s.shipped_at, NULL FROM reviewed JOIN shipments s USING (order_id)
            UNION ALL
            SELECT parcel, CASE WHEN e.status = 'PICKED_UP' THEN event_at END,
                CASE WHEN e.status = 'DELIVERED' THEN event_at END
            FROM tracking_events e JOIN shipments USING (shipment_id) JOIN reviewed USING (order_id)
            WHERE e.status IN ('PICKED_UP', 'DELIVERED')),
        earliest AS (
            SELECT o, min(p.shipped_at) FILTER (p.shipped_at >= created_at) AS shipped,
                min(p.delivered_at) FILTER (p.delivered_at >= created_at) AS delivered
            FROM reviewed JOIN parcels p USING (parcel) GROUP BY o)
        SELECT o, status, least(shipped, delivered) AS shipped, delivered FROM reviewed JOIN earliest USING (o)
    """)


def add_review_bursts(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``review_burst``: r, burst (surprise of the seller's five-star reviews that day).

    Expected are the seller's deliveries of the thirty days up to that day, each times the market's share
    of deliveries that bring five stars after so many days, times how active all reviewers were that day.
    So a live stream that sold a thousand pieces may bring a hundred reviews in a day.
    """
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE star_day AS
        SELECT r, seller_id, w.created_at::DATE AS day,
            least(greatest(date_diff('day', delivered_at::DATE, w.created_at::DATE), 0), {_LAST_LAG_DAY}) AS lag
        FROM review_row w LEFT JOIN orders USING (o, seller_id)
        WHERE rating = 5 AND w.created_at IS NOT NULL AND seller_id IS NOT NULL
            AND EXISTS (SELECT 1 FROM orders WHERE delivered_at IS NOT NULL)
    """)
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE star_group AS
        WITH parcels AS (
            SELECT seller_id, delivered_at::DATE AS day, count(*) AS n FROM orders
            WHERE delivered_at IS NOT NULL GROUP BY ALL),
        hazard AS (
            SELECT lag, (1e9 * count(*) / (SELECT sum(n) FROM parcels))::BIGINT AS nano FROM star_day
            WHERE lag IS NOT NULL GROUP BY lag),
        hot AS (SELECT seller_id, day, count(*) AS k FROM star_day GROUP BY ALL HAVING count(*) >= {_BURST_AT_LEAST}),
        by_day AS (SELECT day, sum(n) AS n FROM parcels GROUP BY day),
        stars AS (SELECT day, count(*) AS k FROM star_day GROUP BY day),
        market AS (
            SELECT stars.day, any_value(stars.k) / greatest(sum(n * nano) / 1e9, 0.5) AS activity
            FROM stars CROSS JOIN hazard JOIN by_day ON by_day.day = stars.day - lag::INTEGER GROUP BY stars.day),
        expected AS (
            SELECT hot.seller_id, hot.day, k, coalesce(sum(n * nano), 0) / 1e9 AS e
            FROM hot CROSS JOIN hazard
            LEFT JOIN parcels p ON p.seller_id = hot.seller_id AND p.day = hot.day - lag::INTEGER GROUP BY ALL)
        SELECT seller_id, day, k, e * coalesce(activity, 1) AS e, row_number() OVER (ORDER BY seller_id, day) - 1 AS g
        FROM expected LEFT JOIN market USING (day)
    """)
    group = con.execute("SELECT k, e FROM star_group ORDER BY g").fetchnumpy()
    values = pd.DataFrame(
        {"burst": surprise(np.asarray(group["k"], float) - 1, np.asarray(group["e"]), _BURST_SPREAD)}
    )
    values.insert(0, "g", np.arange(len(values)))
    con.register("burst_values", values)
    con.execute("""
        CREATE OR REPLACE TEMP TABLE review_burst AS
        SELECT r, coalesce(burst, 0) AS burst FROM star_day LEFT JOIN star_group USING (seller_id, day)
        LEFT JOIN burst_values USING (g)
    """)
    con.unregister("burst_values")
    con.execute("DROP TABLE star_day; DROP TABLE star_group")
