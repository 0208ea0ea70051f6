"""From the forest's score to a percentile of the training window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RAREST = 1e-4
"""Chance below which strange is not told from stranger."""

_DECIMALS = 6
"""Knots are at least this far apart, so the curve's slope is bounded and a difference of 1e-15 between the
batch's and the online path's scores stays below 1e-9 in the percentile even where training scores tie."""


@dataclass(frozen=True, slots=True, eq=False)
class Percentiles:
    """An empirical distribution function kept as some hundreds of knots.

    Attributes
    ----------
    scores
        Strictly increasing float64.
    shares
        Share of the training rows below each score (ties count half), strictly increasing, inside (0, 1).
    """

    scores: Floats
    shares: Floats

    @classmethod
    def fit(cls, scores: Floats) -> Percentiles:
        """Keep the distribution of ``scores``, float64 of shape (n,), n ≥ 1; the upper tail to 1/n.

        >>> curve = Percentiles.fit(np.array([0.1, 0.2, 0.3, 0.4]))
        >>> curve.transform(np.array([0.0, 0.1, 0.25, 0.4, 1.0])).tolist()
        [0.125, 0.125, 0.5, 0.875, 0.875]
        """
        ordered = np.sort(np.round(scores, _DECIMALS))
        count = len(ordered)
        body = np.linspace(0.0, 0.99, 200)
        tail = 1.0 - np.geomspace(0.01, min(0.01, 1.0 / count), 100)
        places = np.concatenate([body, tail, [1.0]]) * (count - 1)
        knots = np.unique(ordered[np.round(places).astype(np.int64)])
        below = np.searchsorted(ordered, knots, side="left")
        upto = np.searchsorted(ordered, knots, side="right")
        return cls(knots, (below + upto) / (2.0 * count))

    def transform(self, scores: Floats) -> Floats:
        """Percentiles (0–1, monotone in the score, never 0 or 1), interpolated, flat beyond the ends."""
        return np.interp(scores, self.scores, self.shares)


def surprise(percentile: Floats) -> Floats:
    """Nats of being so strange, 0 to 9.2, 1 on average of what is normal; not known counts as 0.

    >>> surprise(np.array([0.5, 1 - np.exp(-2.0), 1.0])).round(3).tolist()
    [0.693, 2.0, 9.21]
    """
    return -np.log(np.maximum(1.0 - np.fmax(percentile, 0.0), RAREST))
