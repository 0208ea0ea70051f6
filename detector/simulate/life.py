"""What becomes of an order: paid, sent, delivered, completed, cancelled, refunded, as known at the export."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from detector.contract import ORDER_STATUSES
from detector.simulate.draft import Fate, Parcel
from detector.simulate.frame import DAY, HOUR, MINUTE, Array
from detector.simulate.lanes import extra_handling, transit_hours
from detector.simulate.world import World

__all__ = ["Life", "live"]

NEVER = np.iinfo(np.int64).max


@dataclass(slots=True)
class Life:
    """Times of each order in microseconds (-1: has not happened), and what really travelled."""

    paid: Array
    label: Array
    shipped: Array
    arrived: Array
    delivered: Array
    completed: Array
    cancelled: Array
    refunded: Array
    refund_share: Array
    status: Array
    lost: Array


def live(world: World) -> Life:
    """Follow every order from payment to its end, then forget what lies after the export."""
    orders, rng, n = world.orders, world.rng("life"), len(world.orders)
    natural = orders["fate"] == Fate.NATURAL
    chance = rng.random(n)
    unpaid, dropped = natural & (chance < 0.03), natural & (chance > 0.962)
    dropped |= orders["fate"] == Fate.CLAIM_CANCEL
    paid = np.where(unpaid, -1, orders["created"] + _payment_delay(rng, n))
    label, shipped = _dispatch(rng, world, paid)
    arrived = shipped + _travel(rng, world)
    lost = natural & (rng.random(n) < 0.012)
    life = Life(
        paid=paid,
        label=label,
        shipped=shipped,
        arrived=np.where(lost, -1, arrived),
        delivered=np.full(n, -1, dtype=np.int64),
        completed=np.full(n, -1, dtype=np.int64),
        cancelled=np.full(n, -1, dtype=np.int64),
        refunded=np.full(n, -1, dtype=np.int64),
        refund_share=np.ones(n),
        status=np.empty(n, dtype=object),
        lost=lost,
    )
    _finish(rng, world, life)
    _cancel(rng, world, life, unpaid, dropped)
    _follow_parents(world, life)
    _forget(world, life)
    return life


def _payment_delay(rng: np.random.Generator, n: int) -> Array:
    slow = rng.random(n) < 0.12
    minutes = np.where(slow, rng.exponential(300, n), rng.exponential(1.6, n)) + 0.2
    return np.asarray((minutes * MINUTE).astype(np.int64))


def _dispatch(rng: np.random.Generator, world: World, paid: Array) -> tuple[Array, Array]:
    """Label and hand-over: each shop's own pace, labels sometimes printed a day ahead of pick-up."""
    orders, n = world.orders, len(paid)
    pace = world.sellers["handling_h"][orders["seller"]] * rng.lognormal(0, 0.45, n)
    label = paid + (pace * HOUR).astype(np.int64) + extra_handling(world)
    wait = np.where(rng.random(n) < 0.12, rng.uniform(18, 60, n), rng.gamma(1.6, 3.0, n))
    shipped = label + (wait * HOUR).astype(np.int64) + 5 * MINUTE
    return np.where(paid < 0, -1, label), np.where(paid < 0, -1, shipped)


def _travel(rng: np.random.Generator, world: World) -> Array:
    orders = world.orders
    target = world.addresses["city"][orders["address"]].astype(np.int64)
    hours = transit_hours(rng, world, orders["ship_city"].astype(np.int64), target, orders["cross"])
    quick = np.isin(orders["parcel"], (Parcel.TWO_NODE, Parcel.EXPRESS))
    hours = np.where(quick, rng.uniform(2.5, 13, len(hours)), hours)
    delayed = np.where(orders["parcel"] == Parcel.OUTAGE, rng.uniform(12, 60, len(hours)), 0)
    return np.asarray(((hours + delayed) * HOUR).astype(np.int64))


