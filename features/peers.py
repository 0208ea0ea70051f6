"""How surprising a fact of one order is among comparable orders of other sellers.

A fact is a level, 0 (nothing) upwards, more suspicious as it grows. Its surprise is ``-log10`` of the share
of comparable orders that reach the level: 2 means one in a hundred. What a courier's outage, a feed in local
time, a wrong pattern or a sleepy depot does to everybody is therefore no surprise for anybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.columns import Codes, Floats, Rows, group_codes

__all__ = ["Cohort", "cohort_of", "surprise"]

COHORT_PRIOR = 10
"""A cohort's own share weighs as much as its parent's once it holds this many other orders."""


@dataclass(frozen=True, slots=True)
class Cohort:
    """Comparable orders: the group of each order, and the part of it that is its own seller's."""

    group: Codes
    own: Codes


def cohort_of(seller: Codes, *keys: Codes) -> Cohort:
    """The cohort of the orders that agree in all keys (without keys: the whole market)."""
    group = group_codes(*keys) if keys else np.zeros_like(seller)
    return Cohort(group, group_codes(group, seller))


def surprise(level: npt.NDArray[np.int8], cohorts: Sequence[Cohort], parent: Cohort) -> Floats:
    """Surprise of every order's level, in powers of ten.

    Parameters
    ----------
    level
        Level of each order from 0, −1 where not known (such an order is compared with nobody).
    cohorts
        The groups to compare with, the order's own seller left out. An order must stand out in each of
        them: the least surprise counts.
    parent
        Wider groups that small cohorts lean on.

    Returns
    -------
    numpy.ndarray
        ``float64``, 0 upwards, NaN where the level is not known. Without any other order nothing is
        surprising.

    >>> market = cohort_of(np.arange(4))
    >>> surprise(np.array([1, 0, 0, 0], np.int8), [market], market).round(2)
    array([0.72, 0.  , 0.  , 0.  ])
    """
    known, high = np.flatnonzero(level >= 0), np.flatnonzero(level > 0)
    value = np.full(len(level), np.nan)
    value[known] = 0.0
    if len(high):
        reached, others = _tail(level, parent, known, high)
        prior = COHORT_PRIOR * (reached + 1) / (others + 1)
        shares = []
        for cohort in cohorts:
            reached, others = _tail(level, cohort, known, high)
            shares.append((reached + prior) / (others + COHORT_PRIOR))
        value[high] = 0.0 - np.log10(np.max(shares, axis=0))
    return value


def _tail(level: npt.NDArray[np.int8], cohort: Cohort, known: Rows, high: Rows) -> tuple[Floats, Floats]:
    """For the ``high`` orders: other sellers' orders of the cohort that reach the level, and all of them."""
    reached = _reaching(cohort.group[high], level[high]) - _reaching(
        group_codes(cohort.own[high]), level[high]
    )
    others = _size(cohort.group, known, high) - _size(cohort.own, known, high)
    return reached.astype(np.float64), others.astype(np.float64)


def _size(group: Codes, known: Rows, high: Rows) -> Rows:
    """How many known orders are in the group of each high one."""
    return np.asarray(np.bincount(group[known], minlength=int(group.max()) + 1)[group[high]])


def _reaching(group: Codes, level: npt.NDArray[np.int8]) -> Rows:
    """How many rows of the group reach each row's level."""
    levels = int(level.max()) + 1
    counts = np.bincount(group.astype(np.int64) * levels + level, minlength=(int(group.max()) + 1) * levels)
    tails = np.cumsum(counts.reshape(-1, levels)[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(tails[group, level])
