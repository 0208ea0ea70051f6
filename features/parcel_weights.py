"""Is the parcel as heavy as what was ordered? Measured grams against catalogue weight × quantity.

Catalogues are wrong, so each product's typical ratio is learnt from its other buyers' parcels first. The
upper end of those ratios is taken: empty parcels are light, and where they are most of a product's sales the
median would call them normal. A product whose catalogue weight is wrong is light in every parcel.
"""

from __future__ import annotations

import duckdb
import numpy as np
import numpy.typing as npt

from features.parcels import register_columns, values_of

__all__ = ["create_weights", "expected_log_ratio"]

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]

PRIOR_PARCELS = 2.0
"""A product's own ratio weighs as much as 'the catalogue is right' once this many other parcels show it."""


def create_weights(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``tk_weight``: what the measured weight says, for every weighed order.

    ``measured_weight_ratio`` is measured over catalogue weight, ``declared_weight_ratio`` measured over
    declared weight, ``weight_shortfall`` the natural logarithm of expected over measured weight (above 0:
    light); null where a weight or quantity is not known. Combined orders and samples have no row.
    """
    con.execute("""
        CREATE OR REPLACE TEMP TABLE tk_weighed AS
        SELECT o, entity, order_id, grams,
               CASE WHEN declared_grams > 0 THEN grams / declared_grams END AS declared
        FROM tk_parcel JOIN tk_order USING (o) JOIN orders USING (o)
        WHERE grams > 0 AND NOT exempt AND NOT combined
    """)
    known = con.sql("""
        WITH item AS (
            SELECT o, any_value(entity) AS entity, any_value(grams) AS grams,
                   hash(min(product_id)) AS product, min(product_id) = max(product_id) AS single,
                   count(*) = count(weight_g) AS complete,
                   min(weight_g) AS least, sum(weight_g * coalesce(quantity, 1)) AS catalogue_grams
            FROM tk_weighed JOIN order_items USING (order_id) LEFT JOIN products USING (product_id)
            GROUP BY o)
        SELECT o, entity, product, single, grams / catalogue_grams AS ratio FROM item
        WHERE complete AND least > 0 AND catalogue_grams > 0
    """).to_arrow_table()
    log_ratio = np.log(values_of(known, "ratio"))
    expected = expected_log_ratio(
        known["product"].to_numpy(), known["entity"].to_numpy(), known["single"].to_numpy(), log_ratio
    )
    register_columns(con, "tk_ratio", {
        "o": known["o"], "measured_weight_ratio": known["ratio"],
        "weight_shortfall": np.round(expected - log_ratio, 9),
    })  # fmt: skip
    con.execute("""
        CREATE OR REPLACE TEMP TABLE tk_weight AS
        SELECT o, measured_weight_ratio, weight_shortfall, declared AS declared_weight_ratio
        FROM tk_weighed LEFT JOIN tk_ratio USING (o)
    """)
    con.unregister("tk_ratio")
    con.execute("DROP TABLE tk_weighed")


def expected_log_ratio(
    product: Codes, entity: Codes, single: npt.NDArray[np.bool_], log_ratio: Floats
) -> Floats:
    """The log ratio of measured to catalogue weight to expect of each parcel, from the product's others.

    Parameters
    ----------
    product, entity
        Codes of the product and of the buyer.
    single
        Whether the product is the only one in the parcel; other parcels neither teach nor learn.
    log_ratio
        Natural logarithm of measured over catalogue grams.

    Returns
    -------
    numpy.ndarray
        The upper quartile of the ratios of the product's parcels to other buyers, shrunk towards 0 (the
        catalogue is right) when they are few; 0 where there are none. With one parcel per buyer and product:

    >>> codes, single = np.arange(3, dtype=np.uint64), np.ones(3, bool)
    >>> expected_log_ratio(codes * 0, codes, single, np.log([0.5, 0.5, 0.5])).round(2)
    array([-0.35, -0.35, -0.35])
    """
    expected = np.zeros(len(product))
    rows = np.flatnonzero(single)
    rows = rows[np.lexsort((log_ratio[rows], product[rows]))]
    start, size = _runs(product[rows])
    position = np.arange(len(rows)) - start
    others = size - _own_parcels(product[rows], entity[rows])
    rank = (3 * (size - 2) + 3) // 4  # upper quartile of the others; the own parcel is skipped over
    rank = np.minimum(np.where(rank >= position, rank + 1, rank), size - 1)
    typical = log_ratio[rows][start + rank] if len(rows) else expected
    expected[rows] = np.where(others > 0, typical * others / (others + PRIOR_PARCELS), 0.0)
    return expected


def _runs(keys: npt.NDArray[np.integer]) -> tuple[Ints, Ints]:
    """First row and size of the run of equal ``keys`` that each row is in."""
    if not len(keys):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    first = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
    size = np.diff(np.r_[first, len(keys)])
    return np.repeat(first, size), np.repeat(size, size)


def _own_parcels(product: Codes, entity: Codes) -> Ints:
    """How many of the product's parcels went to the same buyer, for every parcel."""
    order = np.lexsort((entity, product))
    pair = (product * np.uint64(0x9E3779B97F4A7C15) ^ entity)[order]
    own = np.empty(len(order), np.int64)
    own[order] = _runs(pair)[1]
    return own
