"""Innocent orders whose parcels look odd: shared warehouses, lost scans, combined and replaced parcels."""

from __future__ import annotations

import numpy as np

from detector.simulate.draft import LIVE, TAKEN_INTO_GROUP, Fate, Parcel, Review
from detector.simulate.frame import DAY, HOUR, Array, mix
from detector.simulate.scenes import accounts, place
from detector.simulate.world import World

__all__ = ["ORDER_GROUPS", "OVERLAYS"]


def _honest_parents(world: World, rng: np.random.Generator, n: int, until_days: float) -> Array:
    """Ordinary orders, none in a group, early enough for something to follow."""
    orders = world.orders
    latest = world.params.end - int(min(until_days, world.params.days * 0.4) * DAY)
    able = np.flatnonzero((orders["group"] == -1) & ~orders["fake"] & (orders["created"] < latest))
    return np.sort(rng.permutation(able)[:n])


def combined_parcels(world: World, rng: np.random.Generator, quota: int) -> None:
    """A buyer orders again from the same shop within the hour; both travel in one parcel."""
    orders = world.orders
    parent = _honest_parents(world, rng, quota // 2, 3)
    number = int(orders["combined"].max()) + 1 + np.arange(len(parent))
    orders["combined"][parent] = number
    orders["fate"][parent] = Fate.DELIVER
    later = orders["created"][parent] + rng.integers(2, 50, len(parent)) * 60_000_000
    same = {
        name: orders[name][parent]
        for name in ("address", "device", "payment", "ip", "recipient", "ship_city")
    }
    place(
        world,
        rng,
        orders["buyer"][parent].astype(np.int64),
        orders["seller"][parent],
        later,
        combined=number,
        parent=parent,
        parcel=Parcel.COMBINED,
        fate=Fate.DELIVER,
        **same,
    )
    orders["group"][parent] = TAKEN_INTO_GROUP


def replacements(world: World, rng: np.random.Generator, quota: int) -> None:
    """The shop sends the thing again for nothing, after a complaint or in exchange."""
    orders = world.orders
    parent = _honest_parents(world, rng, quota, 20)
    n = len(parent)
    exchange = rng.random(n) < 0.3
    copied = ("address", "device", "payment", "ip", "recipient", "product", "quantity")
    place(
        world,
        rng,
        orders["buyer"][parent].astype(np.int64),
        orders["seller"][parent],
        orders["created"][parent] + (rng.uniform(8, 18, n) * DAY).astype(np.int64),
        more_lines=0,
        exchange=exchange,
        replacement=~exchange,
        parent=parent,
        parcel=np.where(rng.random(n) < 0.2, Parcel.OLD_NUMBER, Parcel.NORMAL),
        fate=Fate.DELIVER,
        review=Review.NONE,
        **{name: orders[name][parent] for name in copied},
    )


def samples(world: World, rng: np.random.Generator, quota: int) -> None:
    """Shops send free samples to creators, who order them with accounts of their own."""
    n = quota
    able = np.flatnonzero(world.sellers["affiliate"])
    shop = able[rng.integers(0, len(able), n)]
    market = world.sellers["market0"][shop]
    at = world.params.start + (rng.random(n) * world.params.days * DAY).astype(np.int64)
    for code in np.unique(market):
        rows = np.flatnonzero(market == code)
        stars = np.flatnonzero(world.creators["country"] == code)
        if len(stars) == 0:
            continue
        star = stars[rng.integers(0, len(stars), len(rows))]
        buyer = creator_accounts(world, rng, star)
        place(
            world,
            rng,
            buyer,
            shop[rows],
            at[rows],
            sample=True,
            quantity=1,
            more_lines=0,
            fate=Fate.DELIVER,
            review=Review.NONE,
            channel=rng.choice([2, 4], len(rows)),
        )


def creator_accounts(world: World, rng: np.random.Generator, star: Array) -> Array:
    """The buyer account of each creator, opened where there is none yet; it shares phone and device."""
    creators = world.creators
    new = np.unique(star[creators["buyer"][star] < 0])
    for country in np.unique(creators["country"][new]):
        mine = new[creators["country"][new] == country]
        held = {"device0": creators["device"][mine], "phone": creators["phone"][mine]}
        creators["buyer"][mine] = accounts(world, rng, len(mine), int(country), **held)
    return creators["buyer"][star].astype(np.int64)


ORDER_GROUPS = {"combined_parcels": combined_parcels, "replacements": replacements, "samples": samples}
"""Groups that bring orders of their own and lean on ordinary ones."""


def _free(world: World) -> Array:
    return np.asarray((world.orders["group"] == -1) & ~world.orders["fake"])


def threepl_warehouses(world: World, rng: np.random.Generator, quota: int) -> Array:
    """Orders of shops whose goods lie in a warehouse that dozens of shops share."""
    hub = world.sellers["hub"][world.orders["seller"]]
    return _sample(rng, np.flatnonzero(_free(world) & (hub >= 0)), quota * 3)


def drop_shippers(world: World, rng: np.random.Generator, quota: int) -> Array:
    """Orders that a supplier abroad sends for the shop."""
    drop = world.sellers["dropship"][world.orders["seller"]]
    return _sample(rng, np.flatnonzero(_free(world) & drop), quota * 3)


def carrier_outage(world: World, rng: np.random.Generator, quota: int) -> Array:
    """Orders sent in the days in which a carrier's scanners were down."""
    orders = world.orders
    found: list[Array] = []
    taken = 0
    for _ in range(40):
        if taken >= quota:
            break
        one = int(orders["carrier"][int(rng.integers(len(orders)))])
        day = world.params.start + int(rng.uniform(0.05, 0.9) * world.params.days) * DAY
        hit = (orders["carrier"] == one) & (np.abs(orders["created"] - day) < 30 * HOUR) & _free(world)
        rows = np.setdiff1d(
            np.flatnonzero(hit & (orders["parcel"] == Parcel.NORMAL)), np.concatenate([*found, []])
        )
        found.append(rows)
        taken += len(rows)
    rows = np.concatenate(found).astype(np.int64)[: quota * 3]
    orders["parcel"][rows] = Parcel.OUTAGE
    return rows


def recycled_numbers(world: World, rng: np.random.Generator, quota: int) -> Array:
    """Parcels whose number was in use four to twelve months ago."""
    orders = world.orders
    rows = _sample(rng, np.flatnonzero(_free(world) & (orders["parcel"] == Parcel.NORMAL)), quota)
    orders["parcel"][rows] = Parcel.RECYCLED
    return rows


def same_city(world: World, rng: np.random.Generator, quota: int) -> Array:
    """Shop and buyer in one city: two scans, a few hours apart."""
    orders = world.orders
    near = orders["ship_city"] == world.addresses["city"][orders["address"]]
    rows = _sample(rng, np.flatnonzero(_free(world) & near & (orders["parcel"] == Parcel.NORMAL)), quota * 2)
    courier = rows[mix(rows, 91) % np.uint64(4) != 0]
    orders["parcel"][courier] = Parcel.EXPRESS
    return rows


def typed_errors(world: World, rng: np.random.Generator, quota: int) -> Array:
    """Addresses with a wrong digit, a misspelt city or street; the parcel arrives all the same."""
    orders = world.orders
    clean = np.flatnonzero(_free(world) & (orders["typo"] == 0) & (orders["channel"] != LIVE))
    rows = _sample(rng, clean, quota // 2)
    orders["typo"][rows] = rng.integers(1, 4, len(rows))
    return np.flatnonzero(_free(world) & (orders["typo"] > 0))


def _sample(rng: np.random.Generator, rows: Array, n: int) -> Array:
    return np.sort(rng.permutation(rows)[:n])


OVERLAYS = {
    "recycled_numbers": recycled_numbers,
    "carrier_outage": carrier_outage,
    "same_city": same_city,
    "typed_errors": typed_errors,
    "drop_shippers": drop_shippers,
    "threepl_warehouses": threepl_warehouses,
}
"""Groups found among the ordinary orders once their lanes are known; each returns its rows."""
