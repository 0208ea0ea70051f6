"""The first-mile carrier switch of policy 6.6: which waybills with its prefix fit place, hand-over and date.

The switch spreads from city to city and both kinds of waybills are valid in the transition, so only a new
waybill that appears where or when there was none is a contradiction; an old one never is.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.carriers import carrier_code, carrier_file
from features.places import same_name

__all__ = ["extra_ship_seconds", "first_mile_fit"]

Floats = npt.NDArray[np.float64]

_POSTAL = r"^[A-Z]{2}[0-9]{9}[A-Z]{2}$"


def _switch() -> dict[str, Any]:
    section: dict[str, Any] = carrier_file()["first_mile_switch"]
    return section


def _in_area(cities: pa.Array) -> Floats:
    """1 where the city is one of the switch's, 0 where another, NaN where not stated."""
    coded = cities.dictionary_encode()
    names = coded.dictionary.to_pylist()
    answers = [
        max((same_name(name, city) for city in _switch()["cities"]), key=_known_last) for name in names
    ]
    return np.asarray(np.array([*answers, np.nan])[_indices(coded)])


def _indices(coded: pa.DictionaryArray) -> npt.NDArray[np.int64]:
    """Indices into the dictionary, −1 for null."""
    return np.asarray(coded.indices.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)


def _known_last(answer: float) -> float:
    return -1.0 if np.isnan(answer) else answer


def first_mile_fit(
    numbers: pa.Array, carriers: pa.Array, handovers: pa.Array, cities: pa.Array, label_at: Floats
) -> Floats:
    """Whether waybills with the switch's prefix fit the switch.

    Parameters
    ----------
    numbers, carriers, handovers, cities
        String arrays of one length: normalised number, declared carrier, PICK_UP / DROP_OFF, ship-from city.
    label_at
        Seconds since 1970 UTC at which the label was made, NaN where not known.

    Returns
    -------
    numpy.ndarray
        1 where the number has the prefix and origin, hand-over and date allow it, 0 where one of them
        contradicts it, NaN for every other number, and where the origin is not known.
    """
    switch = _switch()
    prefixed = pc.starts_with(numbers, switch["prefix"]).fill_null(False).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(prefixed & _judged(carriers))
    postal = pc.match_substring_regex(numbers.take(pa.array(rows)), _POSTAL).to_numpy(zero_copy_only=False)
    rows = rows[~postal]
    picked_up = pc.equal(handovers.take(pa.array(rows)), switch["handover"])
    dropped = ~picked_up.fill_null(True).to_numpy(zero_copy_only=False)
    inside = _in_area(cities.take(pa.array(rows)))
    early = label_at[rows] < _seconds(switch["starts_at"])
    fit = np.full(len(numbers), np.nan)
    fit[rows] = np.where(dropped | early, 0.0, inside)
    return fit


def _judged(carriers: pa.Array) -> npt.NDArray[np.bool_]:
    """Carriers that the registry knows: another one may well use the prefix for itself."""
    coded = carriers.dictionary_encode()
    known = [carrier_code(name) is not None for name in coded.dictionary.to_pylist()]
    return np.asarray(np.array([*known, False])[_indices(coded)])


def extra_ship_seconds(ordered_at: Floats, cities: pa.Array) -> Floats:
    """Seconds that an order from the switch's cities got on top of its shipping deadline, else 0."""
    switch = _switch()
    during = (ordered_at >= _seconds(switch["extra_days_from"])) & (
        ordered_at < _seconds(switch["extra_days_until"])
    )
    if not during.any():
        return np.zeros(len(ordered_at))
    return np.where(during & (_in_area(cities) == 1), switch["extra_ship_days"] * 86_400.0, 0.0)


def _seconds(instant: datetime) -> float:
    return instant.timestamp()
