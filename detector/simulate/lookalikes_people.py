"""Innocent groups of people who share homes, networks, devices, cards or moments."""

from __future__ import annotations

import numpy as np

from detector.simulate.draft import LIVE, NOT_IN_GROUP, SHOP, VIDEO, Review
from detector.simulate.frame import DAY, HOUR, Array
from detector.simulate.geo import COMPANY, DORMITORY, FORWARDER, new_addresses
from detector.simulate.people import add_buyers, countries_for, fixed_ip, new_handles
from detector.simulate.scenes import accounts, burst, place, split, spread, weekly
from detector.simulate.world import World, draw_sellers

__all__ = ["PEOPLE_GROUPS"]


def _country(world: World, rng: np.random.Generator) -> int:
    return int(countries_for(rng, world.geo, 1)[0])


def _shops(world: World, rng: np.random.Generator, country: int, n: int, favourites: int = 0) -> Array:
    """A shop for each order; some go to a few favourites that the group talks about."""
    any_shop = draw_sellers(rng, world, np.full(n, country))
    if favourites == 0:
        return any_shop
    few = draw_sellers(rng, world, np.full(favourites, country))
    return np.where(rng.random(n) < 0.4, few[rng.integers(0, favourites, n)], any_shop)


def _shared_home(
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
        country, n = _country(world, rng), int(rng.integers(2, 6))
        home = np.repeat(_shared_home(world, rng, country, 1, 0, False), n)
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
        place(world, rng, buyer, _shops(world, rng, country, size, 2), spread(rng, world, country, size))


def dormitories(world: World, rng: np.random.Generator, quota: int) -> None:
    """Students of one residence behind one address and one campus network, young accounts."""
    for size in split(rng, quota, 35, 110):
        country, n = _country(world, rng), max(8, int(size / rng.uniform(1.3, 2.5)))
        nat = new_handles(rng, 1)
        people = accounts(
            world,
            rng,
            n,
            country,
            home=_shared_home(world, rng, country, n, DORMITORY, True),
            work=np.full(n, -1),
            registered=world.params.end - (rng.exponential(160, n) * DAY).astype(np.int64) - 2 * DAY,
        )
        buyer = people[rng.integers(0, n, size)]
        rows = place(
            world, rng, buyer, _shops(world, rng, country, size, 3), spread(rng, world, country, size)
        )
        _behind_one_ip(world, rng, rows, nat, 0.75)


def offices(world: World, rng: np.random.Generator, quota: int) -> None:
    """Colleagues who have parcels sent to work, from the office network."""
    for size in split(rng, quota, 20, 80):
        country, n = _country(world, rng), max(5, int(size / rng.uniform(1.4, 3)))
        work = _shared_home(world, rng, country, n, COMPANY, bool(rng.random() < 0.5))
        nat = new_handles(rng, 1)
        people = accounts(world, rng, n, country, work=work)
        buyer = people[rng.integers(0, n, size)]
        created = spread(rng, world, country, size)
        shops = _shops(world, rng, country, size, 2)
        at_work = np.where(rng.random(size) < 0.8, work[buyer - people[0]], world.buyers["home"][buyer])
        rows = place(world, rng, buyer, shops, created, address=at_work)
        _behind_one_ip(world, rng, rows, nat, 0.7)


def _behind_one_ip(world: World, rng: np.random.Generator, rows: Array, nat: Array, share: float) -> None:
    inside = rows[rng.random(len(rows)) < share]
    world.orders["ip"][inside] = fixed_ip(nat)[0]


def forwarders(world: World, rng: np.random.Generator, quota: int) -> None:
    """Strangers from everywhere who ship to one forwarding warehouse, told apart by a suite number."""
    for size in split(rng, quota, 40, 150):
        country = _country(world, rng)
        n = max(10, int(size / rng.uniform(1.1, 1.8)))
        suite = _shared_home(world, rng, country, n, FORWARDER, True)
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
        shops = _shops(world, rng, country, size)
        place(
            world, rng, buyer, shops, spread(rng, world, country, size), address=world.buyers["home"][buyer]
        )


def corporate_gifts(world: World, rng: np.random.Generator, quota: int) -> None:
    """A company sends the same gift to each of its customers or staff within a day or two."""
    for size in split(rng, quota, 15, 60):
        country = _country(world, rng)
        clerk = accounts(world, rng, 1, country)
        shop = int(_shops(world, rng, country, 1)[0])
        homes = new_addresses(
            world.addresses, world.geo, rng, world.geo.draw_cities(rng, np.full(size, country))
        )
        place(
            world,
            rng,
            np.repeat(clerk, size),
            shop,
            burst(rng, world, country, size, 30),
            product=world.hero(shop, int(rng.integers(0, 4))),
            quantity=1,
            more_lines=0,
            address=homes,
            recipient=rng.integers(0, 10**6, size),
            ip=fixed_ip(new_handles(rng, 1))[0],
            review=Review.NONE,
        )


def resellers(world: World, rng: np.random.Generator, quota: int) -> None:
    """A small shopkeeper restocks the same things from one or two shops, several pieces at a time."""
    for size in split(rng, quota, 6, 18):
        country = _country(world, rng)
        buyer = accounts(world, rng, 1, country)
        shops = _shops(world, rng, country, 2)[(rng.random(size) < 0.25).astype(np.int64)]
        stock = np.array([world.hero(int(s), int(rng.integers(0, 3))) for s in shops])
        place(
            world,
            rng,
            np.repeat(buyer, size),
            shops,
            weekly(rng, world, country, size, world.params.days / size),
            product=stock,
            quantity=rng.integers(4, 30, size),
            more_lines=(rng.random(size) < 0.3).astype(np.int64),
        )


def subscriptions(world: World, rng: np.random.Generator, quota: int) -> None:
    """Somebody buys the same nappies, coffee or cat food again every week, fortnight or month."""
    for size in split(rng, quota, 3, 12):
        country = _country(world, rng)
        buyer = accounts(world, rng, 1, country)
        shop = int(_shops(world, rng, country, 1)[0])
        every = max(float(rng.choice([7, 10, 14, 30])), world.params.days / max(size, 1) * 0.5)
        place(
            world,
            rng,
            np.repeat(buyer, size),
            shop,
            weekly(rng, world, country, size, every),
            product=world.hero(shop, int(rng.integers(0, 4))),
            more_lines=0,
        )


def fan_communities(world: World, rng: np.random.Generator, quota: int) -> None:
    """Fans buy the same thing in the same minutes and praise it in the same words."""
    for size in split(rng, quota, 50, 160):
        country = _country(world, rng)
        fans = accounts(world, rng, size, country)
        shop = int(_shops(world, rng, country, 1)[0])
        drop = burst(rng, world, country, size, float(rng.uniform(0.3, 4)))
        copies = np.where(rng.random(size) < 0.7, 1, rng.integers(2, 5, size))
        place(
            world,
            rng,
            fans,
            shop,
            drop,
            product=world.hero(shop),
            quantity=copies,
            review=np.where(rng.random(size) < 0.7, Review.FAN, Review.NATURAL),
            channel=rng.choice([SHOP, LIVE], size),
        )


def live_bursts(world: World, rng: np.random.Generator, quota: int) -> None:
    """A stream sells one thing to hundreds in an hour, many of them new to the platform."""
    for size in split(rng, quota, 50, 250):
        country = _country(world, rng)
        viewers = accounts(world, rng, size, country)
        _register_late(world, rng, viewers, 0.4)
        shop = int(_shops(world, rng, country, 1)[0])
        local = np.flatnonzero(world.creators["country"] == country)
        host = int(local[int(rng.integers(len(local)))]) if len(local) and rng.random() < 0.8 else -1
        product = np.where(
            rng.random(size) < 0.75, world.hero(shop), world.draw_products(rng, np.full(size, shop))
        )
        at = burst(rng, world, country, size, float(rng.uniform(0.7, 3)))
        world.buyers["registered"][viewers] = np.minimum(
            world.buyers["registered"][viewers], at - 120_000_000
        )
        place(
            world,
            rng,
            viewers,
            shop,
            at,
            product=product,
            channel=LIVE,
            creator=host,
            voucher_bp=_some(rng, size),
        )


def _some(rng: np.random.Generator, n: int) -> Array:
    """A stream's or new buyer's voucher for some, the ordinary chance for the rest."""
    return np.where(rng.random(n) < 0.35, rng.choice([500, 1000, 1500, 2000], n), -1)


def _register_late(world: World, rng: np.random.Generator, people: Array, share: float) -> None:
    """Let a share of accounts be opened during the period, days or minutes before they buy."""
    late = people[rng.random(len(people)) < share]
    span = world.params.end - world.params.start
    world.buyers["registered"][late] = world.params.start + (rng.random(len(late)) * span).astype(np.int64)


def viral_products(world: World, rng: np.random.Generator, quota: int) -> None:
    """A video makes one thing wanted by everybody for a week."""
    for size in split(rng, quota, 80, 400):
        country = _country(world, rng)
        fresh = size // 2
        known = np.flatnonzero(world.buyers["country"] == country)
        buyer = np.concatenate(
            [accounts(world, rng, fresh, country), known[rng.integers(0, len(known), size - fresh)]]
        )
        shop = int(_shops(world, rng, country, 1)[0])
        first = burst(rng, world, country, 1, 1)[0]
        wave = (rng.gamma(3, 1.3, size) * DAY).astype(np.int64)
        place(
            world,
            rng,
            buyer,
            shop,
            np.minimum(first + wave, world.params.end - rng.integers(1, 20, size) * HOUR),
            product=world.hero(shop),
            more_lines=0,
            channel=rng.choice([VIDEO, SHOP], size, p=[0.6, 0.4]),
        )


def voucher_days_group(world: World, rng: np.random.Generator, quota: int) -> None:
    """On a voucher day thousands open an account, take the welcome voucher and buy one cheap thing."""
    for size in split(rng, quota, 40, 150):
        country = _country(world, rng)
        people = accounts(world, rng, size, country)
        day = int(world.voucher_days[int(rng.integers(len(world.voucher_days)))])
        hour = np.where(rng.random(size) < 0.4, rng.exponential(0.5, size), rng.uniform(0, 24, size)) % 24
        at = day + (hour * HOUR).astype(np.int64)
        opened = at - (rng.lognormal(0, 1.5, size) * HOUR).astype(np.int64) - 90_000_000
        new = rng.random(size) < 0.6
        world.buyers["registered"][people[new]] = opened[new]
        shops = _shops(world, rng, country, size, 4)
        off = np.where(rng.random(size) < 0.8, rng.choice([1500, 2000, 3000, 4000], size), -1)
        place(world, rng, people, shops, at, voucher_bp=off, more_lines=0)


def staff_purchase(world: World, rng: np.random.Generator, quota: int) -> None:
    """Somebody who works at a shop buys there once, for real: the shop's network or address shows."""
    everywhere = rng.permutation(len(world.sellers))[:quota]
    for code in np.unique(world.sellers["market0"][everywhere]):
        shops = everywhere[world.sellers["market0"][everywhere] == code]
        staff = accounts(world, rng, len(shops), int(code))
        rows = place(world, rng, staff, shops, spread(rng, world, int(code), len(shops)))
        _show_the_shop(world, rng, rows, shops)
        others = np.repeat(staff, rng.integers(0, 3, len(staff)))
        elsewhere = _shops(world, rng, int(code), len(others))
        place(world, rng, others, elsewhere, spread(rng, world, int(code), len(others)), group=NOT_IN_GROUP)


def _show_the_shop(world: World, rng: np.random.Generator, rows: Array, shops: Array) -> None:
    """Order from the shop's network, its device, or to its door."""
    orders, sellers, how = world.orders, world.sellers, rng.random(len(rows))
    local = sellers["country"][shops] == sellers["market0"][shops]
    network, device, door = how < 0.55, (how >= 0.55) & (how < 0.75), (how >= 0.75) & local
    orders["ip"][rows[network]] = fixed_ip(sellers["nat"][shops[network]])
    orders["device"][rows[device]] = sellers["device"][shops[device]]
    orders["address"][rows[door]] = sellers["warehouse"][shops[door]]


PEOPLE_GROUPS = {
    "families": families,
    "dormitories": dormitories,
    "offices": offices,
    "forwarders": forwarders,
    "corporate_gifts": corporate_gifts,
    "resellers": resellers,
    "subscriptions": subscriptions,
    "fan_communities": fan_communities,
    "live_bursts": live_bursts,
    "viral_products": viral_products,
    "voucher_days": voucher_days_group,
    "staff_purchase": staff_purchase,
}
"""Group name → what stages about ``quota`` of its orders."""
