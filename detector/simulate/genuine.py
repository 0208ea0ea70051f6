"""Ordinary shopping: habits, hours, loyalty, baskets, live streams and creators."""

from __future__ import annotations

import numpy as np

from detector.simulate.draft import LIVE, SEARCH, SHOP, SHOWCASE, VIDEO
from detector.simulate.frame import DAY, HOUR, MINUTE, Array, pick
from detector.simulate.people import ip_addresses, new_handles
from detector.simulate.world import World, draw_sellers

__all__ = ["add_genuine", "affiliate_of", "hands", "shopping_times"]

_HOURS = np.array(
    [18, 9, 5, 3, 3, 5, 10, 18, 28, 36, 42, 46, 52, 48, 42, 40, 42, 46, 54, 66, 80, 88, 74, 42], dtype=float
)
"""How busy each local hour is."""


def add_genuine(world: World, n: int) -> Array:
    """Append ``n`` ordinary orders; every account buys at least once, some very often."""
    rng = world.rng("genuine")
    buyers = world.buyers
    everyone = np.arange(min(len(buyers), n))
    again = pick(rng, buyers["weight"], n - len(everyone))
    buyer = np.concatenate([everyone, again])
    created = shopping_times(rng, world, buyers["country"][buyer])
    order = np.lexsort((created, buyer))
    buyer, created = buyer[order], created[order]
    seller, product = _choose_goods(rng, world, buyer)
    created, seller, product, live_creator = _live_streams(rng, world, buyer, created, seller, product)
    channel, creator = _channels(rng, world, buyer, seller, product, live_creator)
    rows = world.orders.add(
        n,
        seller=seller,
        buyer=buyer,
        created=created,
        product=product,
        quantity=_quantities(rng, n),
        more_lines=np.minimum(rng.geometric(0.72, n) - 1, 4),
        channel=channel,
        creator=creator,
        **hands(rng, world, buyer, created),
    )
    _recent_accounts(rng, world)
    return rows


def shopping_times(
    rng: np.random.Generator, world: World, country: Array, weight: Array | None = None
) -> Array:
    """Times of day people shop at, on days weighted by week-end, growth and voucher days."""
    params, n = world.params, len(country)
    day = np.arange(params.days)
    busy = 1.0 + 0.25 * ((day + 5) % 7 >= 5) + 0.3 * day / params.days
    voucher = (world.voucher_days + 8 * HOUR - params.start) // DAY
    busy[voucher[voucher < params.days]] *= 1.9
    chosen = pick(rng, busy if weight is None else weight, n)
    minute = (pick(rng, _HOURS, n) + rng.random(n)) * HOUR
    local = params.start + chosen * DAY + minute.astype(np.int64)
    created = local - world.geo.utc_offset[country] * HOUR
    first, last = params.start + rng.integers(0, HOUR, n), params.end - rng.integers(1, HOUR, n)
    return np.asarray(np.clip(created, first, last))


def _choose_goods(rng: np.random.Generator, world: World, buyer: Array) -> tuple[Array, Array]:
    """A seller and product for each order of buyers sorted by time; some return to the last shop."""
    n = len(buyer)
    seller = draw_sellers(rng, world, world.buyers["country"][buyer].astype(np.int64))
    returning = np.zeros(n, dtype=bool)
    returning[1:] = (buyer[1:] == buyer[:-1]) & (rng.random(n - 1) < 0.28)
    source = np.maximum.accumulate(np.where(returning, 0, np.arange(n)))
    seller = seller[source]
    product = world.draw_products(rng, seller)
    again = returning & (rng.random(n) < 0.35)
    return seller, product[np.maximum.accumulate(np.where(again, 0, np.arange(n)))]


def _quantities(rng: np.random.Generator, n: int) -> Array:
    return np.where(rng.random(n) < 0.86, 1, np.minimum(1 + rng.geometric(0.6, n), 12))


