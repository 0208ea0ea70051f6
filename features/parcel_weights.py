"""Is the parcel as heavy as what was ordered? Measured grams against catalogue weight × quantity.

Catalogues are wrong, so each product's typical ratio is learnt from its other buyers' parcels first. The
upper end of those ratios is taken: empty parcels are light, and where they are most of a product's sales the
median would call them normal. A product whose catalogue weight is wrong is light in every parcel.
"""

from __future__ import annotations

import duckdb
import numpy as np
import numpy.typing as npt

from features.columns import Floats, register, values_of
from features.parcels import Parcels

__all__ = ["expected_log_ratio", "parcel_weights"]

Hashes = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]

PRIOR_PARCELS = 2.0
"""A product's own ratio weighs as much as 'the catalogue is right' once this many other parcels show it."""


def parcel_weights(con: duckdb.DuckDBPyConnection, parcels: Parcels) -> dict[str, Floats]:
    """What the measured weight says, for every order.

    ``measured_weight_ratio`` is measured over catalogue weight, ``declared_weight_ratio`` measured over
    declared weight, ``weight_shortfall`` the natural logarithm of expected over measured weight (above 0:
    light). NaN where not weighed, a weight or quantity is not known, in combined orders and samples.
    """
    columns = parcels.columns
    weighed = (columns["grams"] > 0) & (columns["exempt"] == 0) & (columns["combined"] == 0)
    rows = np.flatnonzero(weighed)
    register(con, "tk_weighed", {
        "o": rows, "grams": columns["grams"][rows], "entity": parcels.orders["entity"].to_numpy()[rows],
    })  # fmt: skip
    known = con.sql(_ITEMS).to_arrow_table()
    con.unregister("tk_weighed")
    ratio = np.full(len(weighed), np.nan)
    at = known["o"].to_numpy()
    ratio[at] = values_of(known, "ratio")
    product, entity, single = (known[name].to_numpy() for name in ("product", "entity", "single"))
    shortfall = np.full(len(weighed), np.nan)
    shortfall[at] = expected_log_ratio(product, entity, single, np.log(ratio[at])) - np.log(ratio[at])
    declared = np.where(weighed & (columns["declared_grams"] > 0), columns["declared_grams"], np.nan)
    return {
        "measured_weight_ratio": ratio,
        "weight_shortfall": np.round(shortfall, 9),
        "declared_weight_ratio": columns["grams"] / declared,
    }


_ITEMS = """
    WITH item AS (
        SELECT o, any_value(entity) AS entity, any_value(grams) AS grams, hash(min(product_id)) AS product,
               min(product_id) = max(product_id) AS single, count(*) = count(weight_g) AS complete,
               min(weight_g) AS least, sum(weight_g * coalesce(quantity, 1)) AS catalogue_grams
        FROM tk_weighed JOIN orders USING (o) JOIN order_items USING (order_id)
        LEFT JOIN products USING (product_id) GROUP BY o)
    SELECT o, entity, product, coalesce(single, false) AS single, grams / catalogue_grams AS ratio FROM item
    WHERE complete AND least > 0 AND catalogue_grams > 0
"""


def expected_log_ratio(
    product: Hashes, entity: Hashes, single: npt.NDArray[np.bool_], log_ratio: Floats
) -> Floats:
    """The log ratio of measured to catalogue weight to expect of each parcel, from the product's others.

    Parameters
    ----------
    product, entity
        Hashes of the product and of the buyer.
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


def _own_parcels(product: Hashes, entity: Hashes) -> Ints:
    """How many of the product's parcels went to the same buyer, for every parcel."""
    order = np.lexsort((entity, product))
    pair = (product * np.uint64(0x9E3779B97F4A7C15) ^ entity)[order]
    own = np.empty(len(order), np.int64)
    own[order] = _runs(pair)[1]
    return own
