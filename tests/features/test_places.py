"""Places and names as people write them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from builders import same
from hypothesis import given
from hypothesis import strategies as st

from features.places import NEAR, place_gap, same_name, same_person, same_postcode, same_region

WORDS = st.one_of(st.none(), st.text(max_size=12))


@pytest.mark.parametrize(
    ("a", "b", "answer"),
    [
        ("Shenzhen", "shenzhen", 1.0),
        ("Shenzhen", "Shenzen", 1.0),
        ("São Paulo", "Sao Paulo", 1.0),
        ("Dongguan City", "Dongguan", 1.0),
        ("东莞市", "东莞", 1.0),
        ("Köln", "Koln", 1.0),
        ("Lyon", "Leon", 0.0),
        ("Munich", "Hamburg", 0.0),
        ("City 12", "City 13", 0.0),
        ("Dongguan", "东莞", math.nan),
        ("***", "Munich", math.nan),
        (None, "Munich", math.nan),
    ],
)
def test_city_names(a: str | None, b: str, answer: float) -> None:
    assert same([same_name(a, b)], [answer])
    assert same([same_name(b, a)], [answer])


@pytest.mark.parametrize(
    ("country", "a", "b", "answer"),
    [
        ("US", "CA", "California", 1.0),
        ("US", "CA", "Nevada", 0.0),
        ("CN", "GD", "广东省", 1.0),
        ("CN", "Guangdong", "Zhejiang", 0.0),
        ("BR", "SP", "São Paulo", 1.0),
        ("DE", "BY", "Bayern", 1.0),
        ("TH", "กรุงเทพมหานคร", "Bangkok", 1.0),
        ("XX", "North", "South", 0.0),
        ("US", "CA", "Region 9", math.nan),
        (None, "North", "north", 1.0),
        ("US", None, "CA", math.nan),
    ],
)
def test_regions_go_by_code_and_name(country: str | None, a: str | None, b: str, answer: float) -> None:
    assert same([same_region(country, a, b)], [answer])


@pytest.mark.parametrize(
    ("a", "b", "answer"),
    [
        ("90210", "90210", 1.0),
        ("SW1A 1AA", "sw1a1aa", 1.0),
        ("90210", "90210-4817", 1.0),
        ("SE25", "SE25 9LW", 1.0),
        ("10115", "10117", NEAR),
        ("10115", "11015", NEAR),
        ("10115", "80331", 0.0),
        ("1****", "10115", math.nan),
        (None, "10115", math.nan),
    ],
)
def test_postcodes(a: str | None, b: str, answer: float) -> None:
    assert same([same_postcode(a, b)], [answer])


@pytest.mark.parametrize(
    ("signed", "recipient", "answer"),
    [
        ("Jane Lee", "Jane Lee", 1.0),
        ("J. Lee", "Jane Lee", 1.0),
        ("LEE", "Jane Lee", 1.0),
        ("Tom Lee", "Jane Lee", 1.0),
        ("Reception", "Jane Lee", 1.0),
        ("left with neighbour", "Jane Lee", 1.0),
        ("前台", "王芳", 1.0),
        ("王伟", "王芳", 1.0),
        ("李伟", "王芳", 0.0),
        ("Bob Ray", "Jane Lee", 0.0),
        ("Anna Johnson", "Jane Lee", 0.0),
        ("王伟", "Jane Lee", math.nan),
        ("J*** L**", "Jane Lee", math.nan),
        (None, "Jane Lee", math.nan),
    ],
)
def test_signatories(signed: str | None, recipient: str, answer: float) -> None:
    assert same([same_person(signed, recipient)], [answer])


@given(WORDS, WORDS)
def test_comparisons_answer_for_any_text(a: str | None, b: str | None) -> None:
    for answer in (same_name(a, b), same_region("US", a, b), same_postcode(a, b), same_person(a, b)):
        assert math.isnan(answer) or 0 <= answer <= 1


def test_a_finer_agreement_outweighs_a_coarser_disagreement() -> None:
    yes, no, unknown = 1.0, 0.0, math.nan
    cases = {
        (yes, yes, yes, yes): 0,
        (yes, no, no, yes): 0,  # city and region typed wrongly
        (yes, no, yes, unknown): 0,
        (yes, yes, yes, no): 1,
        (yes, yes, yes, NEAR): 0,
        (yes, no, no, NEAR): 1,  # across a border, or a typo
        (yes, yes, no, no): 2,
        (yes, unknown, no, no): 2,
        (yes, no, no, no): 3,
        (yes, no, unknown, no): 3,
        (no, no, no, no): 4,
        (no, unknown, unknown, yes): 4,
        (yes, unknown, unknown, no): 1,
        (yes, yes, unknown, unknown): 0,
        (yes, unknown, unknown, unknown): unknown,
        (unknown, unknown, unknown, unknown): unknown,
    }
    levels = [np.array(level) for level in zip(*cases, strict=True)]
    assert same(place_gap(*levels), list(cases.values()))


def test_a_gap_never_grows_when_a_level_comes_to_agree() -> None:
    for levels in itertools.product((0.0, 1.0, math.nan), repeat=4):
        for place in range(1, 4):
            if levels[place] != 0:
                continue
            better = [*levels[:place], 1.0, *levels[place + 1 :]]
            before, after = (place_gap(*(np.array([x]) for x in each))[0] for each in (levels, better))
            assert not after > before
