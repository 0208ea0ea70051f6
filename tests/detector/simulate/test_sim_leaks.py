"""No single raw column gives a fake away, by value, by how often the value occurs, or by being empty.

The bound: with 2 % fakes, average precision below 0.25 and |AUC - 0.5| below 0.25, each column alone, in
either direction. (A detector has to combine evidence; a simulator with a tell-tale column proves nothing.)
"""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

MAX_PRECISION = 0.25
MAX_LEAN = 0.25

PER_ORDER = """
    WITH s AS (
        SELECT order_id, count(*) labels, min(shipments.created_at) label_at, min(shipped_at) handed_at,
            min(carrier) carrier, min(tracking_number) tracking_number, min(handover) handover,
            min(ship_from_city) ship_from_city, min(ship_from_country) ship_from_country,
            min(declared_weight_g) declared_g, min(last_mile_tracking_number) last_mile,
            min(length(tracking_number)) number_length, sum(n) scans, max(w) measured_g, max(span) span,
            min(signed) signed_by, min(place) place, min(lat) latitude, min(lon) longitude
        FROM shipments LEFT JOIN (
            SELECT shipment_id, count(*) n, max(weight_g) w, epoch(max(event_at) - min(event_at)) span,
                min(signed_by) signed, min(postcode) place, min(latitude) lat, min(longitude) lon
            FROM tracking_events GROUP BY 1) USING (shipment_id)
        GROUP BY 1),
    r AS (SELECT order_id, min(rating) rating, min(text) review_text, min(length(text)) review_length,
            min(created_at) reviewed_at FROM reviews GROUP BY 1),
    i AS (SELECT order_id, count(*) lines, sum(quantity) units, arg_min(product_id, line_no) product,
            arg_min(sku_id, line_no) sku, arg_min(unit_price_minor, line_no) price,
            arg_min(list_price_minor, line_no) list_price FROM order_items GROUP BY 1)
    SELECT truth.is_fake AS answer,
        o.*, s.* EXCLUDE (order_id), r.* EXCLUDE (order_id), i.* EXCLUDE (order_id),
        epoch(o.created_at - b.registered_at) buyer_age, epoch(o.created_at - w.registered_at) seller_age,
        epoch(o.created_at - p.listed_at) listing_age, p.weight_g catalogue_g, p.category,
        w.country seller_country, w.city seller_city, epoch(o.paid_at - o.created_at) to_pay,
        epoch(o.shipped_at - o.paid_at) to_ship, epoch(o.delivered_at - o.shipped_at) to_deliver,
        epoch(o.completed_at - o.delivered_at) to_complete, epoch(r.reviewed_at - o.delivered_at) to_review,
        hour(o.created_at) hour_of_day, price / list_price AS price_share
    FROM orders o JOIN truth USING (order_id) LEFT JOIN s USING (order_id) LEFT JOIN r USING (order_id)
    LEFT JOIN i USING (order_id) LEFT JOIN buyers b USING (buyer_id) LEFT JOIN sellers w USING (seller_id)
    LEFT JOIN products p ON p.product_id = i.product
    ORDER BY o.order_id
"""


@pytest.fixture(scope="module")
def frame(con: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    return con.sql(PER_ORDER).to_arrow_table().to_pandas()


def single_column_scores(values: pd.Series) -> dict[str, np.ndarray]:
    """The ways to score orders by one column alone."""
    scores = {"frequency": values.map(values.value_counts()).fillna(0).to_numpy(float)}
    missing = values.isna().to_numpy()
    if missing.any():
        scores["missing"] = missing.astype(float)
    if pd.api.types.is_datetime64_any_dtype(values):
        values = values.astype("int64").where(~missing)
    if pd.api.types.is_numeric_dtype(values):
        numbers = values.astype(float)
        scores["value"] = numbers.fillna(numbers.median()).to_numpy()
    return scores


def test_no_column_gives_a_fake_away(frame: pd.DataFrame) -> None:
    """Frequencies are those among all orders; every third order is then judged."""
    answer = frame.pop("answer").to_numpy()[::3]
    telling = []
    for column in frame:
        for how, scores in single_column_scores(frame[column]).items():
            score = scores[::3]
            if np.ptp(score) == 0:
                continue
            lean = abs(roc_auc_score(answer, score) - 0.5)
            precision = max(average_precision_score(answer, sign * score) for sign in (1, -1))
            if precision > MAX_PRECISION or lean > MAX_LEAN:
                telling.append((column, how, round(precision, 3), round(lean, 3)))
    assert telling == []


def test_the_measure_finds_a_leak() -> None:
    """The same measure, on a column that does leak."""
    answer = np.arange(5000) % 50 == 0
    scores = single_column_scores(pd.Series(np.where(answer, "shared", np.arange(5000).astype(str))))
    assert average_precision_score(answer, scores["frequency"]) > 0.9
