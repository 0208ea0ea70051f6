"""Surprise among peers, expected weights and first-mile waybills against slow readings."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from builders import same

from features.columns import group_codes
from features.first_mile import extra_ship_seconds, first_mile_fit
from features.levels import steps
from features.parcel_weights import PRIOR_PARCELS, shortfalls
from features.peers import COHORT_PRIOR, Cohort, cohort_of, surprise


def slow_share(level: list[int], seller: list[int], group: list[int], row: int) -> tuple[int, int]:
    others = [
        level[other]
        for other in range(len(level))
        if level[other] >= 0 and group[other] == group[row] and seller[other] != seller[row]
    ]
    return sum(other >= level[row] for other in others), len(others)


def slow_surprise(
    level: list[int], seller: list[int], cohorts: list[list[int]], parent: list[int]
) -> list[float]:
    found = []
    for row, mine in enumerate(level):
        if mine <= 0:
            found.append(math.nan if mine < 0 else 0.0)
            continue
        reached, others = slow_share(level, seller, parent, row)
        prior = COHORT_PRIOR * (reached + 1) / (others + 1)
        parts = [slow_share(level, seller, group, row) for group in cohorts]
        found.append(-math.log10(max((r + prior) / (n + COHORT_PRIOR) for r, n in parts)))
    return found


@pytest.mark.parametrize("seed", range(15))
def test_surprise_equals_a_slow_reading(seed: int) -> None:
    rng = random.Random(seed)
    size = rng.choice([1, 5, 80])
    level = [rng.choice([-1, 0, 0, 0, 1, 2, 5]) for _ in range(size)]
    seller, first, second, wide = ([rng.randrange(bound) for _ in range(size)] for bound in (6, 4, 9, 2))
    sellers = np.array(seller, np.int32)
    cohorts = [cohort_of(sellers, np.array(group, np.int32)) for group in (first, second)]
    found = surprise(np.array(level, np.int8), cohorts, cohort_of(sellers, np.array(wide, np.int32)))
    assert same(found, slow_surprise(level, seller, [first, second], wide), 1e-12)


def test_what_happens_to_everybody_surprises_nobody() -> None:
    seller = np.arange(100, dtype=np.int32)
    day = (seller >= 90).astype(np.int32)
    level = day.astype(np.int8)  # all parcels of the last day lack scans
    level[0] = 1  # and one of an ordinary day
    market, days = cohort_of(seller), cohort_of(seller, day)
    found = surprise(level, [days], market)
    assert found[95] < 0.4
    assert found[0] > 1.5


def test_a_seller_does_not_excuse_itself() -> None:
    seller = np.array([0] * 50 + [*range(1, 51)], np.int32)
    level = (seller == 0).astype(np.int8)
    market = cohort_of(seller)
    assert surprise(level, [market], market)[0] > 1.5


def test_codes_tell_combinations_apart() -> None:
    one, other = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    assert len(set(group_codes(one, other))) == 4
    assert list(cohort_of(np.arange(3, dtype=np.int32)).group) == [0, 0, 0]
    assert isinstance(cohort_of(np.arange(3, dtype=np.int32)), Cohort)


def test_steps_count_the_limits_exceeded() -> None:
    assert same(steps(np.array([-1, 0, 0.5, 1, 9, np.nan]), 0, 1, 2), [0, 0, 1, 1, 3, np.nan])


def slow_typical(ratios: list[float]) -> float:
    """Upper quartile if below 0, else the median (both the next higher value), but not below 0."""
    ranked = sorted(ratios)
    upper, middle = (ranked[math.ceil(part * (len(ranked) - 1))] for part in (0.75, 0.5))
    return upper if upper <= 0 else max(middle, 0.0)


def slow_shortfall(
    lines: list[tuple[int, int, float]], grams: list[float], buyer: list[int], parcel: int
) -> tuple[float, float]:
    own = [(product, stated) for row, product, stated in lines if row == parcel]
    products = {product for product, _ in own}
    alone = [
        other
        for other in range(len(grams))
        if len({product for row, product, _ in lines if row == other}) == 1
        and not any(math.isnan(stated) for row, _, stated in lines if row == other)
    ]
    if not own or any(math.isnan(stated) for _, stated in own):
        return math.nan, -1.0
    expected = 0.0
    basis = -1.0
    for product, stated in own:
        teachers = [other for other in alone if any(row == other and p == product for row, p, _ in lines)]
        if len(products) == 1:
            bought = [other for other in teachers if buyer[other] == buyer[parcel]]
            basis = float(len(teachers) - len(bought))
            teachers = [other for other in teachers if other != parcel]
        count = int(basis) if len(products) == 1 else len(teachers)
        ratios = [math.log(grams[t] / sum(s for row, _, s in lines if row == t)) for t in teachers]
        typical = slow_typical(ratios) * count / (count + PRIOR_PARCELS) if count else 0.0
        expected += stated * math.exp(typical)
    return math.log(expected / grams[parcel]), basis


@pytest.mark.parametrize("seed", range(12))
def test_shortfalls_equal_a_slow_reading(seed: int) -> None:
    rng = random.Random(seed)
    size = rng.choice([1, 30])
    grams = [rng.choice([20.0, 250.0, 480.0, 520.0, 900.0]) for _ in range(size)]
    buyer = [rng.randrange(10) for _ in range(size)]
    lines = [
        (row, rng.randrange(4), rng.choice([math.nan, 100.0, 500.0, 500.0, 500.0]))
        for row in range(size)
        for _ in range(rng.choice([0, 1, 1, 1, 2]))
    ]
    rng.shuffle(lines)
    row, product, stated = (
        (np.array(part) for part in zip(*lines, strict=True)) if lines else (np.zeros(0),) * 3
    )
    found, basis = shortfalls(
        row.astype(np.int64),
        product.astype(np.int32),
        stated.astype(float),
        np.array(grams),
        np.array(buyer, np.int32),
    )
    slow = [slow_shortfall(lines, grams, buyer, parcel) for parcel in range(size)]
    assert same(found, [shortfall for shortfall, _ in slow], 1e-9)
    known = ~np.isnan(found)
    assert same(basis[known], [each for shortfall, each in slow if not math.isnan(shortfall)])


def weights(*grams: float) -> list[float]:
    """Shortfalls of parcels of one product, catalogued at 500 g, to different buyers."""
    rows = np.arange(len(grams))
    found, _ = shortfalls(
        rows, np.zeros_like(rows), np.full(len(rows), 500.0), np.array(grams), rows.astype(np.int32)
    )
    return [float(each) for each in found]


def test_empty_parcels_stand_out_even_where_they_are_most() -> None:
    assert min(weights(*[20.0] * 20, *[500.0] * 10)[:20]) > 2


def test_a_wrong_catalogue_weight_excuses_all_parcels_and_one_outlier_accuses_none() -> None:
    assert max(weights(*[100.0] * 20)) < 0.2
    assert max(weights(*[500.0] * 5, 5000.0)) <= 0


SWITCH = datetime(2023, 9, 18, 16, tzinfo=UTC).timestamp()
DAY = 86_400.0


def fit(
    number: str, city: str | None, handover: str | None, days: float, carrier: str = "Wise Express"
) -> float:
    columns = (pa.array([value], pa.string()) for value in (number.replace(" ", ""), carrier, handover, city))
    return float(first_mile_fit(*columns, np.array([SWITCH + days * DAY]))[0])


@pytest.mark.parametrize(
    ("number", "city", "handover", "days", "answer"),
    [
        ("WS1234567", "Dongguan", "PICK_UP", 1, 1),
        ("WS 1234567", "深圳市", "PICK_UP", 400, 1),
        ("WS1234567", "Guangzhou", None, 1, 1),
        ("WS1234567", "Dongguan", "PICK_UP", -3, 0),
        ("WS1234567", "Dongguan", "DROP_OFF", 1, 0),
        ("WS1234567", "Beijing", "PICK_UP", 1, 0),
        ("WS1234567", None, "PICK_UP", 1, math.nan),
        ("YT1234567890123", "Dongguan", "PICK_UP", 400, math.nan),  # an old waybill stays valid
        ("WS123456785CN", "Beijing", "DROP_OFF", 1, math.nan),  # a postal number
    ],
)
def test_first_mile_waybills(
    number: str, city: str | None, handover: str | None, days: float, answer: float
) -> None:
    assert same([fit(number, city, handover, days)], [answer])


def test_an_unknown_carrier_may_use_the_prefix_for_itself() -> None:
    assert math.isnan(fit("WS1234567", "Beijing", "DROP_OFF", 1, carrier="Westside Vans"))


def test_three_more_days_in_the_switch_window() -> None:
    ordered = np.array([SWITCH - 1.5 * DAY, SWITCH + 0.5 * DAY, SWITCH + 1.5 * DAY, SWITCH])
    cities = pa.array(["Dongguan", "Shenzhen", "Dongguan", "Beijing"])
    assert list(extra_ship_seconds(ordered, cities)) == [3 * DAY, 3 * DAY, 0, 0]
