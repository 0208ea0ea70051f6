"""From plain facts of an order to levels of suspicion, and with whom each is compared.

A level is a small whole number, 0 for nothing unusual; how unusual it really is, ``peers`` finds out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["FACTS", "Fact", "steps"]

Floats = npt.NDArray[np.float64]
Columns = Mapping[str, Floats]


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact of an order and whom to compare it with, see ``peers.surprise``.

    ``level`` takes the plain columns of ``tracking`` (flags as 0 / 1) and answers the level, NaN where not
    known; ``cohorts`` and ``parent`` are key columns, several joined by a blank; no key is the market.
    """

    name: str
    level: Callable[[Columns], Floats]
    cohorts: tuple[str, ...]
    parent: str = ""


def steps(value: Floats, *limits: float) -> Floats:
    """How many of the rising limits the value exceeds; NaN for NaN.

    >>> steps(np.array([0.0, 2.5, np.nan]), 0, 1, 2)
    array([ 0.,  3., nan])
    """
    return np.where(np.isnan(value), np.nan, np.searchsorted(np.array(limits, float), value, side="left"))


def _of(known: npt.NDArray[np.bool_] | Floats, level: npt.NDArray[np.generic]) -> Floats:
    """The level where it applies, else NaN."""
    return np.where(np.asarray(known, bool), level, np.nan)


def _shipped(c: Columns) -> npt.NDArray[np.bool_]:
    """Orders that are said to be on their way under a number."""
    claimed = (c["claims_shipment"] == 1) & (c["cancelled"] == 0) & (c["exempt"] == 0)
    return np.asarray(claimed & (c["numbered"] == 1) & (c["has_events"] == 1))


def _unscanned(c: Columns) -> Floats:
    return _of(_shipped(c), np.isnan(c["scanned_at"]))


def _unconfirmed(c: Columns) -> Floats:
    return _of(_shipped(c) & (c["claims_delivery"] == 1), np.isnan(c["delivered_at"]))


def _no_shipment(c: Columns) -> Floats:
    plain = (c["cancelled"] == 0) & (c["exempt"] == 0) & (c["combined"] == 0)
    return _of(plain & (c["claims_delivery"] == 1) & (c["has_shipments"] == 1), np.isnan(c["parcels"]))


def _few_scans(c: Columns) -> Floats:
    near = (c["same_city"] == 1) | (c["pickup_point"] == 1)
    level = np.where(near, 0.0, np.maximum(4 - c["trace_scans"], 0))
    return _of((c["exempt"] == 0) & ~np.isnan(c["delivered_at"]), level)


def _fast_transit(c: Columns) -> Floats:
    abroad = steps(-c["transit_hours"], -72, -48, -36, -24, -12)
    inland = steps(-c["transit_hours"], -18, -12, -9, -6, -4, -3, -2, -1)
    level = np.where(c["same_city"] == 1, 0 * c["transit_hours"], np.where(c["abroad"] == 1, abroad, inland))
    return _of(c["exempt"] == 0, level)


def _destination(c: Columns) -> Floats:
    collected = (c["pickup_point"] == 1) & (c["destination_gap"] <= 2)
    return _of(c["exempt"] == 0, np.where(collected, 0.0, c["destination_gap"]))


def _signatory(c: Columns) -> Floats:
    return _of(c["exempt"] == 0, c["signed_by_other"] + steps(c["signatory_repeat"], 0, 1, 2, 3, 4))


FACTS: tuple[Fact, ...] = (
    Fact("number_invalid_surprise", lambda c: 2 * c["number_invalid"], ("carrier",)),
    Fact(
        "unscanned_surprise",
        _unscanned,
        ("carrier label_day", "carrier ship_day"),
        "carrier",
    ),
    Fact(
        "unconfirmed_surprise",
        _unconfirmed,
        ("carrier label_day", "carrier ship_day"),
        "carrier",
    ),
    Fact("no_shipment_surprise", _no_shipment, ("category", "to_country")),
    Fact(
        "early_scan_surprise",
        lambda c: _of(c["exempt"] == 0, steps(c["scan_before_order_hours"], 0, 1, 3, 9, 14.5, 24, 72)),
        ("carrier", "from_country"),
    ),
    Fact(
        "few_scans_surprise",
        _few_scans,
        ("carrier abroad", "carrier ship_day", "from_region to_region"),
        "abroad",
    ),
    Fact(
        "fast_transit_surprise",
        _fast_transit,
        ("carrier abroad", "carrier ship_day", "from_region to_region"),
        "abroad",
    ),
    Fact("destination_surprise", _destination, ("carrier", "to_region")),
    Fact(
        "pickup_scan_surprise",
        lambda c: _of((c["exempt"] == 0) & (c["first_mile"] == 0), c["pickup_scan_gap"]),
        ("carrier", "carrier from_region"),
    ),
    Fact(
        "light_parcel_surprise",
        lambda c: steps(c["weight_shortfall"], *(quarter / 4 for quarter in range(1, 17))),
        ("carrier", "from_country", "weight_basis"),
        "weight_basis",
    ),
    Fact(
        "late_acceptance_surprise",
        lambda c: _of(c["exempt"] == 0, steps(c["acceptance_days"], 3, 4, 5, 7, 10, 14, 21, 30)),
        ("carrier label_day", "carrier from_region"),
    ),
    Fact("signatory_surprise", _signatory, ("carrier", "to_country", "volume")),
    Fact("trace_twin_surprise", lambda c: steps(c["trace_twins"], 1, 2, 3, 5), ("carrier",)),
    Fact(
        "delivered_together_surprise",
        lambda c: steps(c["together_odds"], 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10),
        ("carrier", "volume"),
    ),
    Fact("number_block_surprise", lambda c: steps(c["number_block"], 0, 1, 2, 4, 8), ("carrier", "volume")),
)
"""Every fact that is compared with other sellers' orders, and with which of them."""
