"""Is the parcel as heavy as what was ordered? Measured grams against catalogue weight × quantity.

Catalogues are wrong, so each product's typical ratio is learnt from its other buyers' parcels first. The
upper end of those ratios is taken: empty parcels are light, and where they are most of a product's sales the
median would call them normal. A product whose catalogue weight is wrong is light in every parcel.
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
import numpy as np
import numpy.typing as npt

from features.columns import Codes, Floats, Rows, group_codes, register, values_of
from features.parcels import Parcels

__all__ = ["line_grams", "parcel_weights", "shortfalls", "weighed", "weight_ratios"]

PRIOR_PARCELS = 2.0
"""A product's own ratio weighs as much as 'the catalogue is right' once this many other parcels show it."""


def parcel_weights(con: duckdb.DuckDBPyConnection, parcels: Parcels) -> dict[str, Floats]:
    """What the measured weight says, for every order.

    ``measured_weight_ratio`` is measured over catalogue weight, ``declared_weight_ratio`` measured over
    declared weight, ``weight_shortfall`` and ``weight_basis`` see ``shortfalls``. NaN where not weighed, a
    weight or quantity is not known, in combined orders and samples.
    """
    columns = parcels.columns
    rows = weighed(columns)
    row, product, quantity, weight = _read_lines(con, rows, len(parcels.orders))
    stated = line_grams(quantity, weight)
    shortfall, basis = (np.full(len(parcels.orders), np.nan) for _ in range(2))
    buyer = group_codes(parcels.orders["entity"])[rows]
    shortfall[rows], basis[rows] = shortfalls(row, product, stated, columns["grams"][rows], buyer)
    return weight_ratios(columns, rows, row, stated) | {
        "weight_shortfall": np.round(shortfall, 9),
        "weight_basis": basis,
    }


def weighed(columns: Mapping[str, Floats]) -> Rows:
    """Orders whose parcels' weight says something of their goods."""
    return np.flatnonzero((columns["grams"] > 0) & (columns["exempt"] == 0) & (columns["combined"] == 0))


def line_grams(quantity: Floats, weight_g: Floats) -> Floats:
    """Catalogue weight of lines; one piece where no quantity is stated, NaN where no weight is."""
    grams = weight_g * np.where(np.isnan(quantity), 1.0, quantity)
    return np.where(grams == 0, np.nan, grams)


def weight_ratios(columns: Mapping[str, Floats], rows: Rows, row: Rows, stated: Floats) -> dict[str, Floats]:
    """Measured over catalogue and over declared weight of every order.

    ``rows`` are the ``weighed`` orders; a line belongs to the one at position ``row`` of them and should weigh
    ``stated`` grams.
    """
    catalogue = _sums(row, stated, len(rows))
    catalogue[np.bincount(row, minlength=len(rows)) == 0] = np.nan
    measured, declared = (np.full(len(columns["grams"]), np.nan) for _ in range(2))
    measured[rows] = columns["grams"][rows] / catalogue
    stated_by_seller = columns["declared_grams"][rows]
    declared[rows] = columns["grams"][rows] / np.where(stated_by_seller > 0, stated_by_seller, np.nan)
    return {"measured_weight_ratio": measured, "declared_weight_ratio": declared}


def _read_lines(
    con: duckdb.DuckDBPyConnection, rows: Rows, orders: int
) -> tuple[Rows, Codes, Floats, Floats]:
    """Lines of the weighed orders: position of the order in ``rows``, product, quantity, catalogue weight."""
    register(con, "tk_weighed", {"o": rows})
    lines = con.sql("""
        SELECT o, product_id, quantity, weight_g
        FROM tk_weighed JOIN orders USING (o) JOIN order_items USING (order_id)
        LEFT JOIN products USING (product_id)
    """).to_arrow_table()
    con.unregister("tk_weighed")
    position = np.empty(orders, np.int64)
    position[rows] = np.arange(len(rows))
    product = group_codes(lines["product_id"])
    return (
        position[lines["o"].to_numpy()],
        product,
        values_of(lines, "quantity"),
        values_of(lines, "weight_g"),
    )


