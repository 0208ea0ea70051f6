"""Consignment points: where parcels enter the network, and who else's do.

Sellers of a third-party warehouse share a point too, so sharing it says nothing. What gives a parcel mill
away is that it is a side door: its sellers send only a part of their orders from it, and those parcels are
light for what they should hold.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.columns import Codes, Floats, Rows, group_codes
from features.parcels import Parcels

__all__ = ["LIGHT", "consignment_points", "point_facts"]

LIGHT = 1.0
"""``weight_shortfall`` from which a parcel counts as light: under 37 % of what it should weigh."""
PRIOR_PARCELS = 5
"""Other sellers' parcels that weigh as much as assuming an ordinary point."""


def consignment_points(parcels: Parcels) -> pa.ChunkedArray:
    """Country and postcode of the pick-up scan or, not stated, of the ship-from, for every order.

    Null without such a postcode: a city is no point.
    """
    scan, shipment = parcels.picked_up, parcels.shipment
    scanned = scan["postcode"].is_valid()
    country = pc.if_else(scanned, scan["country"], shipment["ship_from_country"])
    country = pc.coalesce(country, shipment["ship_from_country"], pa.scalar(""))
    postcode = pc.utf8_upper(
        pc.replace_substring(pc.coalesce(scan["postcode"], shipment["ship_from_postcode"]), " ", "")
    )
    clear = pc.and_(pc.greater(pc.utf8_length(postcode), 0), pc.invert(pc.match_substring(postcode, "*")))
    return pc.if_else(
        clear, pc.binary_join_element_wise(country, postcode, " "), pa.scalar(None, pa.string())
    )


def point_facts(point: Codes, seller: Codes, shortfall: Floats) -> dict[str, Floats]:
    """What is known of every parcel's consignment point.

    Parameters
    ----------
    point, seller
        Codes of the parcels' points and sellers.
    shortfall
        ``weight_shortfall`` of each parcel, NaN where not weighed.

    Returns
    -------
    dict of float64 arrays
        ``point_seller_share``: share of the seller's parcels that leave from this point. Over the other
        sellers' parcels there, shrunk to an ordinary point when they are few: ``point_side_share``, the
        mean share of their sellers' parcels that leave from elsewhere (NaN without other sellers), and
        ``point_light_share``, the share of weighed parcels that are light (NaN with none weighed).
    """
    pair = group_codes(point, seller)
    share = _count(pair) / _count(seller)
    others = _others(point, pair, np.ones(len(point)))
    side = _others(point, pair, np.round(1e6 * (1 - share))) / 1e6  # whole numbers: no order of summing
    weighed = _others(point, pair, ~np.isnan(shortfall))
    light = _others(point, pair, shortfall > LIGHT)
    return {
        "point_seller_share": share,
        "point_side_share": np.where(others > 0, side / (others + PRIOR_PARCELS), np.nan),
        "point_light_share": np.where(weighed > 0, light / (weighed + PRIOR_PARCELS), np.nan),
    }


def _count(group: Codes) -> Rows:
    return np.asarray(np.bincount(group)[group]) if len(group) else np.zeros(0, np.int64)


def _others(point: Codes, pair: Codes, value: np.ndarray[tuple[int], np.dtype[np.generic]]) -> Floats:
    """Sum of the value over the point's parcels of other sellers."""
    if not len(point):
        return np.zeros(0)
    return np.asarray(np.bincount(point, value)[point] - np.bincount(pair, value)[pair])
