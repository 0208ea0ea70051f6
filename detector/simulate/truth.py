"""What is true of every order and seller, kept apart from the tables."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from detector.contract import CLAUSES
from detector.simulate.attacks.registry import ATTACKS, CLAUSE_OF
from detector.simulate.frame import mix
from detector.simulate.ids import Ids
from detector.simulate.scenes import Cast
from detector.simulate.text import choose
from detector.simulate.world import World

__all__ = ["truth_tables"]


def truth_tables(world: World, ids: Ids, cast: Cast, groups: tuple[str, ...]) -> dict[str, pa.Table]:
    """``orders`` (fake, attack, clause, look-alike group) and ``sellers`` (guilty, attacks, role, group)."""
    return {"orders": _orders(world, ids, groups), "sellers": _sellers(world, ids, cast)}


def _orders(world: World, ids: Ids, groups: tuple[str, ...]) -> pa.Table:
    orders, n = world.orders, len(world.orders)
    attack = orders["attack"].astype(np.int64)
    clause_of = np.array([CLAUSES.index(CLAUSE_OF[name]) for name in ATTACKS])
    made = pa.table(
        {
            "order_id": ids.of("order", np.arange(n)),
            "is_fake": pa.array(orders["fake"]),
            "attack": choose(tuple(ATTACKS), attack),
            "clause": choose(CLAUSES, np.where(attack >= 0, clause_of[np.maximum(attack, 0)], -1)),
            "group": choose(groups, orders["group"].astype(np.int64)),
        }
    )
    rows = np.argsort(mix(np.arange(n), ids.salt("order")))
    return made.take(pa.array(rows)).combine_chunks()


def _sellers(world: World, ids: Ids, cast: Cast) -> pa.Table:
    """A shop's group: a shared warehouse, a supplier's stock, or a rival's victim."""
    sellers, n = world.sellers, len(world.sellers)
    victim = np.isin(np.arange(n), sorted(cast.victims))
    group = np.where(victim, 2, np.where(sellers["dropship"], 1, np.where(sellers["hub"] >= 0, 0, -1)))
    attacks = [sorted(cast.guilty.get(i, set()) | cast.victims.get(i, set())) for i in range(n)]
    made = pa.table(
        {
            "seller_id": ids.of("seller", np.arange(n)),
            "is_guilty": pa.array(np.isin(np.arange(n), sorted(cast.guilty))),
            "attacks": pa.array(attacks, pa.list_(pa.string())),
            "role": choose(("victim",), np.where(victim, 0, -1)),
            "group": choose(("threepl_warehouses", "drop_shippers", "brushed_victims"), group),
        }
    )
    return made.take(pa.array(np.argsort(mix(np.arange(n), ids.salt("seller"))))).combine_chunks()
