"""What look-alike groups and attacks are staged with: accounts, moments, orders, guilty shops."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from detector.simulate.draft import SEARCH, SHOP, Fate, Parcel, Review
from detector.simulate.frame import DAY, HOUR, Array
from detector.simulate.genuine import hands, shopping_times
from detector.simulate.people import add_buyers
from detector.simulate.world import World

__all__ = ["Cast", "accounts", "burst", "fake_orders", "place", "split", "spread", "weekly"]


@dataclass(slots=True)
class Cast:
    """Who plays which part: genuine orders per shop, and what each guilty shop is guilty of."""

    counts: Array
    fakes: Array
    guilty: dict[int, set[str]] = field(default_factory=dict)
    victims: dict[int, set[str]] = field(default_factory=dict)

    def shop(self, rng: np.random.Generator, world: World, attack: str, fakes: int, country: int = -1) -> int:
        """A shop whose genuine orders make ``fakes`` between 5 % and 80 % of its sales; it becomes guilty."""
        if self.guilty and rng.random() < 0.12:
            known = sorted(self.guilty)
            chosen = known[int(rng.integers(len(known)))]
            bearable = 4 * self.counts[chosen] > self.fakes[chosen] + fakes
            if bearable and country in (-1, world.sellers["market0"][chosen]):
                return self._name(chosen, attack, fakes)
        share = 0.05 + 0.75 * rng.beta(1.4, 1.7)
        wanted = np.log1p(fakes * (1 - share) / share)
        gap = np.abs(np.log1p(self.counts) - wanted) + rng.uniform(0, 0.25, len(self.counts))
        gap[sorted(self.guilty.keys() | self.victims.keys())] = np.inf
        if country >= 0:
            gap[world.sellers["market0"] != country] += 50
        return self._name(int(np.argmin(gap)), attack, fakes)

    def _name(self, shop: int, attack: str, fakes: int) -> int:
        self.guilty.setdefault(shop, set()).add(attack)
        self.fakes[shop] += fakes
        return shop

    def victim(self, rng: np.random.Generator, attack: str) -> int:
        """An innocent shop with an honest trade of its own."""
        able = np.flatnonzero((self.counts >= 100) & (self.counts <= 600))
        able = able[~np.isin(able, sorted(self.guilty.keys() | self.victims.keys()))]
        chosen = int(able[int(rng.integers(len(able)))]) if len(able) else int(np.argmax(self.counts))
        self.victims.setdefault(chosen, set()).add(attack)
        return chosen


def split(rng: np.random.Generator, quota: int, low: int, high: int) -> list[int]:
    """Cut a quota of orders into ring sizes, small ones more often; they sum to the quota."""
    sizes: list[int] = []
    left = quota
    while left > 0:
        size = int(np.exp(rng.uniform(np.log(low), np.log(high + 1))))
        size = left if left - size < low else size
        sizes.append(size)
        left -= size
    return sizes


def accounts(world: World, rng: np.random.Generator, n: int, country: int, **given: Any) -> Array:
    """New buyer accounts of one country; ``given`` columns replace what ordinary people would have."""
    codes = np.full(n, country)
    return add_buyers(world.buyers, world.addresses, world.geo, rng, codes, world.params.end, **given)


def spread(rng: np.random.Generator, world: World, country: int, n: int) -> Array:
    """Moments over the whole period at the hours people shop."""
    return shopping_times(rng, world, np.full(n, country))


def burst(rng: np.random.Generator, world: World, country: int, n: int, hours: float) -> Array:
    """Moments within some hours of one shopping moment."""
    start = int(shopping_times(rng, world, np.array([country]))[0])
    latest = max(world.params.start, world.params.end - int(hours * HOUR) - DAY)
    return min(start, latest) + (rng.random(n) * hours * HOUR).astype(np.int64)


def weekly(rng: np.random.Generator, world: World, country: int, n: int, every_days: float) -> Array:
    """One moment per interval with some slack, wrapped around inside the period."""
    length = world.params.days
    day = (rng.random() * length + np.arange(n) * every_days + rng.normal(0, 0.06, n) * every_days) % length
    hour = rng.normal(20, 1.6, n) - world.geo.utc_offset[country]
    moment = world.params.start + (np.floor(day) * DAY + hour * HOUR).astype(np.int64)
    return np.asarray(np.clip(moment, world.params.start, world.params.end - HOUR))


def place(
    world: World, rng: np.random.Generator, buyer: Array, seller: Any, created: Array, **given: Any
) -> Array:
    """Append orders; columns not given are what these buyers would do of themselves."""
    n = len(buyer)
    shop = np.broadcast_to(np.asarray(seller), (n,)).astype(np.int64)
    created = np.clip(created, world.params.start, world.params.end - 1_000_000)
    values: dict[str, Any] = {
        "product": world.draw_products(rng, shop),
        "quantity": np.where(rng.random(n) < 0.88, 1, 2),
        "more_lines": np.minimum(rng.geometric(0.75, n) - 1, 4),
        "channel": rng.choice([SEARCH, SHOP], n),
    }
    values |= hands(rng, world, buyer, created)
    return world.orders.add(n, seller=shop, buyer=buyer, created=created, **(values | given))


def fake_orders(
    world: World,
    rng: np.random.Generator,
    buyer: Array,
    seller: Any,
    created: Array,
    strong: bool,
    **given: Any,
) -> Array:
    """Append brushing orders: one cheap thing of the shop, a light parcel, a prompt good review."""
    n = len(buyer)
    shop = np.broadcast_to(np.asarray(seller), (n,)).astype(np.int64)
    defaults: dict[str, Any] = {
        "product": cheap_products(world, rng, shop, 3),
        "quantity": np.where(rng.random(n) < 0.92, 1, rng.integers(2, 4, n)),
        "more_lines": (rng.random(n) < 0.06).astype(np.int64),
        "channel": rng.choice([SEARCH, SHOP, 1, 2, 0], n, p=[0.5, 0.26, 0.12, 0.06, 0.06]),
        "parcel": _brush_parcels(rng, n, strong),
        "fate": np.where(rng.random(n) < (0.96 if strong else 0.8), Fate.DELIVER, Fate.NATURAL),
        "review": _brush_reviews(rng, n, strong),
        "script": int(rng.integers(0, 10_000)),
        "fake": True,
        "ring": world.new_ring(),
    }
    return place(world, rng, buyer, shop, created, **(defaults | given))


def cheap_products(world: World, rng: np.random.Generator, shop: Array, draws: int) -> Array:
    """The cheapest of a few draws from each shop: a fake sale ties up money."""
    found = world.draw_products(rng, shop)
    for _ in range(draws - 1):
        other = world.draw_products(rng, shop)
        price = world.products["price_usd"]
        found = np.where(price[other] < price[found], other, found)
    return found


def _brush_parcels(rng: np.random.Generator, n: int, strong: bool) -> Array:
    modes = (
        Parcel.NORMAL,
        Parcel.FEATHER,
        Parcel.TWO_NODE,
        Parcel.ELSEWHERE,
        Parcel.LABEL_ONLY,
        Parcel.REUSED,
    )
    weights = (0.25, 0.5, 0.08, 0.08, 0.06, 0.03) if strong else (0.68, 0.28, 0.01, 0.02, 0.01, 0.0)
    return rng.choice(np.array(modes), n, p=weights)


def _brush_reviews(rng: np.random.Generator, n: int, strong: bool) -> Array:
    modes = (Review.RING, Review.SHORT, Review.NATURAL, Review.NONE, Review.EARLY)
    weights = (0.42, 0.15, 0.15, 0.2, 0.08) if strong else (0.08, 0.2, 0.37, 0.35, 0.0)
    return rng.choice(np.array(modes), n, p=weights)
