"""What the times of one order and its parcel say: pure columns in, columns out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["ParcelTimes", "parcel_times", "timing_facts"]

Floats = npt.NDArray[np.float64]

HOUR, DAY = 3600.0, 86_400.0


@dataclass(frozen=True, slots=True)
class ParcelTimes:
    """Times of orders and their main parcels: seconds since 1970 UTC, NaN where there is none.

    ``shipped_at`` is the seller's statement, ``accepted_at``, ``picked_up_at``, ``scanned_at`` and
    ``delivered_at`` the carrier's (see ``trace.TraceFacts``); ``extra_seconds`` were added to the order's
    shipping deadline.
    """

    ordered_at: Floats
    label_at: Floats
    shipped_at: Floats
    accepted_at: Floats
    picked_up_at: Floats
    scanned_at: Floats
    delivered_at: Floats
    extra_seconds: Floats


def parcel_times(columns: Mapping[str, Floats]) -> ParcelTimes:
    """The times among the columns of ``Parcels``; without the parcel's own, the order says when it was shipped."""
    shipped_at = columns["shipped_at"]
    stated = {
        **columns,
        "shipped_at": np.where(np.isnan(shipped_at), columns["order_shipped_at"], shipped_at),
        "extra_seconds": np.nan_to_num(columns["extra_seconds"]),
    }
    return ParcelTimes(*(stated[name] for name in ParcelTimes.__slots__))


def timing_facts(times: ParcelTimes, as_of: float | Floats) -> dict[str, Floats]:
    """The timing features, one value per order.

    Parameters
    ----------
    times
        Arrays of one length.
    as_of
        Seconds since 1970 UTC at which the scan looks, or at which each order is looked at.

    Returns
    -------
    dict of float64 arrays
        ``scan_before_order_hours``: first physical scan before the order, 0 after it. NaN never scanned.
        ``delivered_before_shipped_hours``: delivery before the first other scan (or, without one, before
        the seller says to have shipped), else 0. NaN not delivered or nothing to compare with.
        ``transit_hours``: pick-up to delivery. NaN where one is missing or the order is reversed.
        ``label_only_days``: age of a label that was never scanned, 0 once scanned. NaN no label.
        ``acceptance_days``: order to first scan, announced exceptions taken off. NaN never accepted.
    """
    handed_over = np.where(np.isnan(times.accepted_at), times.shipped_at, times.accepted_at)
    transit = (times.delivered_at - times.picked_up_at) / HOUR
    age = np.maximum(as_of - times.label_at, 0) / DAY
    accepted = (times.accepted_at - times.ordered_at - times.extra_seconds) / DAY
    return {
        "scan_before_order_hours": np.maximum(times.ordered_at - times.scanned_at, 0) / HOUR,
        "delivered_before_shipped_hours": np.maximum(handed_over - times.delivered_at, 0) / HOUR,
        "transit_hours": np.where(transit >= 0, transit, np.nan),
        "label_only_days": np.where(np.isnan(times.scanned_at), age, np.where(np.isnan(age), np.nan, 0.0)),
        "acceptance_days": np.maximum(accepted, 0),
    }
