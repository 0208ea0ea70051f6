"""What an order's own columns say: its share of subsidy, and whether its steps come in order (clauses 2.1.f, 6.5)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from features.compiled import compiled

__all__ = ["MONEY", "STEPS", "row_features", "step_breach_hours", "steps_skipped", "subsidy_share"]

Floats = NDArray[np.float64]

STEPS = ("created", "paid", "shipped", "delivered", "completed", "refunded")
MONEY = ("total_minor", "platform_discount_minor")


@compiled
def subsidy_share(total_minor: float, platform_discount_minor: float) -> float:
    """Platform discount over what buyer and platform paid together; NaN where unknown or zero.

    >>> subsidy_share(300.0, 100.0), subsidy_share(0.0, 0.0)
    (0.25, nan)
    """
    both = total_minor + platform_discount_minor
    return platform_discount_minor / both if both > 0 else np.nan


@compiled
def step_breach_hours(
    created: float, paid: float, shipped: float, delivered: float, completed: float
) -> float:
    """Hours by which the worst pair of steps is in the wrong order; 0 when right, NaN with fewer than two.

    Times in seconds, NaN where the step has none. Payment may come at any time after the order (cash on
    delivery), completion may precede the delivery scan.
    """
    worst = np.nan
    for first, then in (
        (created, paid),
        (created, shipped),
        (shipped, delivered),
        (shipped, completed),
        (created, completed),
    ):
        late = max(first - then, 0.0) / 3600.0
        if not np.isnan(first - then) and not late <= worst:
            worst = late
    return worst


@compiled
def steps_skipped(paid: float, shipped: float, delivered: float, completed: float) -> float:
    """Number of missing steps before delivery or completion (0 to 2); NaN where the order got to neither."""
    if np.isnan(delivered) and np.isnan(completed):
        return np.nan
    without_dispatch = 1.0 if np.isnan(shipped) else 0.0
    return without_dispatch + (1.0 if np.isnan(paid) and not np.isnan(completed) else 0.0)


def row_features(facts: Mapping[str, Floats]) -> dict[str, Floats]:
    """The features that need only the order's own columns; the same for a million orders and for one.

    Parameters
    ----------
    facts
        ``STEPS`` as seconds since the epoch, and ``MONEY``; float64 arrays of one length, NaN where null.
    """
    columns = tuple(facts[name] for name in (*STEPS, *MONEY))
    found = np.empty((len(_FOUND), len(columns[0])))
    _judge(columns, found)
    return dict(zip(_FOUND, found, strict=True))


_FOUND = ("subsidy_share", "refund_hours_after_completion", "order_step_breach_hours", "order_steps_skipped")


@compiled
def _judge(columns: tuple[Floats, ...], found: Floats) -> None:
    """Fill in ``_FOUND`` of each order."""
    created, paid, shipped, delivered, completed, refunded, total, discount = columns
    for o in range(found.shape[1]):
        found[0, o] = subsidy_share(total[o], discount[o])
        found[1, o] = (refunded[o] - completed[o]) / 3600.0
        found[2, o] = step_breach_hours(created[o], paid[o], shipped[o], delivered[o], completed[o])
        found[3, o] = steps_skipped(paid[o], shipped[o], delivered[o], completed[o])
