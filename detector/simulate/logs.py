"""From facts to the contract's tables: parcels, scans, reviews, clicks, reports, labels."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detector.contract import TRACKING_STATUSES
from detector.simulate.clicks import Clicks
from detector.simulate.disguise import recipients
from detector.simulate.draft import Parcel
from detector.simulate.frame import Array, mix
from detector.simulate.identifiers import DEVICE_SALT, dotted
from detector.simulate.ids import Ids
from detector.simulate.lanes import Carriers
from detector.simulate.parcels import Shipments
from detector.simulate.people import full_names
from detector.simulate.reviews import ReviewRows
from detector.simulate.tables import table
from detector.simulate.text import choose, opaque, where
from detector.simulate.traces import Events
from detector.simulate.world import World

__all__ = ["click_table", "event_table", "review_table", "shipment_table"]

_SIGNED = ("Reception", "Neighbour", "Front door", "Locker", "Guard", "Mail room", "***")


def shipment_table(world: World, ids: Ids, carriers: Carriers, s: Shipments) -> pa.Table:
    index, geo = np.arange(len(s)), world.geo
    country = geo.city_country[s.origin_city]
    hidden = mix(index, 811) % np.uint64(33) == 0
    return table(
        "shipments",
        np.argsort(mix(index, ids.salt("shipment"))),
        shipment_id=ids.of("shipment", index),
        order_id=ids.of("order", s.order),
        carrier=choose(carriers.name, s.carrier),
        tracking_number=s.number,
        created_at=s.label,
        shipped_at=s.uploaded,
        handover=choose(("DROP_OFF", "PICK_UP"), s.pick_up.astype(np.int64)),
        ship_from_country=choose(geo.countries, np.where(hidden, -1, country)),
        ship_from_region=_regions(world, np.where(hidden, -1, s.origin_city)),
        ship_from_city=choose(geo.cities, np.where(hidden, -1, s.origin_city)),
        ship_from_postcode=choose(geo.postcodes, np.where(hidden, -1, s.origin_post)),
        declared_weight_g=s.declared_g,
        last_mile_tracking_number=s.last_number,
    )


def _regions(world: World, city: Array) -> pa.Array:
    blank = np.array([region is None for region in world.geo.regions])
    return choose(
        [region or "" for region in world.geo.regions], np.where((city < 0) | blank[city], -1, city)
    )


def event_table(world: World, ids: Ids, s: Shipments, e: Events) -> pa.Table:
    """The scans in the order in which they come; a scan sent twice is kept once."""
    geo = world.geo
    same = np.zeros(len(e.at), dtype=bool)
    same[1:] = np.logical_and.reduce([k[1:] == k[:-1] for k in (e.shipment, e.at, e.status)])
    e = e.rows(~same) if same.any() else e
    lat, lon = _positions(world, s, e)
    country = np.where(e.city >= 0, geo.city_country[e.city], -1)
    return table(
        "tracking_events",
        shipment_id=ids.of("shipment", e.shipment),
        event_at=e.at,
        status=choose(TRACKING_STATUSES, e.status),
        country=choose(geo.countries, country),
        region=_regions(world, e.city),
        city=choose(geo.cities, e.city),
        postcode=choose(geo.postcodes, e.post),
        latitude=lat,
        longitude=lon,
        weight_g=e.weight_g,
        signed_by=_signatures(world, s, e),
    )


def _positions(world: World, s: Shipments, e: Events) -> tuple[pa.Array, pa.Array]:
    """Coordinates of the exact scans: of the doorstep at delivery, of the depot before."""
    geo = world.geo
    at = np.flatnonzero(e.precise)
    post, city, source = e.post[at], e.city[at], s.source[e.shipment[at]]
    lat = np.where(post >= 0, geo.post_lat[post], geo.lat[city] + 0.03)
    lon = np.where(post >= 0, geo.post_lon[post], geo.lon[city] + 0.03)
    address = world.orders["address"][s.order[source]].astype(np.int64)
    strange = s.mode[source] == Parcel.OTHER_STREET
    door = mix(np.where(strange, source + 10**9, address), 812)
    away = np.where(e.final[at], 0.012, 0.0)
    lat += ((door % np.uint64(2001)).astype(float) / 1000 - 1) * away
    lon += ((door // np.uint64(2001) % np.uint64(2001)).astype(float) / 1000 - 1) * away
    return _scatter(lat, at, len(e.at)), _scatter(lon, at, len(e.at))


def _scatter(values: Array, at: Array, n: int) -> pa.Array:
    """``values`` at the given rows of an otherwise null column."""
    full = np.full(n, np.nan)
    full[at] = np.round(values, 5)
    return pa.array(full, pa.float64(), from_pandas=True)


def _signatures(world: World, s: Shipments, e: Events) -> pa.Array:
    """Who signed at the last step: mostly the recipient, else family, a desk, a neighbour or a stranger."""
    final = np.flatnonzero(e.final)
    rng = world.rng("signatures")
    final = final[rng.random(len(final)) < 0.45]
    source = s.source[e.shipment[final]]
    rows = s.order[source]
    stranger = np.isin(s.mode[source], (Parcel.OTHER_STREET, Parcel.ELSEWHERE)) & (
        rng.random(len(final)) < 0.85
    )
    buyer = world.orders["buyer"][rows]
    own = world.buyers["name"][buyer].astype(np.int64)
    chance = rng.random(len(final))
    relative = own // 1000 * 1000 + rng.integers(0, 1000, len(final))
    code = np.where(stranger, rng.integers(0, 10**6, len(final)), relative)
    other = full_names(world.geo, world.buyers["country"][buyer].astype(np.int64), code)
    desk = choose(_SIGNED, rng.integers(0, len(_SIGNED), len(final)))
    signed = pc.if_else(pa.array(stranger | (chance < 0.12)), other, recipients(world, rows))
    signed = pc.if_else(pa.array((chance > 0.74) & ~stranger), desk, signed)
    place = np.full(len(e.at), -1, dtype=np.int64)
    place[final] = np.arange(len(final))
    return signed.take(pa.array(np.maximum(place, 0), mask=place < 0))


def review_table(world: World, ids: Ids, reviews: ReviewRows) -> pa.Table:
    index, orders = np.arange(len(reviews.order)), world.orders
    return table(
        "reviews",
        np.argsort(mix(reviews.order, ids.salt("review"))),
        review_id=ids.of("review", reviews.order),
        order_id=ids.of("order", reviews.order),
        product_id=ids.of("product", orders["product"][reviews.order]),
        buyer_id=ids.of("buyer", orders["buyer"][reviews.order]),
        seller_id=ids.of("seller", orders["seller"][reviews.order]),
        created_at=reviews.at,
        rating=reviews.rating,
        text=where(index >= 0, reviews.text),
    )


def click_table(ids: Ids, clicks: Clicks) -> pa.Table:
    return table(
        "affiliate_clicks",
        np.lexsort((mix(np.arange(len(clicks.at)), 813), clicks.at)),
        creator_id=ids.of("creator", clicks.creator),
        product_id=ids.of("product", clicks.product),
        clicked_at=clicks.at,
        buyer_id=ids.of("buyer", clicks.buyer),
        device_id=opaque(clicks.device, DEVICE_SALT),
        ip_address=dotted(clicks.ip),
    )
