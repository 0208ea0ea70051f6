"""2.1.a: the order was placed by the seller, by people related to the seller, or by a seller gang."""

from __future__ import annotations

from typing import Any

import numpy as np

from detector.simulate.attacks.stage import Attack, Stage, link
from detector.simulate.frame import Array
from detector.simulate.geo import new_addresses
from detector.simulate.people import fixed_ip, new_handles, new_phones
from detector.simulate.scenes import fake_orders, place, split, spread, weekly
from detector.simulate.world import draw_sellers

__all__ = ["SELF_DEALING"]


def owner_accounts(stage: Stage, quota: int) -> None:
    """An owner buys from the own shop with a handful of accounts."""
    world, rng = stage.world, stage.rng
    for size in split(rng, quota, 5, 30):
        strong, shop = stage.strong(), stage.shop(size)
        country, n = stage.market(shop), int(rng.integers(2, 7))
        people = stage.bought_accounts(n, country, aged=not strong, **_owner_traits(stage, shop, n, strong))
        buyer = people[rng.integers(0, n, size)]
        rows = fake_orders(world, rng, buyer, shop, spread(rng, world, country, size), strong)
        if strong:
            near = rng.random(size) < 0.7
            world.orders["ip"][rows[near]] = fixed_ip(world.sellers["nat"][[shop]])[0]
        _cover(stage, people, country, 1 if strong else 4)


def _owner_traits(stage: Stage, shop: int, n: int, strong: bool) -> dict[str, Any]:
    """What betrays an owner: careless ones share much with the shop, careful ones one thing."""
    world, rng, sellers = stage.world, stage.rng, stage.world.sellers
    card = np.full(n, new_handles(rng, 1)[0])
    phone = np.where(
        np.arange(n) == 0, sellers["phone"][shop], new_phones(rng, np.full(n, stage.market(shop)))
    )
    if strong:
        traits = {"payment0": card, "device0": np.full(n, sellers["device"][shop]), "phone": phone}
        if world.geo.city_country[world.addresses["city"][sellers["owner_home"][shop]]] == stage.market(shop):
            traits["home"] = np.full(n, sellers["owner_home"][shop])
        return traits
    return [
        {"payment0": card},
        {"phone": phone, "payment0": card},
        {"device1": np.full(n, sellers["device"][shop])},
    ][int(rng.integers(3))]


def _cover(stage: Stage, people: Array, country: int, n: int) -> None:
    """Purchases that these people make elsewhere for themselves."""
    world, rng = stage.world, stage.rng
    buyer = people[rng.integers(0, len(people), n)]
    shops = draw_sellers(rng, world, np.full(n, country))
    place(world, rng, buyer, shops, spread(rng, world, country, n))


def staff_ring(stage: Stage, quota: int) -> None:
    """Staff and relatives order on demand, from the office and from home, with their own phones."""
    world, rng = stage.world, stage.rng
    for size in split(rng, quota, 8, 40):
        strong, shop = stage.strong(), stage.shop(size)
        country, n = stage.market(shop), int(rng.integers(4, 13))
        city = world.geo.draw_cities(rng, np.array([country]))
        homes = new_addresses(world.addresses, world.geo, rng, np.repeat(city, n))
        people = stage.bought_accounts(n, country, home=homes)
        buyer = people[rng.integers(0, n, size)]
        rows = fake_orders(world, rng, buyer, shop, spread(rng, world, country, size), strong)
        inside = rng.random(size) < (0.75 if strong else 0.25)
        world.orders["ip"][rows[inside]] = fixed_ip(world.sellers["nat"][[shop]])[0]
        link(world, "buyer", people[: 1 + n // 3], "device", world.sellers["device"][shop])
        if strong:
            link(world, "seller", shop, "phone", world.buyers["phone"][people[0]])
        _cover(stage, people, country, n)


def seller_gang(stage: Stage, quota: int) -> None:
    """Owners of several shops buy from one another, each with accounts tied to their own shop."""
    world, rng = stage.world, stage.rng
    for size in split(rng, quota, 14, 70):
        strong, members = stage.strong(), int(rng.integers(3, 7))
        first = stage.shop(size // members + 1)
        country = stage.market(first)
        shops = [first] + [stage.shop(size // members + 1, country) for _ in range(members - 1)]
        owner = np.repeat(np.arange(members), 1 if not strong else 2)
        traits: dict[str, Any] = {"payment0": world.sellers["bank"][np.array(shops)][owner]}
        link(world, "seller", np.array(shops), "payment", world.sellers["bank"][np.array(shops)])
        if strong:
            traits["device1"] = world.sellers["device"][np.array(shops)][owner]
        people = stage.bought_accounts(len(owner), country, **traits)
        who = rng.integers(0, len(owner), size)
        target = (owner[who] + rng.integers(1, members, size)) % members
        rows = spread(rng, world, country, size)
        fake_orders(world, rng, people[who], np.array(shops)[target], rows, strong)
        _cover(stage, people, country, members)


def slow_drip(stage: Stage, quota: int) -> None:
    """A few accounts buy once in a while over the whole period, real parcels, hardly a trace of a tie."""
    world, rng = stage.world, stage.rng
    for size in split(rng, quota, 6, 24):
        strong, shop = stage.strong(), stage.shop(size)
        country, n = stage.market(shop), int(rng.integers(2, 5))
        card = np.full(n, new_handles(rng, 1)[0])
        home = new_addresses(world.addresses, world.geo, rng, world.geo.draw_cities(rng, np.array([country])))
        shared: dict[str, Any] = {"home": np.repeat(home, n)} if strong else {}
        people = stage.bought_accounts(n, country, payment0=card, **shared)
        created = weekly(rng, world, country, size, world.params.days / size)
        fake_orders(world, rng, people[np.arange(size) % n], shop, created, False)
        link(world, "seller", shop, "payment", card[0])
        _cover(stage, people, country, n)


def aged_accounts(stage: Stage, quota: int) -> None:
    """Aged accounts, one or two orders each; only their identifiers tie them, in chains."""
    world, rng = stage.world, stage.rng
    for size in split(rng, quota, 12, 60):
        strong, shop = stage.strong(), stage.shop(size)
        country, n = stage.market(shop), max(6, int(size / 1.4))
        group = np.arange(n) // int(rng.integers(3, 9) if strong else rng.integers(2, 4))
        cards, phones = new_handles(rng, n)[group], new_handles(rng, n)
        devices = new_handles(rng, n)[(np.arange(n) + 1) // (3 if strong else 2)]
        traits: dict[str, Any] = {"payment0": cards, "device0": devices if strong else phones}
        people = stage.bought_accounts(n, country, **traits)
        buyer = np.concatenate([people, people[rng.integers(0, n, max(0, size - n))]])[:size]
        fake_orders(world, rng, buyer, shop, spread(rng, world, country, size), strong)


SELF_DEALING: dict[str, Attack] = {
    "owner_accounts": owner_accounts,
    "staff_ring": staff_ring,
    "seller_gang": seller_gang,
    "slow_drip": slow_drip,
    "aged_accounts": aged_accounts,
}
