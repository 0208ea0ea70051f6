"""A seller in figures: how far its orders are above comparable orders, measure by measure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.measures import Measure
from models.residuals import Columns, Floats, Groups, Ints, Residuals, chunks

__all__ = ["figure_measures", "seller_figures"]

PRIOR = 1.0
"""Usual orders that every seller is taken to have besides its own, so that one odd order is no odd shop."""

FLOOR = 0.5
"""Least spread of a figure among sellers, in standard errors."""

LEAST_VARIANCE = 1e-3

LEARNT_FROM = 200_000
"""Orders from which what is usual of a matched group is learnt; at most twice as many."""

_CHUNK = 131_072


def seller_figures(
    columns: Columns, groups: Groups, seller: Ints, measures: Sequence[Measure]
) -> dict[str, Floats]:
    """Compute every seller's figures.

    Each order's residual against its matched group (see ``Residuals``) is compared with the market's mean; a
    figure is the sum over the seller's orders in standard errors, so that neither volume nor a single order
    makes a seller strange.

    Parameters
    ----------
    columns, groups
        As in ``Residuals.fit``, shape (orders,).
    seller
        Code of each order's seller, 0 upwards.

    Returns
    -------
    dict of float64 arrays, shape (sellers,)
        By measure name; 0 is as usual, higher is stranger, NaN where no order of the seller tells.
    """
    residuals = Residuals.fit(*_sample(columns, groups, max(1, len(seller) // LEARNT_FROM)), measures)
    sellers = int(seller.max(initial=-1)) + 1
    told, total = np.zeros((len(measures), sellers)), np.zeros((len(measures), sellers))
    squares = np.zeros(len(measures))
    for start, stop in chunks(len(seller), _CHUNK):
        rows = slice(start, stop)
        part = {name: values[rows] for name, values in columns.items()}
        strange = np.abs(residuals.transform(part, {key: codes[rows] for key, codes in groups.items()}))
        for at, measure in enumerate(measures):
            if measure.name in part:
                known = ~np.isnan(part[measure.name])
                mine, values = seller[rows][known], strange[known, at]
                told[at] += np.bincount(mine, minlength=sellers)
                total[at] += np.bincount(mine, values, sellers)
                squares[at] += np.square(values).sum()
    return {measure.name: _excess(told[at], total[at], squares[at]) for at, measure in enumerate(measures)}


def _sample(columns: Columns, groups: Groups, step: int) -> tuple[Columns, Groups]:
    """Every so many orders: medians of hundreds of thousands are no better for being of a million."""
    sampled = {name: values[::step] for name, values in columns.items()}
    return sampled, {key: codes[::step] for key, codes in groups.items()}


def _excess(told: Floats, total: Floats, squares: float) -> Floats:
    orders = max(float(told.sum()), 1.0)
    mean = float(total.sum()) / orders
    variance = max(squares / orders - mean**2, LEAST_VARIANCE)
    return np.where(told > 0, (total - told * mean) / np.sqrt((told + PRIOR) * variance), np.nan)


def figure_measures(measures: Sequence[Measure]) -> tuple[Measure, ...]:
    """The figures as a forest's measures."""
    return tuple(Measure(measure.name, FLOOR) for measure in measures)
