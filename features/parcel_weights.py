"""Is the parcel as heavy as what was ordered? Measured grams against catalogue weight × quantity.

Catalogues are wrong, so each product's typical ratio is learnt from its other buyers' parcels first. The
upper end of those ratios is taken: empty parcels are light, and where they are most of a product's sales the
median would call them normal. A product whose catalogue weight is wrong is light in every parcel.
"""

from __future__ import annotations

import duckdb
import numpy as np
import numpy.typing as npt

from features.parcels import add_columns, values_of

__all__ = ["add_weights", "expected_log_ratio"]

Floats = npt.NDArray[np.float64]

PRIOR_PARCELS = 2.0
"""A product's own ratio weighs as much as 'the catalogue is right' once this many other parcels show it."""


def add_weights(con: duckdb.DuckDBPyConnection) -> None:
    """Add to ``tk_parcel`` the measured ratios and how far the parcel falls short of its product's ratio.

    ``measured_weight_ratio`` is measured over catalogue weight, ``declared_weight_ratio`` measured over
    declared weight (null: not weighed, weight or quantity not known, several orders in one parcel, sample);
    ``weight_shortfall`` the natural logarithm of expected over measured weight, above 0 for light parcels.
    """
    con.execute("""
        CREATE OR REPLACE TEMP TABLE tk_weight AS
        WITH catalogue AS (
            SELECT order_id, CASE WHEN bool_and(weight_g > 0) AND count(weight_g) = count(*)
                             THEN sum(weight_g * coalesce(quantity, 1)) END AS catalogue_grams,
                   CASE WHEN min(product_id) = max(product_id) THEN min(product_id) END AS product_id
            FROM order_items LEFT JOIN products USING (product_id) GROUP BY order_id),
        product AS (SELECT product_id, row_number() OVER (ORDER BY product_id) AS product
                    FROM (SELECT DISTINCT product_id FROM catalogue))
        SELECT o, entity, coalesce(product, -1) AS product, grams / declared_grams AS declared_ratio,
               CASE WHEN catalogue_grams > 0 THEN grams / catalogue_grams END AS ratio
        FROM tk_parcel LEFT JOIN catalogue USING (order_id) LEFT JOIN product USING (product_id)
        WHERE grams > 0 AND NOT exempt AND combined_group_id IS NULL
    """)
    known = con.sql("""
        SELECT o, entity, product, ln(ratio) AS ratio FROM tk_weight WHERE ratio IS NOT NULL ORDER BY o
    """).to_arrow_table()
    ratio = values_of(known, "ratio")
    expected = expected_log_ratio(known["product"].to_numpy(), known["entity"].to_numpy(), ratio)
    add_columns(con, "tk_weight", "o", {"o": known["o"], "weight_shortfall": np.round(expected - ratio, 9)}, "LEFT")
    con.execute("""
        CREATE OR REPLACE TEMP TABLE tk_parcel AS
        SELECT p.*, ratio AS measured_weight_ratio, weight_shortfall,
               CASE WHEN isfinite(declared_ratio) THEN declared_ratio END AS declared_weight_ratio
        FROM tk_parcel p LEFT JOIN tk_weight USING (o) ORDER BY o
    """)
    con.execute("DROP TABLE tk_weight")


def expected_log_ratio(
    product: npt.NDArray[np.int64], entity: npt.NDArray[np.int64], log_ratio: Floats
) -> Floats:
    """The log ratio of measured to catalogue weight to expect of each parcel, from the product's others.

    Parameters
    ----------
    product, entity
        Codes of the only product in the parcel (−1 where there are several) and of the buyer.
    log_ratio
        Natural logarithm of measured over catalogue grams.

    Returns
    -------
    numpy.ndarray
        The upper quartile of the ratios of the product's parcels to other buyers, shrunk towards 0 (the
        catalogue is right) when they are few; 0 where there are none. With one parcel per buyer and product:

    >>> expected_log_ratio(np.zeros(3, int), np.arange(3), np.log([0.5, 0.5, 0.5])).round(2)
    array([-0.35, -0.35, -0.35])
    """
    order = np.lexsort((log_ratio, product))
    ranked = log_ratio[order]
    start, size = _groups(product[order])
    position = np.empty(len(order), np.int64)
    position[order] = np.arange(len(order)) - start
    start_of, size_of = np.empty_like(start), np.empty_like(size)
    start_of[order], size_of[order] = start, size
    own = _own_count(product, entity)
    others = np.where(product >= 0, size_of - own, 0)
    # The own parcels are taken out by rank where there is one; a buyer's second parcel is a rare extra.
    rank = ((size_of - 2) * 3 + 3) // 4
    rank = np.where(rank >= position, rank + 1, rank)
    typical = ranked[np.clip(start_of + np.minimum(rank, size_of - 1), 0, len(ranked) - 1)]
    return np.where(others > 0, typical * others / (others + PRIOR_PARCELS), 0.0)


def _groups(keys: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """First row and size of the run that each row of sorted ``keys`` is in."""
    first = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]]) if len(keys) else np.zeros(0, np.int64)
    size = np.diff(np.r_[first, len(keys)])
    return np.repeat(first, size), np.repeat(size, size)


def _own_count(product: npt.NDArray[np.int64], entity: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    order = np.lexsort((entity, product))
    pair = np.c_[product[order], entity[order]]
    step = np.r_[True, (pair[1:] != pair[:-1]).any(axis=1)] if len(pair) else np.zeros(0, bool)
    _, size = _groups(np.cumsum(step))
    own = np.empty(len(order), np.int64)
    own[order] = size
    return own
