"""What every attack is handed, and the accounts that brushers use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from detector.simulate.frame import DAY, Array, mix
from detector.simulate.people import countries_for
from detector.simulate.scenes import Cast, accounts
from detector.simulate.world import World

__all__ = ["Attack", "Stage", "link"]

ACCOUNT_KINDS = ("buyer", "seller", "creator", "partner")
IDENTIFIERS = ("device", "ip", "phone", "email", "payment", "address", "bank_account", "document")


@dataclass(slots=True)
class Stage:
    """One attack's turn: the world, its random stream, the cast, and the attack's name."""

    world: World
    rng: np.random.Generator
    cast: Cast
    attack: str

    def shop(self, fakes: int, country: int = -1) -> int:
        return self.cast.shop(self.rng, self.world, self.attack, fakes, country)

    def market(self, shop: int) -> int:
        return int(self.world.sellers["market0"][shop])

    def country(self) -> int:
        return int(countries_for(self.rng, self.world.geo, 1)[0])

    def strong(self) -> bool:
        """Half of the rings are careless, half are careful."""
        return bool(self.rng.random() < 0.5)

    def bought_accounts(self, n: int, country: int, aged: bool = True, **given: Any) -> Array:
        """Accounts from a dealer: real-looking, scattered homes; aged ones were opened years ago."""
        rng, end = self.rng, self.world.params.end
        days = rng.uniform(60, 1200, n) if aged else rng.uniform(0.2, 1.0, n) * self.world.params.days
        defaults: dict[str, Any] = {
            "registered": end - (days * DAY).astype(np.int64),
            "work": np.full(n, -1),
            "device1": np.full(n, -1),
        }
        return accounts(self.world, rng, n, country, **(defaults | given))

    def agent(self, shop: int) -> dict[str, int]:
        """The counter of a parcel agent in the shop's country: a few serve all who buy empty parcels."""
        world, country = self.world, int(self.world.sellers["country"][shop])
        cities = np.flatnonzero(world.geo.city_country == country)
        key = int(mix(np.array([country * 8 + int(self.rng.integers(0, 3))]), 99)[0])
        city = int(cities[key % len(cities)])
        offset = key // 1000 % int(world.geo.post_count[city])
        return {"ship_city": city, "ship_post": int(world.geo.post_first[city]) + offset}

    def workers(self, n: int, country: int) -> Array:
        """Real people with histories of their own who are paid to order."""
        able = np.flatnonzero(self.world.buyers["country"][: self.world.params.orders // 2] == country)
        return self.rng.permutation(able)[:n] if len(able) >= n else self.bought_accounts(n, country)


Attack = Callable[[Stage, int], None]
"""Stages that many fake orders."""


def link(world: World, kind: str, account: Any, identifier: str, value: Any) -> None:
    """Put an identifier on file for an account, beside the account's own."""
    n = int(np.size(account))
    world.links.add(
        n,
        kind=ACCOUNT_KINDS.index(kind),
        account=account,
        identifier=IDENTIFIERS.index(identifier),
        value=value,
    )
