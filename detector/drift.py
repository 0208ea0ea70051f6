"""Do scores still spread as they did in the published scan? The population stability index over fixed bands."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from math import log

import numpy as np
from numpy.typing import NDArray

__all__ = ["BANDS", "score_band", "score_shares", "stability_index"]

_EDGES = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.8)
"""About equal steps of odds: most orders score far below a per cent."""

BANDS = len(_EDGES) + 1

_LEAST_SHARE = 1e-4
"""What an empty band is taken for, so that one order in it is no infinite surprise."""


def score_band(score: float) -> int:
    """The band of a score, 0 to ``BANDS - 1``."""
    return bisect_right(_EDGES, score)


def score_shares(scores: NDArray[np.float64]) -> list[float]:
    """The share of scores in each band, without scores none in any.

    >>> score_shares(np.array([0.0, 0.0, 0.02, 1.0]))
    [0.5, 0.0, 0.0, 0.0, 0.0, 0.25, 0.0, 0.0, 0.0, 0.25]
    """
    counts = np.bincount(np.searchsorted(_EDGES, scores, side="right"), minlength=BANDS)
    shares: list[float] = (counts / max(len(scores), 1)).tolist()
    return shares


def stability_index(expected: Sequence[float], found: Sequence[float]) -> float:
    """How far two distributions over the same bands are apart: 0 is alike, over 0.25 usually taken for a change.

    >>> round(stability_index([0.5, 0.5], [0.6, 0.4]), 3)
    0.041
    """
    pairs = [(max(e, _LEAST_SHARE), max(f, _LEAST_SHARE)) for e, f in zip(expected, found, strict=True)]
    return sum((f - e) * log(f / e) for e, f in pairs)
