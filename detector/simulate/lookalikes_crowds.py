"""Innocent buyers of many same things: in one moment together, or alone again and again."""

from __future__ import annotations

import numpy as np

from detector.simulate.draft import LIVE, SHOP, VIDEO, Review
from detector.simulate.frame import DAY, HOUR, Array
from detector.simulate.geo import new_addresses
from detector.simulate.lookalikes_homes import shops_for, some_country
from detector.simulate.people import fixed_ip, new_handles
from detector.simulate.scenes import accounts, burst, place, split, weekly
from detector.simulate.world import World

__all__ = ["CROWD_GROUPS"]


def corporate_gifts(world: World, rng: np.random.Generator, quota: int) -> None:
    """A company sends the same gift to each of its customers or staff within a day or two."""
    for size in split(rng, quota, 15, 60):
        country = some_country(world, rng)
        clerk = accounts(world, rng, 1, country)
        shop = int(shops_for(world, rng, country, 1)[0])
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
        country = some_country(world, rng)
        buyer = accounts(world, rng, 1, country)
        shops = shops_for(world, rng, country, 2)[(rng.random(size) < 0.25).astype(np.int64)]
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
        country = some_country(world, rng)
        buyer = accounts(world, rng, 1, country)
        shop = int(shops_for(world, rng, country, 1)[0])
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
        country = some_country(world, rng)
        fans = accounts(world, rng, size, country)
        shop = int(shops_for(world, rng, country, 1)[0])
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
        country = some_country(world, rng)
        viewers = accounts(world, rng, size, country)
        _register_late(world, rng, viewers, 0.4)
        shop = int(shops_for(world, rng, country, 1)[0])
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
        country = some_country(world, rng)
        fresh = size // 2
        known = np.flatnonzero(world.buyers["country"] == country)
        buyer = np.concatenate(
            [accounts(world, rng, fresh, country), known[rng.integers(0, len(known), size - fresh)]]
        )
        shop = int(shops_for(world, rng, country, 1)[0])
        first = burst(rng, world, country, 1, 1)[0]
        wave = (rng.gamma(3, 1.3, size) * DAY).astype(np.int64)
        channel = rng.choice([VIDEO, SHOP], size, p=[0.6, 0.4])
        stars = np.flatnonzero(world.creators["country"] == country)
        star = stars[int(rng.integers(len(stars)))] if len(stars) else -1
        place(
            world,
            rng,
            buyer,
            shop,
            np.minimum(first + wave, world.params.end - rng.integers(1, 20, size) * HOUR),
            product=world.hero(shop),
            more_lines=0,
            channel=channel,
            creator=np.where((channel == VIDEO) & (rng.random(size) < 0.7), star, -1),
        )


def voucher_days_group(world: World, rng: np.random.Generator, quota: int) -> None:
    """On a voucher day thousands open an account, take the welcome voucher and buy one cheap thing."""
    for size in split(rng, quota, 40, 150):
        country = some_country(world, rng)
        people = accounts(world, rng, size, country)
        day = int(world.voucher_days[int(rng.integers(len(world.voucher_days)))])
        hour = np.where(rng.random(size) < 0.4, rng.exponential(0.5, size), rng.uniform(0, 24, size)) % 24
        at = day + (hour * HOUR).astype(np.int64)
        opened = at - (rng.lognormal(0, 1.5, size) * HOUR).astype(np.int64) - 90_000_000
        new = rng.random(size) < 0.6
        world.buyers["registered"][people[new]] = opened[new]
        shops = shops_for(world, rng, country, size, 4)
        off = np.where(rng.random(size) < 0.8, rng.choice([1500, 2000, 3000, 4000], size), -1)
        place(world, rng, people, shops, at, voucher_bp=off, more_lines=0)


CROWD_GROUPS = {
    "corporate_gifts": corporate_gifts,
    "resellers": resellers,
    "subscriptions": subscriptions,
    "fan_communities": fan_communities,
    "live_bursts": live_bursts,
    "viral_products": viral_products,
    "voucher_days": voucher_days_group,
}
"""Group name → what stages about that many of its orders."""
