"""The column functions behind the tracking features against slow readings."""

from __future__ import annotations

import math
import random

import numpy as np
import pyarrow as pa
import pytest
from builders import same

from features.columns import group_codes
from features.parcel_groups import distinct_in_group, number_blocks
from features.parcel_places import compare
from features.places import same_name, same_person, same_postcode, same_region
from features.points import PRIOR_PARCELS, point_facts

NAMES = ["Austin", "austin", "Boston", "Bostn", "***", "Aus***", "东莞", "", None]
POSTCODES = ["10115", "10117", "80331", "1****", "", None]


@pytest.mark.parametrize("what", ["country", "region", "city", "postcode", "person"])
def test_columns_compare_as_single_values_do(what: str) -> None:
    values = POSTCODES if what == "postcode" else NAMES
    rows = [(country, a, b) for country in ("US", None) for a in values for b in values]
    alone = {
        "country": lambda country, a, b: 0.0,
        "region": same_region,
        "city": lambda country, a, b: same_name(a, b),
        "postcode": lambda country, a, b: same_postcode(a, b),
        "person": lambda country, a, b: same_person(a, b),
    }[what]
    country, a, b = (pa.chunked_array([pa.array(column, pa.string())]) for column in zip(*rows, strict=True))
    unknown = [None in (x, y) or "*" in f"{x}{y}" for _, x, y in rows]
    expected = [
        math.nan if masked else 1.0 if x == y else alone(c, x, y)
        for masked, (c, x, y) in zip(unknown, rows, strict=True)
    ]
    assert same(compare(what, a, b, country), expected)


def test_columns_without_a_difference_and_without_rows() -> None:
    same_city = pa.chunked_array([pa.array(["Austin", None])])
    assert same(compare("city", same_city, same_city, same_city), [1, math.nan])
    empty = pa.chunked_array([pa.array([], pa.string())])
    assert len(compare("city", empty, empty, empty)) == 0


@pytest.mark.parametrize("seed", range(10))
def test_points_equal_a_slow_reading(seed: int) -> None:
    rng = random.Random(seed)
    size = rng.choice([0, 1, 30])
    point, seller = ([rng.randrange(bound) for _ in range(size)] for bound in (4, 5))
    shortfall = [rng.choice([math.nan, 0.0, 2.0]) for _ in range(size)]
    found = point_facts(np.array(point, np.int32), np.array(seller, np.int32), np.array(shortfall, float))
    for row in range(size):
        mine = [p for p, s in zip(point, seller, strict=True) if s == seller[row]]
        others = [r for r in range(size) if point[r] == point[row] and seller[r] != seller[row]]
        away = [
            sum(p != point[row] for p, s in zip(point, seller, strict=True) if s == seller[r])
            / seller.count(seller[r])
            for r in others
        ]
        weighed = [shortfall[r] for r in others if not math.isnan(shortfall[r])]
        assert found["point_seller_share"][row] == pytest.approx(mine.count(point[row]) / len(mine))
        side = sum(away) / (len(others) + PRIOR_PARCELS) if others else math.nan
        light = sum(x > 1 for x in weighed) / (len(weighed) + PRIOR_PARCELS) if weighed else math.nan
        assert same([found["point_side_share"][row]], [side], 1e-5)
        assert same([found["point_light_share"][row]], [light])


@pytest.mark.parametrize("seed", range(5))
def test_distinct_values_of_a_group(seed: int) -> None:
    rng = random.Random(seed)
    group, value = ([rng.randrange(4) for _ in range(25)] for _ in range(2))
    slow = [len({v for g, v in zip(group, value, strict=True) if g == mine}) for mine in group]
    assert list(distinct_in_group(np.array(group, np.int32), np.array(value, np.int32))) == slow
    assert len(distinct_in_group(np.zeros(0, np.int32), np.zeros(0, np.int32))) == 0


def test_blocks_of_numbers() -> None:
    account = np.array([0, 0, 0, 0, 1, 1, 2], np.int32)
    text = pa.chunked_array([pa.array(["A1", "A1", "A1", "B7", "A1", "A1", None])])
    days = np.array([1.0, 4.0, 9.0, 2.0, 5.0, 5.0, 1.0])
    # Two of the first account's four numbers share their block on three days; one number stands alone.
    expected = [2 * 0.25, 2 * 0.25, 2 * 0.25, 0, 0, 0, math.nan]
    assert same(number_blocks(account, text, days, np.arange(6)), expected)


def test_codes_of_nothing() -> None:
    assert len(group_codes(np.zeros(0))) == 0
