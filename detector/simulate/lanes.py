"""Which way a parcel goes: from which city, across which border, with which carrier."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from detector.simulate.frame import DAY, HOUR, Array, mix
from detector.simulate.geo import read_rows
from detector.simulate.world import World

__all__ = ["SWITCH", "Carriers", "assign_lanes", "domestic_carrier", "load_carriers", "transit_hours"]

SWITCH = int(datetime(2023, 9, 18, 16, tzinfo=UTC).timestamp()) * 1_000_000
"""2023-09-19 00:00 UTC+8: cross-border pick-ups of the Pearl River delta change carrier (policy 6.6)."""


@dataclass(frozen=True, slots=True)
class Carriers:
    """The carrier table by position. ``places``: 0 the feed names no place, 1 the city, 2 all."""

    country: tuple[str, ...]
    name: tuple[str, ...]
    template: tuple[str, ...]
    share: Array
    places: Array
    weighs: Array
    sequential: Array
    cross_border: Array

    @property
    def wise(self) -> int:
        return self.name.index("Wise Express")


def load_carriers() -> Carriers:
    rows = read_rows("carriers.csv")
    return Carriers(
        country=tuple(row["country"] for row in rows),
        name=tuple(row["carrier"] for row in rows),
        template=tuple(row["format"] for row in rows),
        share=np.array([float(row["share"]) for row in rows]),
        places=np.array([("none", "city", "full").index(row["places"]) for row in rows]),
        weighs=np.array([float(row["weighs"]) for row in rows]),
        sequential=np.array([row["sequential"] == "1" for row in rows]),
        cross_border=np.array([row["cross_border"] == "1" for row in rows]),
    )


def assign_lanes(world: World, carriers: Carriers) -> None:
    """Give every order its origin, whether it crosses a border, and the carrier on its label."""
    orders, sellers, rng = world.orders, world.sellers, world.rng("lanes")
    seller = orders["seller"]
    own = orders["ship_city"] < 0
    orders["ship_city"][own] = sellers["ship_city"][seller[own]]
    orders["ship_post"][own] = sellers["ship_post"][seller[own]]
    _second_warehouses(world, rng, np.flatnonzero(own))
    origin = world.geo.city_country[orders["ship_city"]]
    cross = origin != world.addresses["country"][orders["address"]]
    orders["cross"][:] = cross
    key = mix(sellers["carrier_key"][seller] + (rng.random(len(orders)) < 0.25), 41)
    chosen = (key % np.uint64(10_000)).astype(float) / 10_000
    orders["carrier"][:] = _by_share(world, carriers, origin, cross, chosen)
    _carrier_switch(world, carriers, rng)


def _second_warehouses(world: World, rng: np.random.Generator, rows: Array) -> None:
    """One shop in eleven sends a third of its orders from a second city of its country."""
    seller = world.orders["seller"][rows].astype(np.int64)
    rows = rows[(mix(seller, 42) % np.uint64(11) == 0) & (rng.random(len(rows)) < 0.35)]
    seller = world.orders["seller"][rows].astype(np.int64)
    country = world.geo.city_country[world.orders["ship_city"][rows]]
    cities = np.bincount(world.geo.city_country)[country]
    place = mix(seller, 43)
    city = world.geo.first_city[country] + (place % cities.astype(np.uint64)).astype(np.int64)
    world.orders["ship_city"][rows] = city
    offset = (mix(seller, 44) % world.geo.post_count[city].astype(np.uint64)).astype(np.int64)
    world.orders["ship_post"][rows] = world.geo.post_first[city] + offset


def _by_share(world: World, carriers: Carriers, country: Array, cross: Array, chosen: Array) -> Array:
    """The carrier at a point 0–1 of each lane's market shares. Cross-border freight outside China: posts."""
    carrier = np.empty(len(country), dtype=np.int64)
    codes = np.array(carriers.country)
    for code in np.unique(country):
        for abroad in (False, True):
            rows = (country == code) & (cross == abroad)
            members = np.flatnonzero((codes == world.geo.countries[code]) & (carriers.cross_border == abroad))
            if len(members) == 0:
                members = np.flatnonzero(codes == world.geo.countries[code])
            edges = np.cumsum(carriers.share[members])
            at = np.searchsorted(edges, chosen[rows] * edges[-1], side="right")
            carrier[rows] = members[np.minimum(at, len(members) - 1)]
    return carrier


def _carrier_switch(world: World, carriers: Carriers, rng: np.random.Generator) -> None:
    """From the switch on, delta pick-ups go to the new first-mile carrier: Dongguan first, the rest later."""
    orders, geo = world.orders, world.geo
    begins = np.full(len(geo.cities), np.iinfo(np.int64).max)
    for days, city in enumerate(("Dongguan", "Shenzhen", "Guangzhou")):
        begins[geo.city(city)] = SWITCH + days * DAY
    since = orders["created"] - begins[orders["ship_city"]]
    moved = orders["cross"] & (since >= 0) & (rng.random(len(orders)) < 0.35 + 0.6 * (since > 6 * DAY))
    orders["carrier"][moved] = carriers.wise


def domestic_carrier(world: World, carriers: Carriers, country: Array, chosen: Array) -> Array:
    """A last-mile carrier of each country, at a point 0–1 of its market shares."""
    return _by_share(world, carriers, country, np.zeros(len(country), dtype=bool), chosen)


def transit_hours(
    rng: np.random.Generator, world: World, origin: Array, target: Array, cross: Array
) -> Array:
    """Hours from acceptance to delivery, by distance and border."""
    n, km = len(origin), world.geo.distance_km(origin, target)
    local = rng.lognormal(np.log(13), 0.5, n)
    inland = 16 + 26 * (np.maximum(km, 1) / 300) ** 0.45 * rng.lognormal(0, 0.35, n)
    abroad = 24 * np.maximum(3.2, rng.lognormal(np.log(7.5 + km / 4000), 0.28, n))
    hours = np.where(cross, abroad, np.where(origin == target, local, inland))
    late = np.where(rng.random(n) < 0.03, rng.uniform(24, 150, n), 0.0)
    return np.asarray(np.maximum(hours, 2.0) + late)


def extra_handling(world: World) -> Array:
    """Microseconds of extra time that orders around the carrier switch were granted."""
    orders = world.orders
    near = np.abs(orders["created"] - SWITCH + DAY // 2) < 1.5 * DAY
    delta = np.isin(orders["ship_city"], [world.geo.city(c) for c in ("Dongguan", "Shenzhen", "Guangzhou")])
    return np.asarray(np.where(near & delta & orders["cross"], 30 * HOUR, 0))
