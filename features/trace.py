"""What one parcel's scans say, from its own events only: pure columns in, columns out.

The batch calls ``trace_facts`` on the events of a whole market, the online path on those of one order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from features.speed import max_speeds

__all__ = ["RECYCLING_SECONDS", "STATUS_KIND", "Kind", "TraceFacts", "Traces", "trace_facts"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

RECYCLING_SECONDS = 110 * 86_400.0
"""Carriers give a number out again after 120 days at the earliest; scans older than this, ten days of slack
taken off, before the order belong to an earlier parcel."""


class Kind(IntEnum):
    """What an event means physically. ``PAPER`` never moved a parcel; ``DEAD``: the carrier disowns it."""

    PAPER = 0
    PICKED_UP = 1
    MOVED = 2
    PICKUP_POINT = 3
    DELIVERED = 4
    RETURNED = 5
    DEAD = 6


STATUS_KIND: dict[str, Kind] = {
    "PICKED_UP": Kind.PICKED_UP,
    "IN_TRANSIT": Kind.MOVED,
    "CUSTOMS": Kind.MOVED,
    "OUT_FOR_DELIVERY": Kind.MOVED,
    "ATTEMPT_FAIL": Kind.MOVED,
    "AVAILABLE_FOR_PICKUP": Kind.PICKUP_POINT,
    "DELIVERED": Kind.DELIVERED,
    "RETURNING": Kind.RETURNED,
    "RETURNED": Kind.RETURNED,
    "EXPIRED": Kind.DEAD,
    "NOT_FOUND": Kind.DEAD,
    "INVALID": Kind.DEAD,
}
"""Status of the contract → kind; every other status is ``Kind.PAPER``."""


@dataclass(frozen=True, slots=True)
class Traces:
    """Events of ``count`` shipments, in any order.

    ``shipment`` is 0 … count − 1 (a shipment may have none), ``at`` seconds since 1970 UTC, ``kind`` a
    ``Kind``; ``latitude``, ``longitude`` degrees and ``grams`` (measured) are NaN where not stated.
    ``ordered_at`` has one value per shipment: when its order was placed.
    """

    count: int
    shipment: Ints
    at: Floats
    kind: npt.NDArray[np.int8]
    latitude: Floats
    longitude: Floats
    grams: Floats
    ordered_at: Floats


@dataclass(frozen=True, slots=True)
class TraceFacts:
    """One value per shipment, NaN where it has no such event; times are seconds since 1970 UTC.

    ``accepted_at`` is the first scan that moved the parcel, delivery not counted; ``picked_up_at`` the same
    where that was the pick-up (a lost scan makes a trace begin later); ``scanned_at`` the first physical
    scan of all; ``scans`` the number of physical scans; ``dead`` 1 where the carrier only ever disowned
    the number; ``pickup_point`` 1 where the parcel waited at one (both NaN without any event given); ``rhythm`` a
    fingerprint of the times between at least four scans, equal for copied traces, else 0.
    """

    scanned_at: Floats
    accepted_at: Floats
    picked_up_at: Floats
    delivered_at: Floats
    scans: Floats
    dead: Floats
    pickup_point: Floats
    grams: Floats
    max_speed_kmh: Floats
    rhythm: npt.NDArray[np.uint64]


def trace_facts(traces: Traces) -> TraceFacts:
    """Reduce every shipment's events to facts.

    Scans of an earlier parcel with the same (recycled) number are left out first.
    """
    own = _without_earlier_parcel(traces)
    kind, count = own.kind, own.count
    physical = (kind != Kind.PAPER) & (kind != Kind.DEAD)
    moved = (kind == Kind.PICKED_UP) | (kind == Kind.MOVED) | (kind == Kind.PICKUP_POINT)
    accepted, delivered = _first(own, moved), _first(own, kind == Kind.DELIVERED)
    picked_up = _first(own, kind == Kind.PICKED_UP)
    scanned = np.fmin(np.fmin(accepted, delivered), _first(own, kind == Kind.RETURNED))
    scans = np.bincount(own.shipment[physical], minlength=count)
    has_events = np.bincount(own.shipment, minlength=count) > 0
    return TraceFacts(
        scanned_at=scanned,
        accepted_at=accepted,
        picked_up_at=np.where(picked_up == accepted, accepted, np.nan),
        delivered_at=delivered,
        scans=scans.astype(np.float64),
        dead=np.where(has_events, _any(own, kind == Kind.DEAD) & (scans == 0), np.nan),
        pickup_point=np.where(has_events, _any(own, kind == Kind.PICKUP_POINT), np.nan),
        grams=_heaviest(own),
        max_speed_kmh=_speeds(own, physical),
        rhythm=_rhythm(own, physical, scanned, scans),
    )


def _without_earlier_parcel(traces: Traces) -> Traces:
    keep = traces.at >= traces.ordered_at[traces.shipment] - RECYCLING_SECONDS
    if keep.all():
        return traces
    return replace(
        traces,
        shipment=traces.shipment[keep],
        at=traces.at[keep],
        kind=traces.kind[keep],
        latitude=traces.latitude[keep],
        longitude=traces.longitude[keep],
        grams=traces.grams[keep],
    )


def _first(traces: Traces, mask: Bools) -> Floats:
    out = np.full(traces.count, np.inf)
    np.minimum.at(out, traces.shipment[mask], traces.at[mask])
    return np.where(np.isfinite(out), out, np.nan)


def _any(traces: Traces, mask: Bools) -> Bools:
    out = np.zeros(traces.count, bool)
    out[traces.shipment[mask]] = True
    return out


def _heaviest(traces: Traces) -> Floats:
    out = np.full(traces.count, -np.inf)
    rows = np.flatnonzero(traces.grams > 0)
    np.maximum.at(out, traces.shipment[rows], traces.grams[rows])
    return np.where(np.isfinite(out), out, np.nan)


def _rhythm(
    traces: Traces, physical: Bools, start: Floats, scans: npt.NDArray[np.int64]
) -> npt.NDArray[np.uint64]:
    """A hash of three sums over the seconds since the first scan: plain, squared, weighted by kind."""
    rows = np.flatnonzero(physical & (scans >= 4)[traces.shipment])
    ship = traces.shipment[rows]
    waited = np.round(traces.at[rows] - start[ship])  # whole seconds: sums are exact in any order
    sums = (
        np.bincount(ship, value, traces.count) for value in (waited, waited**2, waited * traces.kind[rows])
    )
    out = np.zeros(traces.count, np.uint64)
    for part in sums:
        out = (out ^ part.astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        out ^= out >> np.uint64(29)
    return out


def _speeds(traces: Traces, physical: Bools) -> Floats:
    rows = np.flatnonzero(physical & np.isfinite(traces.latitude) & np.isfinite(traces.longitude))
    rows = rows[np.lexsort((traces.kind[rows], traces.at[rows], traces.shipment[rows]))]
    return max_speeds(
        traces.count, traces.shipment[rows], traces.at[rows], traces.latitude[rows], traces.longitude[rows]
    )
