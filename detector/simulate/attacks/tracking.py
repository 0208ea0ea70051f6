"""2.1.b and 2.1.c: parcels that do not go where the order says, and numbers that mean nothing.

The accounts behind these orders are bought and scattered: nothing ties them but the parcels.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from detector.simulate.attacks.stage import Attack, Stage
from detector.simulate.draft import Parcel
from detector.simulate.scenes import burst, fake_orders, split, spread

__all__ = ["INVALID_TRACKING", "TRACKING_MISMATCH"]


def parcel_attack(stage: Stage, quota: int, mode: Parcel) -> None:
    """A shop fakes its sales with one trick of the trade; careful shops mix in honest-looking parcels."""
    world, rng = stage.world, stage.rng
    for size in split(rng, quota, 8, 60):
        strong, shop = stage.strong(), stage.shop(size)
        country, n = stage.market(shop), max(4, int(size * rng.uniform(0.6, 1.0)))
        rented = rng.random() < 0.3
        people = (
            stage.workers(n, country)
            if rented
            else stage.bought_accounts(n, country, aged=rng.random() < 0.7)
        )
        sent_by = stage.agent(shop) if mode == Parcel.FEATHER and rng.random() < 0.6 else {}
        buyer = np.concatenate([people, people[rng.integers(0, n, max(0, size - n))]])[:size]
        when = (
            burst(rng, world, country, size, 24 * rng.uniform(3, 25))
            if strong
            else spread(rng, world, country, size)
        )
        kept = rng.random(size) < (0.95 if strong else 0.65)
        parcel = np.where(kept, mode, rng.choice([Parcel.NORMAL, Parcel.FEATHER], size))
        fake_orders(world, rng, buyer, shop, when, strong, parcel=parcel, **sent_by)


TRACKING_MISMATCH: dict[str, Attack] = {
    "empty_parcels": partial(parcel_attack, mode=Parcel.FEATHER),
    "delivered_elsewhere": partial(parcel_attack, mode=Parcel.ELSEWHERE),
    "other_street": partial(parcel_attack, mode=Parcel.OTHER_STREET),
}
INVALID_TRACKING: dict[str, Attack] = {
    "reused_numbers": partial(parcel_attack, mode=Parcel.REUSED),
    "fabricated_numbers": partial(parcel_attack, mode=Parcel.FABRICATED),
    "label_only": partial(parcel_attack, mode=Parcel.LABEL_ONLY),
    "two_node": partial(parcel_attack, mode=Parcel.TWO_NODE),
}
