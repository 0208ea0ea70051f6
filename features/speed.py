"""How fast a parcel must have travelled between its scans, doubts about clocks and places granted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["leg_speeds", "max_speeds"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

EARTH_RADIUS_KM = 6371.0
SLACK_HOURS = 0.5
"""Time added to every leg: scans are booked in batches."""
HUB_RADIUS_KM = 60.0
"""Shorter legs say nothing: coordinates may be those of a city."""


def max_speeds(count: int, ship: Ints, at: Floats, latitude: Floats, longitude: Floats) -> Floats:
    """Highest leg speed (km/h) of each of ``count`` shipments, NaN with fewer than two scans.

    ``ship`` is 0 … count − 1; the scans are sorted by (ship, at). See ``leg_speeds``.
    """
    speed = leg_speeds(ship, at, latitude, longitude)
    fastest = np.full(count, -np.inf)
    legs = np.flatnonzero(np.isfinite(speed))
    np.maximum.at(fastest, ship[legs], speed[legs])
    return np.where(np.isfinite(fastest), fastest, np.nan)


def leg_speeds(ship: Ints, at: Floats, latitude: Floats, longitude: Floats) -> Floats:
    """Speed in km/h from each scan to the same shipment's next one, NaN where there is none.

    A leg gets half an hour of slack and the clock difference of the two longitudes, so a feed in local time
    cannot make one impossible. A single scan far off an otherwise possible path (a hub code booked as a
    place, a backdated scan) is nobody's leg: both its legs take the speed of the path without it.

    >>> ship, at = np.array([0, 0]), np.array([0.0, 7200.0])  # Paris to New York in two hours
    >>> leg_speeds(ship, at, np.array([48.9, 40.7]), np.array([2.4, -74.0])).round()
    array([769.,  nan])
    """
    speed = np.full(len(ship), np.nan)
    direct = _speed(at, latitude, longitude, 1)
    same = ship[1:] == ship[:-1]
    speed[:-1][same] = direct[same]
    if len(ship) < 3:
        return speed
    past = _speed(at, latitude, longitude, 2)
    slower = np.minimum(direct[:-1], direct[1:])
    middle = np.flatnonzero((ship[2:] == ship[:-2]) & (slower > 2 * past))
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
    hours = np.maximum(at[step:] - at[:-step], 0) / 3600 + SLACK_HOURS + turn / 15
    return np.where(distance < HUB_RADIUS_KM, 0.0, distance / hours)
