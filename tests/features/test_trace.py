"""Facts of a trace against a slow reading, event by event; speeds; times."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import numpy as np
import pytest
from builders import same

from features.speed import leg_speeds, max_speeds
from features.timing import ParcelTimes, timing_facts
from features.trace import RECYCLING_SECONDS, Kind, TraceFacts, Traces, trace_facts

Event = tuple[int, float, Kind]
DAY = 86_400.0
HOUR = 3600.0


def traces(
    count: int, events: Sequence[Event], ordered_at: float = 0.0, grams: Sequence[float] = ()
) -> Traces:
    unknown = np.full(len(events), np.nan)
    return Traces(
        count=count,
        shipment=np.array([ship for ship, _, _ in events], np.int64),
        at=np.array([moment for _, moment, _ in events], float),
        kind=np.array([kind for _, _, kind in events], np.int8),
        latitude=unknown,
        longitude=unknown,
        grams=np.array(grams, float) if grams else unknown,
        ordered_at=np.full(count, ordered_at),
    )


def slow_facts(count: int, events: Sequence[Event], ordered_at: float) -> dict[str, list[float]]:
    """The same facts, one shipment and one event at a time."""
    moved = {Kind.PICKED_UP, Kind.MOVED, Kind.PICKUP_POINT}
    physical = moved | {Kind.DELIVERED, Kind.RETURNED}
    facts: dict[str, list[float]] = {name: [] for name in TraceFacts.__slots__}
    for ship in range(count):
        own = sorted((t, kind) for s, t, kind in events if s == ship and t >= ordered_at - RECYCLING_SECONDS)
        accepted = min((t for t, kind in own if kind in moved), default=math.nan)
        picked = min((t for t, kind in own if kind == Kind.PICKED_UP), default=math.nan)
        kinds = [kind for _, kind in own]
        facts["scanned_at"].append(min((t for t, kind in own if kind in physical), default=math.nan))
        facts["accepted_at"].append(accepted)
        facts["picked_up_at"].append(picked if picked == accepted else math.nan)
        facts["delivered_at"].append(min((t for t, kind in own if kind == Kind.DELIVERED), default=math.nan))
        facts["scans"].append(sum(kind in physical for kind in kinds))
        disowned = Kind.DEAD in kinds and not physical & set(kinds)
        facts["dead"].append(float(disowned) if own else math.nan)
        facts["pickup_point"].append(float(Kind.PICKUP_POINT in kinds) if own else math.nan)
    return facts


@pytest.mark.parametrize("seed", range(20))
def test_facts_equal_a_slow_reading(seed: int) -> None:
    rng = random.Random(seed)
    ordered_at = 300 * DAY
    days = [ordered_at - RECYCLING_SECONDS - DAY, *(ordered_at + day * DAY for day in range(-3, 20))]
    events = [
        (rng.randrange(8), rng.choice(days) + rng.randrange(60), rng.choice(list(Kind))) for _ in range(60)
    ]
    found = trace_facts(traces(10, events, ordered_at))
    slow = slow_facts(10, events, ordered_at)
    for name in (
        "scanned_at",
        "accepted_at",
        "picked_up_at",
        "delivered_at",
        "scans",
        "dead",
        "pickup_point",
    ):
        assert same(getattr(found, name), slow[name]), name


def test_the_order_of_events_does_not_matter() -> None:
    rng = random.Random(3)
    events = [(rng.randrange(5), rng.randrange(10**6), rng.choice(list(Kind))) for _ in range(80)]
    shuffled = rng.sample(events, len(events))
    one, other = (trace_facts(traces(5, each)) for each in (events, shuffled))
    assert all(
        same(getattr(one, name), getattr(other, name)) for name in TraceFacts.__slots__ if name != "rhythm"
    )
    assert np.array_equal(one.rhythm, other.rhythm)


def test_a_recycled_number_leaves_nothing_of_the_earlier_parcel() -> None:
    earlier = [(0, 10 * DAY, Kind.PICKED_UP), (0, 12 * DAY, Kind.DELIVERED)]
    later = [(0, 201 * DAY, Kind.PICKED_UP), (0, 205 * DAY, Kind.DELIVERED)]
    facts = trace_facts(traces(1, earlier + later, ordered_at=200 * DAY))
    assert (facts.scanned_at[0], facts.delivered_at[0], facts.scans[0]) == (201 * DAY, 205 * DAY, 2)


def test_the_heaviest_measurement_counts() -> None:
    events = [(0, 1.0, Kind.PICKED_UP), (0, 2.0, Kind.MOVED), (1, 1.0, Kind.PICKED_UP)]
    assert same(trace_facts(traces(2, events, grams=[0, 480, math.nan])).grams, [480, math.nan])


def test_copied_traces_have_one_rhythm_and_others_have_their_own() -> None:
    scans = (0, 5000, 9000, 20_000)
    events = [(0, t, Kind.MOVED) for t in scans] + [(1, t + 7777, Kind.MOVED) for t in scans]
    events += [(2, t + (t == 9000), Kind.MOVED) for t in scans] + [(3, t, Kind.MOVED) for t in scans[:3]]
    rhythm = trace_facts(traces(4, events)).rhythm
    assert rhythm[0] == rhythm[1] != rhythm[2]
    assert rhythm[3] == 0


PARIS, NEW_YORK, LYON = (48.9, 2.4), (40.7, -74.0), (45.8, 4.8)


def fastest(*scans: tuple[tuple[float, float], float]) -> float:
    """Highest speed of one parcel scanned at (place, hours)."""
    latitude, longitude = (np.array(part) for part in zip(*(place for place, _ in scans), strict=True))
    at = np.array([hours * HOUR for _, hours in scans])
    return float(max_speeds(1, np.zeros(len(scans), np.int64), at, latitude, longitude)[0])


def test_nothing_flies_faster_than_an_aircraft() -> None:
    assert fastest((PARIS, 0), (NEW_YORK, 9)) < 900
    assert fastest((PARIS, 0), (NEW_YORK, 0.5)) > 900
    assert fastest((PARIS, 0), (LYON, 5)) == pytest.approx(400, abs=350)


def test_a_clock_in_local_time_makes_no_leg_impossible() -> None:
    assert fastest((NEW_YORK, 14), (PARIS, 15.5)) < 900  # 7.5 hours in truth, 6 of them lost by the clocks


def test_one_scan_off_the_path_is_a_hub_code() -> None:
    assert fastest((PARIS, 0), (NEW_YORK, 1), (LYON, 6)) < 200
    assert fastest((PARIS, 0), (NEW_YORK, 1), (NEW_YORK, 6)) > 700


def test_near_places_and_lone_scans_have_no_speed_to_speak_of() -> None:
    assert fastest((PARIS, 0), ((48.7, 2.2), 0.001)) == 0
    assert math.isnan(fastest((PARIS, 0)))


def test_legs_do_not_join_two_parcels() -> None:
    latitude, longitude = np.array([48.9, 40.7]), np.array([2.4, -74.0])
    speeds = leg_speeds(np.array([0, 1]), np.array([0.0, 60.0]), latitude, longitude)
    assert np.isnan(speeds).all()


def times(**hours: float) -> dict[str, float]:
    """The timing features of one order placed at hour 100, as of hour 1000; times in hours."""
    fields = {name: np.array([hours.get(name, math.nan) * HOUR]) for name in ParcelTimes.__slots__}
    fields |= {
        "ordered_at": np.array([100 * HOUR]),
        "extra_seconds": np.array([hours.get("extra", 0) * HOUR]),
    }
    return {name: float(value[0]) for name, value in timing_facts(ParcelTimes(**fields), 1000 * HOUR).items()}


def test_a_scan_before_the_order() -> None:
    assert times(scanned_at=70)["scan_before_order_hours"] == 30
    assert times(scanned_at=130)["scan_before_order_hours"] == 0
    assert math.isnan(times()["scan_before_order_hours"])


def test_delivery_before_hand_over() -> None:
    assert times(accepted_at=150, delivered_at=140)["delivered_before_shipped_hours"] == 10
    late_upload = times(accepted_at=120, shipped_at=160, delivered_at=140)
    assert late_upload["delivered_before_shipped_hours"] == 0
    assert times(shipped_at=160, delivered_at=140)["delivered_before_shipped_hours"] == 20
    assert math.isnan(times(delivered_at=140)["delivered_before_shipped_hours"])


def test_transit_needs_both_ends() -> None:
    assert times(picked_up_at=120, accepted_at=120, delivered_at=140)["transit_hours"] == 20
    assert math.isnan(times(accepted_at=120, delivered_at=140)["transit_hours"])
    assert math.isnan(times(picked_up_at=150, delivered_at=140)["transit_hours"])


def test_age_of_a_label_that_never_moved() -> None:
    assert times(label_at=760)["label_only_days"] == 10
    assert times(label_at=760, scanned_at=800)["label_only_days"] == 0
    assert math.isnan(times()["label_only_days"])


def test_announced_exceptions_are_no_delay() -> None:
    assert times(accepted_at=100 + 5 * 24)["acceptance_days"] == 5
    assert times(accepted_at=100 + 5 * 24, extra=72)["acceptance_days"] == 2
