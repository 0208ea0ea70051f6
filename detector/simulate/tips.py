"""Reports that came in and the few cases that were closed before: both partial, both sometimes wrong."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from detector.contract import CLAUSES
from detector.simulate.attacks.registry import ATTACKS, CLAUSE_OF
from detector.simulate.frame import DAY, HOUR, Array, mix
from detector.simulate.geo import words
from detector.simulate.ids import Ids
from detector.simulate.scenes import Cast
from detector.simulate.tables import table
from detector.simulate.text import choose
from detector.simulate.world import World

__all__ = ["label_table", "report_table"]

_CLAUSE_OF_ATTACK = np.array([CLAUSES.index(CLAUSE_OF[name]) for name in ATTACKS])


def report_table(world: World, ids: Ids, cast: Cast) -> pa.Table:
    """Complaints of buyers about real troubles, and tips about fakes: one in five of those is wrong."""
    rng, orders, end = world.rng("reports"), world.orders, world.params.end
    honest = np.flatnonzero(~orders["fake"] & (rng.random(len(orders)) < 0.0022))
    fakes = np.flatnonzero(orders["fake"] & (rng.random(len(orders)) < 0.012))
    wrong = np.flatnonzero(~orders["fake"] & (rng.random(len(orders)) < 0.0002))
    order = np.concatenate([honest, fakes, wrong, np.full(len(_accused(world, cast, rng)), -1)])
    accused = np.concatenate(
        [orders["seller"][np.concatenate([honest, fakes, wrong])], _accused(world, cast, rng)]
    )
    suspects_fake = np.arange(len(order)) >= len(honest)
    since = np.where(order >= 0, orders["created"][np.maximum(order, 0)], world.params.start)
    at = since + (rng.gamma(2, 7, len(order)) * DAY).astype(np.int64) + HOUR
    keep = at < end
    pool = words()["reports"]
    reasons = [*pool["genuine_reason"], *pool["fake_reason"]]
    reason = np.where(
        suspects_fake,
        len(pool["genuine_reason"]) + rng.integers(0, 4, len(order)),
        rng.integers(0, 5, len(order)),
    )
    kinds = np.where(order >= 0, 0, rng.integers(1, 4, len(order)))
    text = choose(pool["texts"], np.where(rng.random(len(order)) < 0.5, rng.integers(0, 10, len(order)), -1))
    made = table(
        "reports",
        report_id=ids.of("report", np.arange(len(order))),
        created_at=at,
        reporter_kind=choose(("buyer", "seller", "staff", "other"), kinds),
        seller_id=ids.of("seller", accused),
        order_id=ids.of("order", order),
        reason=choose(reasons, reason),
        text=text,
    ).filter(pa.array(keep))
    return made.take(pa.array(np.argsort(mix(np.flatnonzero(keep), 821)))).combine_chunks()


def _accused(world: World, cast: Cast, rng: np.random.Generator) -> Array:
    """Shops named in tips without an order: guilty ones, rivals' victims, and a few for nothing."""
    stream = world.rng("accused")
    del rng
    guilty = np.array(sorted(cast.guilty | cast.victims), dtype=np.int64)
    named = guilty[stream.random(len(guilty)) < 0.1]
    return np.concatenate([named, stream.integers(0, len(world.sellers), max(2, len(world.sellers) // 150))])


def label_table(world: World, ids: Ids) -> pa.Table:
    """Orders of the first half that were looked at and decided: a few fakes, more that were cleared."""
    rng, orders, params = world.rng("labels"), world.orders, world.params
    early = orders["created"] < (params.start + params.end) // 2
    fakes = np.flatnonzero(early & orders["fake"] & (rng.random(len(orders)) < 0.03))
    cleared = np.flatnonzero(early & ~orders["fake"])
    cleared = rng.permutation(cleared)[: 2 * len(fakes)]
    order = np.concatenate([fakes, cleared])
    at = orders["created"][order] + (rng.uniform(14, 40, len(order)) * DAY).astype(np.int64)
    fake = orders["fake"][order]
    clause = np.where(fake, _CLAUSE_OF_ATTACK[np.maximum(orders["attack"][order], 0)], -1)
    made = table(
        "labels",
        np.argsort(mix(order, 822)),
        subject_kind=choose(("order",), np.zeros(len(order), dtype=np.int64)),
        subject_id=ids.of("order", order),
        is_fake=fake,
        clause=choose(CLAUSES, clause),
        source=choose(("closed_case",), np.zeros(len(order), dtype=np.int64)),
        labelled_at=at,
    )
    keep = np.asarray(at < params.end)[np.argsort(mix(order, 822))]
    return made.filter(pa.array(keep)).combine_chunks()
