"""Innocent people who share homes, networks, devices, cards or an employer."""

from __future__ import annotations

import numpy as np

from detector.simulate.draft import NOT_IN_GROUP
from detector.simulate.frame import DAY, Array
from detector.simulate.geo import COMPANY, DORMITORY, FORWARDER, new_addresses
from detector.simulate.people import add_buyers, countries_for, fixed_ip, new_handles
from detector.simulate.scenes import accounts, place, split, spread
from detector.simulate.world import World, draw_sellers

__all__ = ["HOME_GROUPS", "shops_for", "some_country"]


def some_country(world: World, rng: np.random.Generator) -> int:
    return int(countries_for(rng, world.geo, 1)[0])


def shops_for(world: World, rng: np.random.Generator, country: int, n: int, favourites: int = 0) -> Array:
    """A shop for each order; some go to a few favourites that the group talks about."""
    any_shop = draw_sellers(rng, world, np.full(n, country))
    if favourites == 0:
        return any_shop
    few = draw_sellers(rng, world, np.full(favourites, country))
    return np.where(rng.random(n) < 0.4, few[rng.integers(0, favourites, n)], any_shop)


def shared_home(
    world: World, rng: np.random.Generator, country: int, n: int, kind: int, rooms: bool
) -> Array:
    """One building: the same street and number for all, rooms or floors of their own."""
    city = world.geo.draw_cities(rng, np.array([country]))
    first = new_addresses(world.addresses, world.geo, rng, city, kind)[0]
    columns = {name: world.addresses[name][first] for name in world.addresses.names}
    units = rng.integers(1, 25, n) * 100 + rng.integers(1, 30, n) if rooms else columns["unit"]
    return world.addresses.add(n, **(columns | {"unit": units}))


def families(world: World, rng: np.random.Generator, quota: int) -> None:
    """Two to five people, one roof, one router, often one card and a shared tablet."""
    for size in split(rng, quota, 5, 22):
        country, n = some_country(world, rng), int(rng.integers(2, 6))
        home = np.repeat(shared_home(world, rng, country, 1, 0, False), n)
        card, tablet = new_handles(rng, 1)[0], new_handles(rng, 1)[0]
        family = int(rng.integers(0, 1000))
        people = accounts(
            world,
            rng,
            n,
            country,
            home=home,
            nat=np.full(n, new_handles(rng, 1)[0]),
            payment0=np.where(rng.random(n) < 0.6, card, new_handles(rng, n)),
            device1=np.where(rng.random(n) < 0.6, tablet, -1),
            name=family * 1000 + rng.integers(0, 1000, n),
            mobile=np.full(n, 0.25),
        )
        buyer = people[rng.integers(0, n, size)]
        place(world, rng, buyer, shops_for(world, rng, country, size, 2), spread(rng, world, country, size))


def dormitories(world: World, rng: np.random.Generator, quota: int) -> None:
    """Students of one residence behind one address and one campus network, young accounts."""
    for size in split(rng, quota, 35, 110):
        country, n = some_country(world, rng), max(8, int(size / rng.uniform(1.3, 2.5)))
        nat = new_handles(rng, 1)
        people = accounts(
            world,
            rng,
            n,
            country,
            home=shared_home(world, rng, country, n, DORMITORY, True),
            work=np.full(n, -1),
            registered=world.params.end - (rng.exponential(160, n) * DAY).astype(np.int64) - 2 * DAY,
        )
        buyer = people[rng.integers(0, n, size)]
        rows = place(
            world, rng, buyer, shops_for(world, rng, country, size, 3), spread(rng, world, country, size)
        )
        _behind_one_ip(world, rng, rows, nat, 0.75)


def offices(world: World, rng: np.random.Generator, quota: int) -> None:
    """Colleagues who have parcels sent to work, from the office network."""
    for size in split(rng, quota, 20, 80):
        country, n = some_country(world, rng), max(5, int(size / rng.uniform(1.4, 3)))
        work = shared_home(world, rng, country, n, COMPANY, bool(rng.random() < 0.5))
        nat = new_handles(rng, 1)
        people = accounts(world, rng, n, country, work=work)
        buyer = people[rng.integers(0, n, size)]
        created = spread(rng, world, country, size)
        shops = shops_for(world, rng, country, size, 2)
        at_work = np.where(rng.random(size) < 0.8, work[buyer - people[0]], world.buyers["home"][buyer])
        rows = place(world, rng, buyer, shops, created, address=at_work)
        _behind_one_ip(world, rng, rows, nat, 0.7)


def _behind_one_ip(world: World, rng: np.random.Generator, rows: Array, nat: Array, share: float) -> None:
    inside = rows[rng.random(len(rows)) < share]
    world.orders["ip"][inside] = fixed_ip(nat)[0]


def forwarders(world: World, rng: np.random.Generator, quota: int) -> None:
    """Strangers from everywhere who ship to one forwarding warehouse, told apart by a suite number."""
    for size in split(rng, quota, 40, 150):
        country = some_country(world, rng)
        n = max(10, int(size / rng.uniform(1.1, 1.8)))
        suite = shared_home(world, rng, country, n, FORWARDER, True)
        foreign = np.where(rng.random(n) < 0.3, country, countries_for(rng, world.geo, n))
        people = add_buyers(
            world.buyers,
            world.addresses,
            world.geo,
            rng,
            foreign,
            world.params.end,
            home=suite,
            work=np.full(n, -1),
        )
        buyer = np.concatenate([people, people[rng.integers(0, n, max(0, size - n))]])[:size]
        shops = shops_for(world, rng, country, size)
        place(
            world, rng, buyer, shops, spread(rng, world, country, size), address=world.buyers["home"][buyer]
        )


def staff_purchase(world: World, rng: np.random.Generator, quota: int) -> None:
    """Somebody who works at a shop buys there once, for real: the shop's network or address shows."""
    everywhere = rng.permutation(len(world.sellers))[:quota]
    for code in np.unique(world.sellers["market0"][everywhere]):
        shops = everywhere[world.sellers["market0"][everywhere] == code]
        staff = accounts(world, rng, len(shops), int(code))
        rows = place(world, rng, staff, shops, spread(rng, world, int(code), len(shops)))
        _show_the_shop(world, rng, rows, shops)
        others = np.repeat(staff, rng.integers(0, 3, len(staff)))
        elsewhere = shops_for(world, rng, int(code), len(others))
        place(world, rng, others, elsewhere, spread(rng, world, int(code), len(others)), group=NOT_IN_GROUP)


def _show_the_shop(world: World, rng: np.random.Generator, rows: Array, shops: Array) -> None:
    """Order from the shop's network, its device, or to its door."""
    orders, sellers, how = world.orders, world.sellers, rng.random(len(rows))
    local = sellers["country"][shops] == sellers["market0"][shops]
    network, device, door = how < 0.55, (how >= 0.55) & (how < 0.75), (how >= 0.75) & local
    orders["ip"][rows[network]] = fixed_ip(sellers["nat"][shops[network]])
    orders["device"][rows[device]] = sellers["device"][shops[device]]
    orders["address"][rows[door]] = sellers["warehouse"][shops[door]]


HOME_GROUPS = {
    "families": families,
    "dormitories": dormitories,
    "offices": offices,
    "forwarders": forwarders,
    "staff_purchase": staff_purchase,
}
"""Group name → what stages about that many of its orders."""
