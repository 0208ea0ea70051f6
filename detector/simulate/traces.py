"""Tracking events: what the carriers' feeds say about each parcel."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from detector.contract import TRACKING_STATUSES
from detector.simulate.draft import Parcel
from detector.simulate.frame import DAY, HOUR, MINUTE, Array, mix
from detector.simulate.lanes import Carriers
from detector.simulate.parcels import Shipments
from detector.simulate.world import World

__all__ = ["Events", "trace"]

_STEPS = (
    "LABEL_CREATED",
    "PICKED_UP",
    "IN_TRANSIT",
    "CUSTOMS",
    "IN_TRANSIT",
    "OUT_FOR_DELIVERY",
    "ATTEMPT_FAIL",
    "AVAILABLE_FOR_PICKUP",
    "DELIVERED",
    "EXCEPTION",
    "NOT_FOUND",
    "RETURNING",
    "RETURNED",
    "PICKED_UP",
    "DELIVERED",
)
"""Columns of the step matrix; the last two are a recycled number's earlier parcel."""
(
    LABEL,
    PICKED,
    HUB,
    CUSTOMS,
    NEAR,
    OUT,
    MISSED,
    LOCKER,
    DONE,
    ODD,
    UNSEEN,
    BACK,
    HOME,
    OLD_PICKED,
    OLD_DONE,
) = range(len(_STEPS))


@dataclass(slots=True)
class Events:
    """Long form of all traces; ``city`` / ``post`` -1 where the feed names none."""

    shipment: Array
    at: Array
    status: Array
    city: Array
    post: Array
    precise: Array
    weight_g: Array
    final: Array

    def rows(self, keep: Array) -> Events:
        return Events(*(getattr(self, field.name)[keep] for field in fields(self)))


def trace(world: World, carriers: Carriers, shipments: Shipments, by: Array) -> Events:
    """What was scanned and reported until the export, shipments in the order ``by``, each by time.

    Lost scans are lost, and feed clocks are as wrong as they are.
    """
    rng, n = world.rng("traces"), len(shipments)
    at = np.full((n, len(_STEPS)), -1, dtype=np.int64)
    _fill_times(rng, shipments, at)
    _fill_modes(rng, world, shipments, at)
    source = shipments.source
    at = at[source]
    slipped = _clock_slip(rng, world, carriers, shipments)
    at[:, PICKED:OLD_PICKED] += np.where(at[:, PICKED:OLD_PICKED] >= 0, slipped[source][:, None], 0)
    at[at >= world.params.end] = -1
    row, step = _in_sequence(at, by)
    city, post = _places(world, shipments, row, step)
    feed = carriers.places[shipments.carrier[row]]
    nowhere = (step == ODD) & (shipments.mode[source[row]] == Parcel.FABRICATED)
    quiet = nowhere | (step == UNSEEN) | (feed == 0) | (_unit(mix(row * 16 + step, 71)) < 0.04)
    weighed = _weighed(carriers, shipments, row, step)
    status = np.array([TRACKING_STATUSES.index(name) for name in _STEPS])[step]
    status = np.where(
        nowhere,
        np.where(
            mix(row, 72) % np.uint64(3) == 0, *(TRACKING_STATUSES.index(s) for s in ("INVALID", "NOT_FOUND"))
        ),
        status,
    )
    return Events(
        shipment=row,
        at=at[row, step],
        status=status,
        city=np.where(quiet, -1, city),
        post=np.where(quiet | (feed < 2) & (step != DONE), -1, post),
        precise=~quiet & (feed == 2) & (_unit(mix(row * 16 + step, 73)) < 0.6),
        weight_g=np.where(weighed, shipments.measured_g[source[row]], -1),
        final=(step == DONE) | (step == OLD_DONE),
    )


def _in_sequence(at: Array, by: Array) -> tuple[Array, Array]:
    """Shipment and step of every event, shipments in the order ``by``, each shipment's events by time."""
    sorted_at = at[by]
    sequence = np.argsort(np.where(sorted_at < 0, np.iinfo(np.int64).max, sorted_at), axis=1, kind="stable")
    known = np.take_along_axis(sorted_at, sequence, axis=1) >= 0
    place, _ = np.nonzero(known)
    return by[place], sequence[known]


def _unit(key: Array) -> Array:
    return np.asarray((key % np.uint64(1_000_003)).astype(float) / 1_000_003)


