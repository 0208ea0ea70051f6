"""2.1.f: subsidies, price baselines and rivals abused through orders that nobody wanted."""

from __future__ import annotations

import numpy as np

from detector.simulate.attacks.stage import Attack, Stage
from detector.simulate.draft import Fate, Parcel, Review
from detector.simulate.frame import DAY, HOUR, MINUTE
from detector.simulate.people import fixed_ip, new_handles
from detector.simulate.promotions import FLASH
from detector.simulate.scenes import burst, fake_orders, split, spread

__all__ = ["ABUSE"]


def voucher_factory(stage: Stage, quota: int) -> None:
    """Fresh accounts by the dozen, each for one welcome voucher at a befriended shop."""
    world, rng = stage.world, stage.rng
    for size in split(rng, quota, 12, 70):
        strong, shop = stage.strong(), stage.shop(size)
        country = stage.market(shop)
        rack = new_handles(rng, max(2, size // (10 if strong else 2)))
        people = stage.bought_accounts(size, country, device0=rack[rng.integers(0, len(rack), size)])
        when = burst(
            rng, world, country, size, 24 * float(rng.uniform(1, 5) if strong else rng.uniform(6, 30))
        )
        world.buyers["registered"][people] = (
            when - (rng.lognormal(0, 1.2, size) * HOUR).astype(np.int64) - MINUTE
        )
        off = rng.choice([1500, 2000, 3000, 4000, 5000], size)
        fake_orders(world, rng, people, shop, when, strong, voucher_bp=off)


def claim_cancel(stage: Stage, quota: int) -> None:
    """Orders take the subsidy and the sales count, and are called off before anything is sent."""
    world, rng = stage.world, stage.rng
    for size in split(rng, quota, 10, 50):
        strong, shop = stage.strong(), stage.shop(size)
        country, n = stage.market(shop), max(3, size // 3)
        people = stage.bought_accounts(n, country)
        off = np.where(rng.random(size) < 0.85, rng.choice([1000, 2000, 3000], size), -1)
        when = burst(rng, world, country, size, 24 * float(rng.uniform(2, 15)))
        fate = np.where(rng.random(size) < (0.95 if strong else 0.7), Fate.CLAIM_CANCEL, Fate.DELIVER)
        buyer = people[rng.integers(0, n, size)]
        fake_orders(world, rng, buyer, shop, when, strong, voucher_bp=off, fate=fate)


def flash_baseline(stage: Stage, quota: int) -> None:
    """A few dear orders set the price that the flash sale then undercuts."""
    world, rng = stage.world, stage.rng
    for size in split(rng, quota, 6, 24):
        strong, shop = stage.strong(), stage.shop(size)
        country, hero = stage.market(shop), world.hero(shop, int(rng.integers(0, 3)))
        people = stage.bought_accounts(max(2, size // 2), country)
        last = world.params.end - 4 * DAY
        sale = int(world.params.start + rng.uniform(0.3, 0.95) * (last - world.params.start))
        when = sale - (rng.uniform(0.5, 20, size) * DAY).astype(np.int64)
        factor = float(rng.uniform(1.8, 3.0) if strong else rng.uniform(1.25, 1.7))
        buyer = people[rng.integers(0, len(people), size)]
        fake_orders(
            world,
            rng,
            buyer,
            shop,
            np.maximum(when, world.params.start + rng.integers(1, 40, size) * HOUR),
            strong,
            product=hero,
            quantity=1,
            price_factor=factor,
            voucher_bp=-1,
        )
        row = world.promotions.add(
            1,
            promotion=int(world.promotions["promotion"].max()) + 1,
            product=hero,
            kind=FLASH,
            seller=shop,
            ratio=0.97,
            starts=sale,
            ends=sale + 48 * HOUR,
        )
        world.product_flash[hero] = row[0]
        world.product_discount[hero] = -1


def wash_price(stage: Stage, quota: int) -> None:
    """Orders far above the usual price, money going round, for turnover and rank."""
    world, rng = stage.world, stage.rng
    for size in split(rng, quota, 5, 25):
        strong, shop = stage.strong(), stage.shop(size)
        country = stage.market(shop)
        people = stage.bought_accounts(max(2, size // 3), country)
        factor = rng.uniform(3, 9, size) if strong else rng.uniform(1.6, 3, size)
        fake_orders(
            world,
            rng,
            people[rng.integers(0, len(people), size)],
            shop,
            spread(rng, world, country, size),
            strong,
            price_factor=factor,
            quantity=rng.integers(1, 4, size),
            parcel=rng.choice([Parcel.FEATHER, Parcel.NORMAL, Parcel.LABEL_ONLY], size, p=[0.5, 0.35, 0.15]),
        )


def competitor_brushing(stage: Stage, quota: int) -> None:
    """A rival floods an innocent shop with orders from a farm, to have it punished."""
    world, rng = stage.world, stage.rng
    for size in split(rng, quota, 12, 60):
        strong, shop = stage.strong(), stage.cast.victim(rng, stage.attack)
        country, n = stage.market(shop), max(6, size // 2)
        rack = new_handles(rng, max(3, n // (6 if strong else 2)))
        people = stage.bought_accounts(n, country, aged=False, device0=rack[rng.integers(0, len(rack), n)])
        when = burst(rng, world, country, size, float(rng.uniform(6, 48) if strong else rng.uniform(60, 200)))
        rows = fake_orders(
            world,
            rng,
            people[rng.integers(0, n, size)],
            shop,
            when,
            strong,
            parcel=Parcel.NORMAL,
            fate=Fate.NATURAL,
            review=rng.choice([Review.RING, Review.NONE, Review.SHORT], size),
        )
        if strong:
            world.orders["ip"][rows] = rng.choice(fixed_ip(new_handles(rng, 3)), size)


ABUSE: dict[str, Attack] = {
    "voucher_factory": voucher_factory,
    "claim_cancel": claim_cancel,
    "flash_baseline": flash_baseline,
    "wash_price": wash_price,
    "competitor_brushing": competitor_brushing,
}
