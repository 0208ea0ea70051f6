"""Do the places of a parcel agree: delivery with ship-to, first scan with ship-from, that with the warehouse?

Columns in, columns out: values written alike are settled by Arrow, and every distinct pair of unlike ones is
shown to ``places`` once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.columns import Floats
from features.parcels import PLACE, Parcels
from features.places import place_gap, same_name, same_person, same_postcode, same_region

__all__ = ["compare", "place_gaps"]

_SEPARATOR = "\x1f"

_ANSWER: dict[str, Callable[[str, str, str], float]] = {
    "country": lambda _, a, b: 0.0,
    "region": lambda country, a, b: same_region(country or None, a, b),
    "city": lambda _, a, b: same_name(a, b),
    "postcode": lambda _, a, b: same_postcode(a, b),
    "person": lambda _, a, b: same_person(a, b),
}


def place_gaps(parcels: Parcels, warehouse: pa.Table) -> dict[str, Floats]:
    """The gaps (see ``places.place_gap``) and ``signed_by_other`` of every order, NaN where unknown.

    ``warehouse`` has the registered place of every order's seller, row by row.
    """
    orders, shipment = parcels.orders, parcels.shipment
    ship_to = [orders[f"ship_to_{level}"] for level in PLACE]
    ship_from = [shipment[f"ship_from_{level}"] for level in PLACE]
    person = compare("person", parcels.delivered["signed_by"], orders["recipient_name"], ship_to[0])
    return {
        "destination_gap": _gap(parcels.delivered, ship_to),
        "pickup_scan_gap": _gap(parcels.picked_up, ship_from),
        "warehouse_gap": _gap(warehouse, ship_from),
        "signed_by_other": 1 - person,
    }


def _gap(place: pa.Table, other: list[pa.ChunkedArray]) -> Floats:
    same = (compare(level, place[level], b, other[0]) for level, b in zip(PLACE, other, strict=True))
    return place_gap(*same)


def compare(what: str, a: pa.ChunkedArray, b: pa.ChunkedArray, country: pa.ChunkedArray) -> Floats:
    """Whether two text columns mean the same, row by row.

    Parameters
    ----------
    what
        ``country``, ``region``, ``city``, ``postcode`` or ``person``.
    a, b, country
        Texts of one length, null where not known; the country says how to read regions.

    Returns
    -------
    numpy.ndarray
        ``float64``: 1 written alike, else the answer of ``places``; NaN where a value is null or masked.
    """
    if len(a) in (a.null_count, b.null_count):
        return np.full(len(a), np.nan)
    alike = pc.equal(a, b)
    clear = pc.invert(pc.or_(pc.match_substring(a, "*"), pc.match_substring(b, "*")))
    unlike = np.flatnonzero(_true(pc.and_(clear, pc.invert(alike))))
    answer = np.where(_true(pc.and_(clear, alike)), 1.0, np.nan)
    if not len(unlike):
        return answer
    rows = pa.array(unlike)
    pair = pc.binary_join_element_wise(
        pc.fill_null(country.take(rows).cast(pa.string()), ""), a.take(rows), b.take(rows), _SEPARATOR
    )
    distinct = pair.combine_chunks().dictionary_encode()
    answers = np.array(
        [_ANSWER[what](*text.split(_SEPARATOR, 2)) for text in distinct.dictionary.to_pylist()]
    )
    answer[unlike] = answers[distinct.indices.to_numpy()]
    return answer


def _true(mask: pa.ChunkedArray) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.asarray(pc.fill_null(mask, False).to_numpy(), bool)
