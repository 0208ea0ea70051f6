"""2.1.f: affiliate commission earned on orders that nobody wanted (policy 6.1, 6.2, 6.8)."""

from __future__ import annotations

import numpy as np

from detector.simulate.attacks.stage import Attack, Stage, link
from detector.simulate.draft import SHOWCASE, VIDEO, Fate
from detector.simulate.frame import DAY, Array
from detector.simulate.lookalikes_parcels import creator_accounts
from detector.simulate.people import new_handles
from detector.simulate.scenes import burst, fake_orders, split, spread

__all__ = ["COMMISSION"]


def _star(stage: Stage, country: int) -> int:
    """A small creator of the country, made a sham now and then."""
    creators, rng = stage.world.creators, stage.rng
    local = np.flatnonzero((creators["country"] == country) & (creators["buyer"] < 0))
    local = local if len(local) else np.arange(len(creators))
    small = local[np.argsort(creators["weight"][local], kind="stable")[: max(1, len(local) // 2)]]
    chosen = int(small[int(rng.integers(len(small)))])
    if rng.random() < 0.4:
        creators["followers"][chosen] = rng.integers(40, 1300)
        creators["videos"][chosen] = rng.integers(1, 14)
    return chosen


def _own_campaign(stage: Stage, shop: int, rate_bp: int) -> Array:
    """Put the shop's best products into a campaign of a good commission; returns the products."""
    world = stage.world
    first, stop = int(world.product_first[shop]), int(world.product_first[shop + 1])
    product = np.arange(first, min(stop, first + 6))
    rows = world.campaigns.add(
        len(product),
        campaign=len(world.sellers) + int(stage.rng.integers(10**6)) * 4 + len(world.campaigns) % 4,
        product=product,
        seller=shop,
        creator_bp=rate_bp,
        partner=int(stage.rng.integers(len(world.partners))),
        partner_bp=int(stage.rng.integers(1, 9)) * 100,
        starts=world.params.start - 5 * DAY,
        ends=world.params.end + 20 * DAY,
    )
    world.product_campaign[product] = rows
    return product


def _farm(stage: Stage, quota: int, fate: Fate) -> None:
    """Accounts of a creator buy through the creator's own link for the commission."""
    world, rng = stage.world, stage.rng
    for size in split(rng, quota, 10, 60):
        strong, shop = stage.strong(), stage.shop(size)
        country = stage.market(shop)
        star, product = _star(stage, country), _own_campaign(stage, shop, int(rng.integers(15, 45)) * 100)
        own = creator_accounts(world, rng, np.array([star]))
        n = max(3, size // (5 if strong else 2))
        device = world.creators["device"][star]
        devices = np.where(rng.random(n) < (0.6 if strong else 0.12), device, new_handles(rng, n))
        people = np.concatenate([own, stage.bought_accounts(n, country, device0=devices)])
        when = burst(rng, world, country, size, 24 * float(rng.uniform(5, 40)))
        rows = fake_orders(
            world,
            rng,
            people[rng.integers(0, len(people), size)],
            shop,
            when,
            strong,
            product=product[rng.integers(0, len(product), size)],
            creator=star,
            channel=rng.choice([VIDEO, SHOWCASE], size),
            click=0.35 if strong else 0.9,
            fate=np.where(rng.random(size) < 0.85, fate, Fate.DELIVER),
        )
        _farm_clicks(stage, star, rows, strong)
        if strong:
            link(world, "creator", star, "payment", world.buyers["payment0"][people[1]])


def _farm_clicks(stage: Stage, star: int, rows: Array, strong: bool) -> None:
    """The farm's own clicking: one device, minutes before the orders."""
    world, rng = stage.world, stage.rng
    chosen = rows[rng.random(len(rows)) < (0.8 if strong else 0.2)]
    world.clicks.add(
        len(chosen),
        creator=star,
        product=world.orders["product"][chosen],
        at=world.orders["created"][chosen] - rng.integers(5, 90, len(chosen)) * 1_000_000,
        device=world.creators["device"][star],
        ip=world.orders["ip"][chosen[0]] if len(chosen) else 0,
    )


def commission_farm(stage: Stage, quota: int) -> None:
    """A creator buys through the own link and keeps the commission."""
    _farm(stage, quota, Fate.DELIVER)


def commission_refund(stage: Stage, quota: int) -> None:
    """As above, and the money comes back once the commission is settled."""
    _farm(stage, quota, Fate.SETTLE_REFUND)


def circular_affiliate(stage: Stage, quota: int) -> None:
    """Shop, partner, creators and buyers belong together: the commission goes round."""
    world, rng = stage.world, stage.rng
    for size in split(rng, quota, 15, 70):
        strong, shop = stage.strong(), stage.shop(size)
        country = stage.market(shop)
        product = _own_campaign(stage, shop, int(rng.integers(20, 60)) * 100)
        partner = int(world.campaigns["partner"][-1])
        stars = np.unique([_star(stage, country) for _ in range(int(rng.integers(2, 5)))])
        world.creators["partner"][stars] = partner
        link(world, "partner", partner, "bank_account", world.sellers["bank"][shop])
        n = max(4, size // 3)
        card = new_handles(rng, 1)[0]
        people = stage.bought_accounts(
            n, country, payment0=np.where(rng.random(n) < 0.5, card, new_handles(rng, n))
        )
        if strong:
            link(world, "creator", stars, "payment", card)
            link(world, "creator", stars, "device", world.sellers["device"][shop])
        when = spread(rng, world, country, size)
        fake_orders(
            world,
            rng,
            people[rng.integers(0, n, size)],
            shop,
            when,
            strong,
            product=product[rng.integers(0, len(product), size)],
            creator=stars[rng.integers(0, len(stars), size)],
            channel=rng.choice([VIDEO, SHOWCASE], size),
            click=0.4 if strong else 0.85,
        )


COMMISSION: dict[str, Attack] = {
    "commission_farm": commission_farm,
    "commission_refund": commission_refund,
    "circular_affiliate": circular_affiliate,
}
