"""Who buys what: ordinary orders, look-alike groups and attacks, up to exactly the asked number."""

from __future__ import annotations

import numpy as np

from detector.simulate.attacks.registry import ATTACKS
from detector.simulate.attacks.stage import Stage
from detector.simulate.draft import NOT_IN_GROUP, TAKEN_INTO_GROUP
from detector.simulate.genuine import add_genuine, shopping_times
from detector.simulate.lookalikes_crowds import CROWD_GROUPS
from detector.simulate.lookalikes_homes import HOME_GROUPS
from detector.simulate.lookalikes_parcels import ORDER_GROUPS, OVERLAYS
from detector.simulate.scenes import Cast, place
from detector.simulate.world import World

__all__ = ["GROUPS", "find_groups", "settle_dates", "stage_orders"]

_STAGED = {**HOME_GROUPS, **CROWD_GROUPS, **ORDER_GROUPS}
GROUPS = (*_STAGED, *OVERLAYS, "brushed_victims")
"""The look-alike groups, by the code that plans carry."""
_GROUP_SHARE = 0.0033


def stage_orders(world: World) -> Cast:
    """Ordinary orders first, then look-alike groups, then attacks, up to exactly the asked number."""
    params, orders = world.params, world.orders
    fakes = round(params.orders * params.fake_share)
    quota = max(20, round(params.orders * _GROUP_SHARE))
    room = round(quota * len(_STAGED) * 1.3 + fakes * 1.15)
    add_genuine(world, max(params.orders // 4, params.orders - room))
    for name, stage in _STAGED.items():
        before = len(orders)
        stage(world, world.rng(name), quota)
        fresh = orders["group"][before:]
        fresh[fresh == -1] = GROUPS.index(name)
        orders["group"][orders["group"] == TAKEN_INTO_GROUP] = GROUPS.index(name)
    orders["group"][orders["group"] == NOT_IN_GROUP] = -1
    counts = np.bincount(orders["seller"], minlength=len(world.sellers))
    cast = Cast(counts, np.zeros_like(counts))
    _attack(world, cast, fakes)
    _top_up(world, params.orders - len(orders))
    return cast


def _top_up(world: World, n: int) -> None:
    """Ordinary repeat orders until the number is right."""
    if n <= 0:
        return
    rng, orders = world.rng("top-up"), world.orders
    plain = np.flatnonzero((orders["group"] == -1) & ~orders["fake"])
    rows = np.sort(rng.permutation(plain)[:n])
    if len(rows) < n:
        rows = plain[rng.integers(0, len(plain), n)]
    buyer = orders["buyer"][rows].astype(np.int64)
    moved = shopping_times(rng, world, world.buyers["country"][buyer])
    place(world, rng, buyer, orders["seller"][rows], moved)


def _attack(world: World, cast: Cast, fakes: int) -> None:
    """Share the fakes out over the attacks, unevenly."""
    params, rng = world.params, world.rng("attacks")
    if fakes <= 0 or not params.attacks:
        return
    weights = rng.uniform(0.75, 1.25, len(params.attacks))
    edges = np.round(np.cumsum(weights) / weights.sum() * fakes).astype(int)
    for name, quota in zip(params.attacks, np.diff(np.concatenate([[0], edges])), strict=True):
        before = len(world.orders)
        ATTACKS[name](Stage(world, world.rng(f"attack {name}"), cast, name), int(quota))
        attack, fake = world.orders["attack"][before:], world.orders["fake"][before:]
        attack[fake] = list(ATTACKS).index(name)


def find_groups(world: World, cast: Cast) -> None:
    """Find the groups that ordinary orders fall into of themselves."""
    quota = max(20, round(world.params.orders * _GROUP_SHARE))
    for name, find in OVERLAYS.items():
        world.orders["group"][find(world, world.rng(name), quota)] = GROUPS.index(name)
    honest = (world.orders["group"] == -1) & ~world.orders["fake"]
    brushed = np.isin(world.orders["seller"], sorted(cast.victims))
    world.orders["group"][honest & brushed] = GROUPS.index("brushed_victims")


def settle_dates(world: World) -> None:
    """No account, shop or listing is younger than the first order that needs it."""
    orders, rng = world.orders, world.rng("dates")
    for frame, column, key in (
        (world.buyers, "registered", "buyer"),
        (world.sellers, "registered", "seller"),
        (world.products, "listed", "product"),
    ):
        first = np.full(len(frame), np.iinfo(np.int64).max)
        np.minimum.at(first, orders[key], orders["created"])
        lead = (rng.lognormal(2.0, 1.5, len(frame)) * 3_600_000_000).astype(np.int64) + 60_000_000
        frame[column][:] = np.minimum(frame[column], first - lead)
    world.products["listed"][:] = np.maximum(
        world.products["listed"], world.sellers["registered"][world.products["seller"]]
    )
