"""Affiliate clicks: before most credited sales, and many that led to nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detector.simulate.frame import HOUR, MINUTE, Array
from detector.simulate.world import World

__all__ = ["Clicks", "click_trail"]


@dataclass(slots=True)
class Clicks:
    creator: Array
    product: Array
    at: Array
    buyer: Array
    device: Array
    ip: Array


def click_trail(world: World) -> Clicks:
    """Clicks of buyers, of passers-by, and the ones that farms made themselves."""
    orders, rng = world.orders, world.rng("clicks")
    led = np.flatnonzero((orders["creator"] >= 0) & (rng.random(len(orders)) < orders["click"]))
    times = np.maximum(rng.geometric(0.6, len(led)), 1)
    rows = np.repeat(led, np.minimum(times, 5))
    before = (rng.lognormal(np.log(12), 1.6, len(rows)) * MINUTE).astype(np.int64) + 20_000_000
    at = orders["created"][rows] - np.minimum(before, 150 * HOUR)
    idle = rows[rng.random(len(rows)) < 0.9]
    passer = rng.integers(0, len(world.buyers), len(idle))
    drift = (rng.normal(0, 30, len(idle)) * HOUR).astype(np.int64)
    own = world.clicks
    made = Clicks(
        creator=np.concatenate([orders["creator"][rows], orders["creator"][idle], own["creator"]]),
        product=np.concatenate([orders["product"][rows], orders["product"][idle], own["product"]]),
        at=np.concatenate([at, orders["created"][idle] + drift, own["at"]]),
        buyer=np.concatenate([orders["buyer"][rows], passer, own["buyer"]]),
        device=np.concatenate([orders["device"][rows], world.buyers["device0"][passer], own["device"]]),
        ip=np.concatenate(
            [orders["ip"][rows], orders["ip"][idle] ^ (passer % 65_000).astype(np.uint32), own["ip"]]
        ),
    )
    anonymous = rng.random(len(made.at)) < 0.12
    made.buyer[anonymous] = -1
    keep = (made.at >= world.params.start) & (made.at < world.params.end)
    return Clicks(
        *(getattr(made, name)[keep] for name in ("creator", "product", "at", "buyer", "device", "ip"))
    )
