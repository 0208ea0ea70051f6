"""What one parcel's scans say, from its own events only: pure columns in, columns out.

The batch calls ``trace_facts`` on the events of a whole market, the online path on those of one order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
import numpy.typing as npt

__all__ = ["RECYCLING_SECONDS", "STATUS_KIND", "Kind", "TraceFacts", "Traces", "leg_speeds", "trace_facts"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

RECYCLING_SECONDS = 110 * 86_400.0
"""Carriers give a number out again after 120 days at the earliest; scans older than this, ten days of slack
taken off, before the order belong to an earlier parcel."""

EARTH_RADIUS_KM = 6371.0
SLACK_HOURS = 0.5
"""Time added to every leg: scans are booked in batches."""
HUB_RADIUS_KM = 60.0
"""Legs shorter than this say nothing: coordinates may be those of a city."""


class Kind(IntEnum):
    """What an event means physically. ``PAPER`` never moved a parcel; ``DEAD``: the carrier disowns it."""

    PAPER = 0
    MOVED = 1
    PICKUP_POINT = 2
    DELIVERED = 3
    RETURNED = 4
    DEAD = 5


STATUS_KIND: dict[str, Kind] = {
    "PICKED_UP": Kind.MOVED,
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
    """Events of ``count`` shipments, sorted by (shipment, at).

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

    ``accepted_at`` is the first scan that moved the parcel, delivery not counted; ``scanned_at`` the first
    physical scan of all; ``scans`` the number of different times at which it was scanned physically;
    ``dead`` 1 where the carrier only ever disowned the number; ``returned`` 1 where the last physical scan
    is a return; ``pickup_point`` 1 where it waited at one; ``rhythm`` a fingerprint of the waiting times
    between at least four scans, equal for copied traces; ``recycled`` 1 where an earlier parcel's scans
    were left out.
    """

    scanned_at: Floats
    accepted_at: Floats
    delivered_at: Floats
    scans: Floats
    dead: Floats
    returned: Floats
    pickup_point: Floats
    grams: Floats
    max_speed_kmh: Floats
    rhythm: npt.NDArray[np.uint64]
    recycled: Floats
    events: Floats


def trace_facts(traces: Traces) -> TraceFacts:
    """Reduce every shipment's events to facts.

    Scans of an earlier parcel with the same (recycled) number are left out first.
    """
    old = traces.at < traces.ordered_at[traces.shipment] - RECYCLING_SECONDS
    own = _select(traces, ~old)
    kind, at, ship, n = own.kind, own.at, own.shipment, own.count
    physical = (kind != Kind.PAPER) & (kind != Kind.DEAD)
    moved = (kind == Kind.MOVED) | (kind == Kind.PICKUP_POINT)
    scanned = _first(ship, at, physical, n)
    return TraceFacts(
        scanned_at=scanned,
        accepted_at=_first(ship, at, moved, n),
        delivered_at=_first(ship, at, kind == Kind.DELIVERED, n),
        scans=_scans(ship, at, physical, n),
        dead=_known(own, _any(ship, kind == Kind.DEAD, n) & np.isnan(scanned)),
        returned=_known(own, _last_kind(own, physical) == Kind.RETURNED),
        pickup_point=_known(own, _any(ship, kind == Kind.PICKUP_POINT, n)),
        grams=_heaviest(own),
        max_speed_kmh=_max_speed(own, physical),
        rhythm=_rhythm(ship[physical], at[physical], kind[physical], n),
        recycled=_any(traces.shipment, old, n).astype(np.float64),
        events=np.bincount(ship, minlength=n).astype(np.float64),
    )


def _select(traces: Traces, keep: npt.NDArray[np.bool_]) -> Traces:
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


def _known(traces: Traces, answer: npt.NDArray[np.bool_]) -> Floats:
    """The answer as 0 / 1, NaN for shipments without any event."""
    return np.where(np.bincount(traces.shipment, minlength=traces.count) > 0, answer, np.nan)


def _first(ship: Ints, at: Floats, mask: npt.NDArray[np.bool_], count: int) -> Floats:
    """Time of the first event under the mask; events are sorted, so later ones are written first."""
    out = np.full(count, np.nan)
    rows = np.flatnonzero(mask)[::-1]
    out[ship[rows]] = at[rows]
    return out


def _any(ship: Ints, mask: npt.NDArray[np.bool_], count: int) -> npt.NDArray[np.bool_]:
    out = np.zeros(count, bool)
    out[ship[mask]] = True
    return out


def _last_kind(traces: Traces, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int8]:
    out = np.zeros(traces.count, np.int8)
    rows = np.flatnonzero(mask)
    out[traces.shipment[rows]] = traces.kind[rows]
    return out


def _scans(ship: Ints, at: Floats, physical: npt.NDArray[np.bool_], count: int) -> Floats:
    ship, at = ship[physical], at[physical]
    new = np.ones(len(ship), bool)
    new[1:] = (ship[1:] != ship[:-1]) | (at[1:] != at[:-1])
    return np.bincount(ship[new], minlength=count).astype(np.float64)


def _heaviest(traces: Traces) -> Floats:
    out = np.full(traces.count, -np.inf)
    rows = np.flatnonzero(traces.grams > 0)
    np.maximum.at(out, traces.shipment[rows], traces.grams[rows])
    return np.where(np.isfinite(out), out, np.nan)


def _rhythm(ship: Ints, at: Floats, kind: npt.NDArray[np.int8], count: int) -> npt.NDArray[np.uint64]:
    """Sum of mixed (position in time, kind) per shipment, 0 for fewer than four scans."""
    start = _first(ship, at, np.ones(len(ship), bool), count)
    mixed = np.round(at - start[ship]).astype(np.uint64) * np.uint64(6) + kind.astype(np.uint64)
    mixed = (mixed + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    out = np.zeros(count, np.uint64)
    np.add.at(out, ship, mixed)
    out[np.bincount(ship, minlength=count) < 4] = 0
    return out


def _max_speed(traces: Traces, physical: npt.NDArray[np.bool_]) -> Floats:
    rows = np.flatnonzero(physical & np.isfinite(traces.latitude) & np.isfinite(traces.longitude))
    out = np.full(traces.count, np.nan)
    if not len(rows):
        return out
    ship = traces.shipment[rows]
    speed = leg_speeds(ship, traces.at[rows], traces.latitude[rows], traces.longitude[rows])
    fastest = np.full(traces.count, -np.inf)
    legs = np.flatnonzero(np.isfinite(speed))
    np.maximum.at(fastest, ship[legs], speed[legs])
    return np.where(np.isfinite(fastest), fastest, np.nan)


def leg_speeds(ship: Ints, at: Floats, latitude: Floats, longitude: Floats) -> Floats:
    """Speed in km/h from each scan to the same shipment's next one, NaN where there is none.

    A leg gets half an hour of slack and the clock difference of the two longitudes, so a feed in local time
    cannot make one impossible. A single scan that is off an otherwise possible path (a hub code booked as a
    place, a backdated scan) is no leg's end: both its legs take the speed of the path without it.
    """
    speed = np.full(len(ship), np.nan)
    direct = _speed(at, latitude, longitude, 1)
    same = ship[1:] == ship[:-1]
    speed[:-1][same] = direct[same]
    if len(ship) < 3:
        return speed
    past = _speed(at, latitude, longitude, 2)
    detour = (ship[2:] == ship[:-2]) & (direct[:-1] > past) & (direct[1:] > past)
    middle = np.flatnonzero(detour & (np.minimum(direct[:-1], direct[1:]) > 2 * past))
    speed[middle] = np.minimum(speed[middle], past[middle])
    speed[middle + 1] = np.minimum(speed[middle + 1], past[middle])
    return speed


def _speed(at: Floats, latitude: Floats, longitude: Floats, step: int) -> Floats:
    """Speed from every scan to the one ``step`` later, shipments not regarded; 0 for short legs."""
    lat, lon = np.radians(latitude), np.radians(longitude)
    half = np.sin((lat[step:] - lat[:-step]) / 2) ** 2
    half += np.cos(lat[step:]) * np.cos(lat[:-step]) * np.sin((lon[step:] - lon[:-step]) / 2) ** 2
    distance = 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.clip(half, 0, 1)))
    turn = np.abs((longitude[step:] - longitude[:-step] + 180) % 360 - 180)
    hours = (at[step:] - at[:-step]) / 3600 + SLACK_HOURS + turn / 15
    return np.where(distance < HUB_RADIUS_KM, 0.0, distance / hours)