def _fill_times(rng: np.random.Generator, s: Shipments, at: Array) -> None:
    """The full journey, then the scans that nobody made taken out again."""
    n, sent, got = len(s), s.shipped, s.arrived
    on_way = np.where(got >= 0, got, sent + 20 * DAY) - sent
    go = sent >= 0
    at[:, LABEL] = s.label
    at[:, PICKED] = np.where(go, sent, -1)
    hours = np.minimum(rng.uniform(3, 14, n) * HOUR, on_way * 0.3).astype(np.int64)
    at[:, HUB] = np.where(go, sent + hours, -1)
    at[:, CUSTOMS] = np.where(go & s.cross, sent + (on_way * rng.uniform(0.45, 0.6, n)).astype(np.int64), -1)
    at[:, NEAR] = np.where(go, sent + (on_way * rng.uniform(0.7, 0.85, n)).astype(np.int64), -1)
    arrives = go & (got >= 0)
    last = np.minimum(rng.uniform(1.5, 9, n) * HOUR, on_way * 0.12).astype(np.int64)
    at[:, OUT] = np.where(arrives, got - last, -1)
    missed = arrives & (rng.random(n) < 0.05) & (on_way > 60 * HOUR)
    at[:, MISSED] = np.where(missed, got - last - 18 * HOUR, -1)
    locker = arrives & (rng.random(n) < 0.05)
    at[:, LOCKER] = np.where(locker, got - last // 2, -1)
    at[:, DONE] = np.where(arrives, got, -1)
    odd = go & (rng.random(n) < 0.015)
    at[:, ODD] = np.where(odd, sent + (on_way * np.where(s.cross, 0.61, 0.38)).astype(np.int64), -1)
    asked = (s.label >= 0) & (rng.random(n) < 0.02)
    at[:, UNSEEN] = np.where(asked, s.label + rng.integers(5, 120, n) * MINUTE, -1)
    returned = s.lost & go & (rng.random(n) < 0.5)
    at[:, MISSED] = np.where(returned, sent + (on_way * 0.5).astype(np.int64), at[:, MISSED])
    at[:, BACK] = np.where(returned, sent + (on_way * rng.uniform(0.6, 0.8, n)).astype(np.int64), -1)
    at[:, HOME] = np.where(returned, sent + (on_way * rng.uniform(1.0, 1.5, n)).astype(np.int64), -1)
    missing = np.array([0.35, 0.04, 0.12, 0.2, 0.15, 0.12, 0, 0, 0.012, 0, 0, 0, 0.1, 0, 0])
    at[rng.random(at.shape) < missing] = -1


def _fill_modes(rng: np.random.Generator, world: World, s: Shipments, at: Array) -> None:
    """What a mode of parcel does to the trace."""
    n, chance = len(s), rng.random(len(s))
    never = (s.mode == Parcel.LABEL_ONLY) | ((s.mode == Parcel.NORMAL) & (chance < 0.006))
    at[never, PICKED:] = -1
    at[never, LABEL] = s.label[never]
    made_up = s.mode == Parcel.FABRICATED
    at[made_up] = -1
    asked = s.label + rng.integers(1, 40, n) * HOUR
    at[:, ODD] = np.where(made_up & (chance < 0.6), asked, at[:, ODD])
    quick = np.isin(s.mode, (Parcel.TWO_NODE, Parcel.EXPRESS))
    at[quick, HUB:DONE] = -1
    at[quick, LABEL] = np.where(chance < 0.4, s.label, -1)[quick]
    out = s.mode == Parcel.OUTAGE
    late = rng.integers(20, 70, n) * HOUR
    for step in (PICKED, HUB):
        at[out, step] = np.where((chance < 0.5) | (at[:, step] < 0), -1, at[:, step] + late)[out]
    at[:, HUB] = np.where(out & (at[:, HUB] >= 0), at[:, HUB] + 20 * MINUTE, at[:, HUB])
    for step in (PICKED, HUB):
        at[:, step] = np.where(
            out & (at[:, step] >= at[:, NEAR] - 12 * HOUR) & (at[:, NEAR] >= 0), -1, at[:, step]
        )
    old = s.mode == Parcel.RECYCLED
    back = s.label - rng.integers(120, 360, n) * DAY
    at[:, OLD_DONE] = np.where(old, back, -1)
    at[:, OLD_PICKED] = np.where(old, back - rng.integers(20, 90, n) * HOUR, -1)


def _clock_slip(rng: np.random.Generator, world: World, carriers: Carriers, s: Shipments) -> Array:
    """A few depots send local time as if it were UTC."""
    country = world.geo.city_country[s.origin_city]
    depot = mix(s.carrier * 1000 + s.origin_city, 74) % np.uint64(40) == 0
    slips = depot & (rng.random(len(s)) < 0.8)
    return np.asarray(np.where(slips, world.geo.utc_offset[country] * HOUR, 0))


def _places(world: World, s: Shipments, row: Array, step: Array) -> tuple[Array, Array]:
    """City and postcode of each event: origin, the target's own hub, the target."""
    source = s.source[row]
    origin = np.isin(step, (LABEL, PICKED, HUB, HOME, OLD_PICKED))
    city = np.where(origin, s.origin_city[source], s.target_city[source])
    post = np.where(origin, s.origin_post[source], s.target_post[source])
    country = world.geo.city_country[s.target_city[source]]
    gateway = world.geo.first_city[country]
    passing = (step == CUSTOMS) | (step == ODD)
    city = np.where(passing, np.where(s.cross[source], gateway, s.origin_city[source]), city)
    size = np.bincount(world.geo.city_country)[country]
    elsewhere = gateway + (mix(source, 75) % size.astype(np.uint64)).astype(np.int64)
    city = np.where(step == OLD_DONE, elsewhere, city)
    at_door = np.isin(step, (OUT, MISSED, LOCKER, DONE))
    return city, np.where(at_door | (step == PICKED), post, -1)


def _weighed(carriers: Carriers, s: Shipments, row: Array, step: Array) -> Array:
    """Carriers weigh a share of their parcels once, at acceptance or the first hub."""
    source = s.source[row]
    scale = _unit(mix(source, 76)) < carriers.weighs[s.carrier[row]]
    where = np.where(mix(source, 77) % np.uint64(10) < np.uint64(6), PICKED, HUB)
    return np.asarray(scale & (step == where))