def shortfalls(
    row: Rows, product: Codes, stated: Floats, grams: Floats, buyer: Codes
) -> tuple[Floats, Floats]:
    """By how much each parcel falls short of the weight that its products' other parcels let expect.

    Parameters
    ----------
    row, product, stated
        Lines: the parcel each belongs to, its product, its catalogue weight × quantity (grams, NaN unknown).
    grams, buyer
        Parcels: measured weight, and whose it is.

    Returns
    -------
    tuple of numpy.ndarray
        Per parcel the natural logarithm of expected over measured weight, above 0 for light parcels; NaN
        where a line's weight is not known. A product's ratio of measured to catalogue weight comes from
        parcels with nothing else in them, the parcel's own buyer left out, shrunk towards 1 when they are
        few. A catalogue weight is taken to be too high where the upper quartile of the ratios is below 1,
        too low only where their median is above. Then how many other parcels that rests on, −1 with several
        products in the parcel.
    """
    parcels = len(grams)
    total = _sums(row, stated, parcels)
    first = np.full(parcels, -1, np.int64)
    first[row[::-1]] = product[::-1]
    mixed = np.zeros(parcels, bool)
    mixed[row[product != first[row]]] = True
    single = np.flatnonzero((first >= 0) & ~mixed & ~np.isnan(total))
    log_ratio = np.log(grams[single] / total[single])
    correction, own, others = _corrections(
        first[single], log_ratio, buyer[single], int(product.max(initial=-1)) + 1
    )
    expected = _sums(row, stated * np.exp(correction[product]), parcels)
    expected[single] = total[single] * np.exp(own)
    expected[first < 0] = np.nan
    basis = np.full(parcels, -1.0)
    basis[single] = others
    return np.log(expected / grams), basis


def _corrections(
    product: Rows, log_ratio: Floats, buyer: Codes, products: int
) -> tuple[Floats, Floats, Rows]:
    """Log ratio to expect per product, and per given parcel without that parcel (0: the catalogue is right).

    Last, the number of the product's parcels to other buyers.
    """
    order = np.lexsort((log_ratio, product))
    ranked = log_ratio[order]
    start, size = _runs(product[order])
    position = np.arange(len(order)) - start
    whole = np.zeros(products)
    whole[product[order]] = _typical(ranked, start, size, np.full(len(order), len(order))) * _trust(size)
    others = size - _runs_back(group_codes(product, buyer))[order]
    own, rest = np.empty(len(order)), np.empty(len(order), np.int64)
    own[order] = np.where(others > 0, _typical(ranked, start, size - 1, position) * _trust(others), 0.0)
    rest[order] = others
    return whole, own, rest


def _sums(row: Rows, values: Floats, count: int) -> Floats:
    return np.asarray(np.bincount(row, values, minlength=count), np.float64)


def _trust(parcels: Rows) -> Floats:
    return np.asarray(parcels / (parcels + PRIOR_PARCELS))


def _typical(ranked: Floats, start: Rows, size: Rows, skipped: Rows) -> Floats:
    """The ratio to expect from ``size`` ranked values from ``start`` on, not counting the ``skipped`` one."""
    upper, middle = (_ranked(ranked, start, size, skipped, quarters) for quarters in (3, 2))
    return np.where(upper <= 0, upper, np.maximum(middle, 0))


def _ranked(ranked: Floats, start: Rows, size: Rows, skipped: Rows, quarters: int) -> Floats:
    rank = -(-quarters * (size - 1) // 4)
    rank = np.where(rank >= skipped, rank + 1, rank)
    return ranked[np.clip(start + rank, 0, max(len(ranked) - 1, 0))] if len(ranked) else ranked


def _runs(keys: npt.NDArray[np.integer]) -> tuple[Rows, Rows]:
    """First row and size of the run of equal ``keys`` that each row is in."""
    if not len(keys):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    first = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
    size = np.diff(np.r_[first, len(keys)])
    return np.repeat(first, size), np.repeat(size, size)


def _runs_back(group: Codes) -> Rows:
    """Size of each row's group."""
    return np.asarray(np.bincount(group)[group]) if len(group) else np.zeros(0, np.int64)
