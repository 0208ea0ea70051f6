"""2.1.d and 2.1.e: buyer gangs that buy the same things from the same shops, and rings that review."""

from __future__ import annotations

import numpy as np

from detector.simulate.attacks.stage import Attack, Stage
from detector.simulate.draft import Parcel, Review
from detector.simulate.frame import DAY, HOUR
from detector.simulate.people import fixed_ip, new_handles
from detector.simulate.scenes import burst, fake_orders, split, spread

__all__ = ["REPEAT_BUYING", "REVIEWS"]


def click_farm(stage: Stage, quota: int) -> None:
    """New accounts on a rack of phones and emulators, working through a list of shops."""
    world, rng = stage.world, stage.rng
    for size in split(rng, quota, 20, 120):
        strong, country = stage.strong(), stage.country()
        n, clients = max(8, int(size * rng.uniform(0.4, 0.9))), int(rng.integers(1, 5))
        shops = np.array([stage.shop(size // clients + 1, country) for _ in range(clients)])
        rack = new_handles(rng, max(3, n // (8 if strong else 3)))
        people = stage.bought_accounts(n, country, aged=False, device0=rack[rng.integers(0, len(rack), n)])
        buyer = people[rng.integers(0, n, size)]
        when = burst(
            rng, world, country, size, 24 * float(rng.uniform(1, 12) if strong else rng.uniform(15, 45))
        )
        rows = fake_orders(world, rng, buyer, shops[rng.integers(0, clients, size)], when, strong)
        lines = fixed_ip(new_handles(rng, 2 if strong else 9))
        shared = rng.random(size) < (0.9 if strong else 0.4)
        world.orders["ip"][rows[shared]] = rng.choice(lines, int(shared.sum()))


def crowd_workers(stage: Stage, quota: int) -> None:
    """Real people at real homes are paid through a chat group to order from its clients."""
    world, rng = stage.world, stage.rng
    for size in split(rng, quota, 25, 160):
        strong, country = stage.strong(), stage.country()
        clients, n = int(rng.integers(3, 9)), max(8, int(size / rng.uniform(1.5, 4)))
        shops = np.array([stage.shop(size // clients + 1, country) for _ in range(clients)])
        workers = stage.workers(n, country)
        turn = np.arange(size) * clients // size if strong else rng.integers(0, clients, size)
        start = burst(rng, world, country, clients, 24 * 40)
        span = float(rng.uniform(12, 48) if strong else rng.uniform(72, 240))
        when = np.minimum(
            start[turn] + (rng.random(size) * span * HOUR).astype(np.int64), world.params.end - HOUR
        )
        parcel = rng.choice([Parcel.FEATHER, Parcel.NORMAL], size, p=[0.75, 0.25] if strong else [0.4, 0.6])
        buyer = workers[rng.integers(0, len(workers), size)]
        sent_by = stage.agent(int(shops[0])) if rng.random() < 0.5 else {}
        fake_orders(world, rng, buyer, shops[turn], when, strong, parcel=parcel, **sent_by)


def repeat_sku(stage: Stage, quota: int) -> None:
    """A small gang buys one listing again and again."""
    world, rng = stage.world, stage.rng
    for size in split(rng, quota, 12, 60):
        strong, shop = stage.strong(), stage.shop(size)
        country, n = stage.market(shop), max(3, int(size / rng.uniform(3, 8)))
        people = stage.bought_accounts(n, country, aged=not strong)
        hero = world.hero(shop, int(rng.integers(0, 3)))
        other = world.draw_products(rng, np.full(size, shop))
        product = np.where(rng.random(size) < (0.97 if strong else 0.75), hero, other)
        buyer = people[rng.integers(0, n, size)]
        fake_orders(world, rng, buyer, shop, spread(rng, world, country, size), strong, product=product)


def lockstep(stage: Stage, quota: int) -> None:
    """The same accounts visit the same shops in the same windows."""
    world, rng = stage.world, stage.rng
    for size in split(rng, quota, 30, 120):
        strong, country = stage.strong(), stage.country()
        clients = int(rng.integers(3, 7))
        n = max(5, -int(-size // (clients * (1.0 if strong else 0.6))))
        shops = np.array([stage.shop(size // clients + 1, country) for _ in range(clients)])
        people = stage.bought_accounts(n, country)
        pair = rng.permutation(n * clients)[:size]
        who, where = pair // clients, pair % clients
        start = burst(rng, world, country, clients, 24 * 50)
        jitter = rng.exponential(3 if strong else 20, len(pair)) * HOUR
        when = np.minimum(start[where] + jitter.astype(np.int64), world.params.end - HOUR)
        fake_orders(world, rng, people[who], shops[where], when, strong)


def review_ring(stage: Stage, quota: int) -> None:
    """Orders placed for the sake of the review: handed-out text, some before delivery, some off the mark."""
    world, rng = stage.world, stage.rng
    for size in split(rng, quota, 10, 50):
        strong, shop = stage.strong(), stage.shop(size)
        country = stage.market(shop)
        n = max(4, int(size * 0.85))
        people = stage.workers(n, country) if rng.random() < 0.4 else stage.bought_accounts(n, country)
        modes = [Review.RING, Review.EARLY, Review.WRONG, Review.SHORT]
        review = rng.choice(modes, size, p=[0.4, 0.35, 0.15, 0.1] if strong else [0.5, 0.08, 0.07, 0.35])
        when = burst(rng, world, country, size, 24 * float(rng.uniform(3, 20)))
        buyer = people[rng.integers(0, len(people), size)]
        fake_orders(world, rng, buyer, shop, np.minimum(when, world.params.end - DAY), strong, review=review)


REPEAT_BUYING: dict[str, Attack] = {
    "click_farm": click_farm,
    "crowd_workers": crowd_workers,
    "repeat_sku": repeat_sku,
    "lockstep": lockstep,
}
REVIEWS: dict[str, Attack] = {"review_ring": review_ring}