def _live_streams(
    rng: np.random.Generator, world: World, buyer: Array, created: Array, seller: Array, product: Array
) -> tuple[Array, Array, Array, Array]:
    """Move some orders into live streams of shops of their country; returns the streaming creator too."""
    n, params = len(buyer), world.params
    shows = max(6, n // 500)
    host = pick(rng, world.sellers["weight"], shows)
    market = world.sellers["market0"][host]
    start = shopping_times(rng, world, market)
    hero = world.draw_products(rng, host)
    creator = _creators_of(rng, world, market)
    crowd = rng.lognormal(0, 1.1, shows)
    show = np.full(n, -1, dtype=np.int64)
    country = world.buyers["country"][buyer]
    for code in np.unique(market):
        mine, rows = (
            np.flatnonzero(market == code),
            np.flatnonzero((country == code) & (rng.random(n) < 0.09)),
        )
        show[rows] = mine[pick(rng, crowd[mine], len(rows))]
    watching, at = show >= 0, np.maximum(show, 0)
    moment = start[at] + (rng.beta(1.5, 2.5, n) * 150 * MINUTE).astype(np.int64)
    inside = watching & (moment < params.end)
    product = np.where(
        inside, np.where(rng.random(n) < 0.7, hero[at], world.draw_products(rng, host[at])), product
    )
    return (
        np.where(inside, moment, created),
        np.where(inside, host[at], seller),
        product,
        np.where(inside, creator[at], -1),
    )


def _creators_of(rng: np.random.Generator, world: World, country: Array) -> Array:
    """A creator of each country, famous ones more often; -1 where the country has none."""
    chosen = np.full(len(country), -1, dtype=np.int64)
    for code in np.unique(country):
        members = np.flatnonzero(world.creators["country"] == code)
        rows = country == code
        if len(members):
            chosen[rows] = members[pick(rng, world.creators["weight"][members], int(rows.sum()))]
    return chosen


def _channels(
    rng: np.random.Generator, world: World, buyer: Array, seller: Array, product: Array, live: Array
) -> tuple[Array, Array]:
    """Where each order came from and the creator credited with it."""
    n = len(buyer)
    country = world.buyers["country"][buyer]
    channel = rng.choice([VIDEO, SHOWCASE, SEARCH, SHOP, LIVE], n, p=[0.23, 0.12, 0.36, 0.25, 0.04])
    channel = np.where(live >= 0, LIVE, channel)
    own = affiliate_of(rng, world, seller, country)
    led = np.isin(channel, (VIDEO, SHOWCASE)) & (rng.random(n) < 0.85)
    creator = np.where(led & (world.product_campaign[product] >= 0), own, -1)
    hosted = (live >= 0) & (rng.random(n) < 0.85)
    return channel, np.where(hosted, live, creator)


def affiliate_of(rng: np.random.Generator, world: World, seller: Array, country: Array) -> Array:
    """A creator for each seller: mostly one of the few it works with, else any of the country."""
    roster = rng.integers(0, 3, len(seller))
    anyone = _creators_of(rng, world, country)
    familiar = _creators_of(world.rng("roster"), world, np.repeat(world.sellers["market0"], 3))
    return np.where(rng.random(len(seller)) < 0.6, familiar[seller * 3 + roster], anyone)


def hands(rng: np.random.Generator, world: World, buyer: Array, created: Array) -> dict[str, Array]:
    """Device, network, card and address of each order, from what the buyer has."""
    buyers, n = world.buyers, len(buyer)
    chance, card = rng.random(n), rng.random(n)
    device = buyers["device0"][buyer]
    for name, share in (("device1", 0.3), ("device2", 0.15)):
        other = buyers[name][buyer]
        device = np.where((other >= 0) & (chance < share), other, device)
    device = np.where(rng.random(n) < 0.03, new_handles(rng, n), device)
    city = world.addresses["city"][buyers["home"][buyer]]
    locker = world.lockers[city, rng.integers(0, world.lockers.shape[1], n)]
    second, work = buyers["payment1"][buyer], buyers["work"][buyer]
    at_work = (work >= 0) & (rng.random(n) < 0.5)
    return {
        "device": np.where(rng.random(n) < 0.03, -1, device),
        "ip": ip_addresses(rng, buyers, buyer, created, world.cgn_pool),
        "payment": np.where((second >= 0) & (card < 0.3), second, buyers["payment0"][buyer]),
        "address": np.where(rng.random(n) < 0.02, locker, np.where(at_work, work, buyers["home"][buyer])),
        "recipient": np.where(rng.random(n) < 0.06, rng.integers(0, 10**6, n), -1),
        "typo": (rng.random(n) < 0.006) * rng.integers(1, 4, n),
    }


def _recent_accounts(rng: np.random.Generator, world: World) -> None:
    """Three accounts in ten were opened shortly before their first order, as on any growing market."""
    orders, buyers = world.orders, world.buyers
    first = np.full(len(buyers), np.iinfo(np.int64).max)
    np.minimum.at(first, orders["buyer"], orders["created"])
    seen = first < np.iinfo(np.int64).max
    fresh = seen & ((rng.random(len(buyers)) < 0.3) | (buyers["registered"] > first))
    lead = (rng.lognormal(1.5, 2.2, len(buyers)) * HOUR).astype(np.int64) + MINUTE
    buyers["registered"][fresh] = (first - np.minimum(lead, 40 * DAY))[fresh]