def _finish(rng: np.random.Generator, world: World, life: Life) -> None:
    """Delivery as the shop system saw it, completion, refunds."""
    orders, n = world.orders, len(world.orders)
    parcel, fate = orders["parcel"], orders["fate"]
    no_trace = np.isin(parcel, (Parcel.LABEL_ONLY, Parcel.FABRICATED))
    silent = rng.random(n) < 0.025
    claimed = life.shipped + ((rng.gamma(3.0, 1.6, n) + 1.2) * DAY).astype(np.int64)
    reached = np.where(no_trace | life.lost, claimed, life.arrived)
    shown = ~life.lost & np.where(no_trace, rng.random(n) < 0.55, ~silent)
    life.delivered = np.where(shown, reached, -1)
    wait = np.where(rng.random(n) < 0.55, rng.gamma(1.2, 1.4, n), 7.0 + rng.random(n) * 0.1)
    life.completed = np.where(life.lost, -1, reached + (wait * DAY).astype(np.int64))
    settle_refund = fate == Fate.SETTLE_REFUND
    back = (fate == Fate.NATURAL) & ~life.lost & (rng.random(n) < 0.035)
    after = np.where(settle_refund, rng.uniform(0.5, 8, n), rng.gamma(2, 1.5, n) + 0.3)
    base = np.where(settle_refund, life.completed, reached)
    life.refunded = np.where(back | settle_refund, base + (after * DAY).astype(np.int64), -1)
    life.refunded = np.where(
        life.lost, life.shipped + (rng.uniform(14, 35, n) * DAY).astype(np.int64), life.refunded
    )
    early = back & (life.refunded < life.completed)
    life.completed = np.where(early & (rng.random(n) < 0.6), -1, life.completed)
    life.refund_share = np.where(rng.random(n) < 0.25, rng.choice([0.2, 0.3, 0.5], n), 1.0)
    life.refund_share[settle_refund | life.lost] = 1.0


def _cancel(rng: np.random.Generator, world: World, life: Life, unpaid: Array, dropped: Array) -> None:
    """Unpaid orders lapse; some paid ones are called off before they leave and paid back."""
    n, created = len(unpaid), world.orders["created"]
    lapse = created + (rng.uniform(24, 49, n) * HOUR).astype(np.int64)
    called = life.paid + (rng.exponential(0.4, n) * (life.label - life.paid)).astype(np.int64) + 2 * MINUTE
    life.cancelled = np.where(unpaid, lapse, np.where(dropped, called, -1))
    stopped = unpaid | dropped
    too_late = dropped & (called > life.label)
    for name in ("shipped", "arrived", "delivered", "completed", "refunded"):
        getattr(life, name)[stopped] = -1
    life.label[stopped & ~too_late] = -1
    life.refunded[dropped] = (called + (rng.uniform(0.01, 2, n) * DAY).astype(np.int64))[dropped]
    life.refund_share[dropped] = 1.0


def _follow_parents(world: World, life: Life) -> None:
    """Orders that travel in another order's parcel share its times where that is possible."""
    orders = world.orders
    rows = np.flatnonzero(orders["parcel"] == Parcel.COMBINED)
    parent = orders["parent"][rows]
    ok = (life.shipped[parent] > 0) & (life.shipped[rows] > 0) & (life.label[parent] > life.paid[rows])
    rows, parent = rows[ok], parent[ok]
    orders["parcel"][orders["parcel"] == Parcel.COMBINED] = Parcel.NORMAL
    orders["parcel"][rows] = Parcel.COMBINED
    for name in ("label", "shipped", "arrived", "delivered", "completed"):
        getattr(life, name)[rows] = getattr(life, name)[parent]


def _forget(world: World, life: Life) -> None:
    """Drop all that lies after the export, and name the state that the order is in then."""
    end = world.params.end
    for field in fields(life):
        column = getattr(life, field.name)
        if field.name not in ("refund_share", "status", "lost"):
            column[column >= end] = -1
    steps = (
        ("ON_HOLD", life.paid),
        ("AWAITING_SHIPMENT", np.where(life.paid < end - HOUR, life.paid, -1)),
        ("AWAITING_COLLECTION", life.label),
        ("IN_TRANSIT", life.shipped),
        ("DELIVERED", life.delivered),
        ("COMPLETED", life.completed),
        ("CANCELLED", life.cancelled),
    )
    status = np.full(len(life.paid), ORDER_STATUSES.index("UNPAID"))
    for name, when in steps:
        status[when >= 0] = ORDER_STATUSES.index(name)
    life.status = status
