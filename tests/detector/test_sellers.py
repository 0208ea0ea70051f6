"""Seller verdicts: counts and money in plain Python, and who is spared."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_builders import a_detection

from detector.contract import CLAUSES
from detector.sellers import OrderScores, judge_sellers

POLICY = a_detection().seller
START = datetime(2024, 5, 1)
CON = duckdb.connect(config={"threads": 1})


@dataclass(frozen=True)
class Order:
    """A scored order: by default an honest one at the start of the period."""

    seller: str = "s1"
    score: float = 0.01
    suspected: bool = False
    corroborated: bool = False
    roaming: bool = False
    day: float = 0.0
    clauses: tuple[str, ...] = ()
    tie: float = math.nan
    total: int = 1000
    currency: str = "USD"


def fake(**changes: Any) -> Order:
    """A suspected order with a hard reason of repeat buying."""
    return replace(
        Order(score=0.95, suspected=True, corroborated=True, clauses=("repeat_buying",)), **changes
    )


def honest(count: int, **changes: Any) -> list[Order]:
    """Honest orders over four months."""
    return [Order(day=120 * n / max(count - 1, 1), **changes) for n in range(count)]


def judged(orders: Sequence[Order]) -> pd.DataFrame:
    """The verdicts by seller id."""
    table = pa.table(
        {
            "o": pa.array(range(len(orders)), pa.int32()),
            "seller_id": [order.seller for order in orders],
            "currency": [order.currency for order in orders],
            "total_minor": [order.total for order in orders],
            "created_at": [START + timedelta(days=order.day) for order in orders],
        }
    )
    CON.register("orders", table)
    scores = OrderScores(
        np.arange(len(orders)),
        np.array([order.score for order in orders]),
        np.array([order.suspected for order in orders]),
        np.array([order.corroborated for order in orders]),
        np.array([order.roaming for order in orders]),
        np.array([order.tie for order in orders]),
        {c: np.array([0.6 if c in order.clauses else math.nan for order in orders]) for c in CLAUSES},
    )
    return judge_sellers(CON, scores, POLICY).set_index("seller_id")


def verdict(orders: Sequence[Order]) -> Any:
    return judged(orders).iloc[0]


ORDERS = st.lists(
    st.builds(
        Order,
        seller=st.sampled_from(["s1", "s2", "s3"]),
        score=st.sampled_from([0.0, 0.02, 0.3, 0.55, 0.9, 1.0]),
        suspected=st.booleans(),
        corroborated=st.booleans(),
        roaming=st.booleans(),
        day=st.integers(0, 60).map(float),
        clauses=st.lists(st.sampled_from(CLAUSES), max_size=2).map(tuple),
        tie=st.sampled_from([math.nan, 0.0, 0.5]),
        total=st.integers(0, 10**12),
        currency=st.sampled_from(["USD", "JPY"]),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(ORDERS)
def test_counts_money_and_cases_are_those_of_plain_python(orders: list[Order]) -> None:
    found = judged(orders)
    by_seller: dict[str, list[Order]] = defaultdict(list)
    for order in orders:
        by_seller[order.seller].append(order)
    assert set(found.index) == set(by_seller)
    for seller, mine in by_seller.items():
        row = found.loc[seller]
        suspected = [order for order in mine if order.suspected]
        assert (row["order_count"], row["suspected_order_count"]) == (len(mine), len(suspected))
        assert row["gmv_minor"] == money(mine)
        assert row["suspected_gmv_minor"] == {c: n for c, n in money(suspected).items() if n}
        assert 0 <= row["score"] <= 1
        expected = math.fsum(order.score for order in suspected)
        spread = math.sqrt(math.fsum(order.score * (1 - order.score) for order in suspected))
        lower = max(0, expected - 1.96 * spread)
        firm = sum(order.corroborated or order.roaming for order in suspected) >= POLICY.case_orders
        needed = POLICY.case_orders if firm else POLICY.case_orders_alike
        case = lower >= needed and lower / len(mine) >= POLICY.case_share
        victim = row["disposition_hint"] == "possible_victim"
        watched = victim or expected >= POLICY.watch_orders
        advice = "open_case" if case and not victim else "watch" if watched else "none"
        assert row["recommendation"] == advice
        assert victim == plain_victim(mine, suspected)
        assert row["disposition_hint"] == ("possible_victim" if victim else "suspect" if case else None)
        counted = {c: sum(c in order.clauses for order in suspected) for c in CLAUSES}
        assert row["clauses"] == [c for c in CLAUSES if counted[c] >= max(1, 0.1 * len(suspected))]


def money(orders: Sequence[Order]) -> dict[str, int]:
    sums: dict[str, int] = defaultdict(int)
    for order in orders:
        sums[order.currency] += order.total
    return dict(sums)


def plain_victim(mine: Sequence[Order], suspected: Sequence[Order]) -> bool:
    """As the policy words it: outsiders, in a burst, a part of the business, nothing only a seller can do."""
    if len(suspected) < POLICY.victim_orders or len(suspected) > POLICY.victim_share * len(mine):
        return False
    days = sorted(order.day for order in suspected)
    burst = max(sum(0 <= day - other <= 7 for other in days) for day in days)
    shipped = [
        sum(c in order.clauses for order in suspected) for c in ("tracking_mismatch", "invalid_tracking")
    ]
    tied = sum(order.tie >= 0.3 for order in suspected)
    roaming = sum(order.roaming for order in suspected)
    gained = sum("abuse" in order.clauses for order in suspected)
    active = max(order.day for order in mine) - min(order.day for order in mine)
    allowed = POLICY.victim_benefit_share * len(suspected)
    return (
        max(shipped) <= allowed
        and max(tied, roaming) <= allowed
        and gained <= POLICY.victim_gain_share * len(suspected)
        and burst >= POLICY.victim_burst * len(suspected)
        and active >= 21
    )


@settings(max_examples=30, deadline=None, derandomize=True)
@given(ORDERS, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(orders: list[Order], random: Any) -> None:
    mixed = random.sample(orders, len(orders))
    pd.testing.assert_frame_equal(judged(orders), judged(mixed))


def test_worst_first_and_equals_by_name() -> None:
    found = judged([Order("b"), Order("a"), fake(seller="c"), *[fake(seller="d")] * 5])
    assert list(found.index) == ["d", "c", "a", "b"]


def test_thin_evidence_ranks_below_much() -> None:
    scores = [verdict([fake(day=n) for n in range(count)])["score"] for count in (1, 2, 5, 20, 100)]
    assert scores == sorted(scores)
    assert scores[0] < 0.5 < scores[-1]


@pytest.mark.parametrize("fakes", [1, 5, 20])
def test_the_same_fakes_weigh_less_in_a_larger_business(fakes: int) -> None:
    mine = [fake(day=3.0 * n) for n in range(fakes)]
    scores = [verdict([*mine, *honest(count)])["score"] for count in (0, 10, 100, 1000)]
    assert scores == sorted(scores, reverse=True)


def test_a_few_among_many_are_no_case() -> None:
    mine = [fake(day=3.0 * n) for n in range(10)]
    assert verdict([*mine, *honest(100)])["recommendation"] == "open_case"
    assert verdict([*mine, *honest(1000)])["recommendation"] == "watch"


def test_of_oddities_of_one_kind_more_are_needed() -> None:
    soft = [fake(day=15.0 * n, corroborated=False) for n in range(3)]
    assert verdict(soft)["recommendation"] == "watch"
    assert verdict([*soft, *soft])["recommendation"] == "open_case"
    assert verdict([*soft, *[fake(day=5)] * 2])["recommendation"] == "open_case"
    elsewhere = fake(day=5, corroborated=False, roaming=True)
    assert verdict([*soft, *[elsewhere] * 2])["recommendation"] == "open_case"


def test_an_unsure_sum_is_no_case() -> None:
    assert verdict([fake(score=0.5)] * 5)["recommendation"] == "watch"
    assert verdict([fake(score=0.95)] * 5)["recommendation"] == "open_case"


def test_what_was_allowed_does_not_add_up_to_a_case() -> None:
    row = verdict([Order(score=0.45, corroborated=True)] * 500)
    assert row["recommendation"] == "none"
    assert row["suspected_gmv_minor"] == {}
    assert row["score"] <= 0.1


ATTACK = tuple(fake(day=60 + n / 10, clauses=("reviews",)) for n in range(30))
TELLTALES = {
    "ties to the seller": [replace(order, tie=0.8) for order in ATTACK],
    "buyers who do the same elsewhere": [replace(order, roaming=True) for order in ATTACK],
    "subsidies taken": [replace(order, clauses=("abuse",)) for order in ATTACK],
    "false parcels": [replace(order, clauses=("tracking_mismatch",)) for order in ATTACK],
    "going on for months": [replace(order, day=4.0 * n) for n, order in enumerate(ATTACK)],
}


def test_a_burst_of_outsiders_against_a_grown_shop_has_a_victim() -> None:
    row = verdict([*ATTACK, *honest(200)])
    assert (row["disposition_hint"], row["recommendation"]) == ("possible_victim", "watch")
    assert row["score"] < verdict(ATTACK)["score"]


@pytest.mark.parametrize("what", TELLTALES)
def test_what_only_the_seller_can_gain_or_do_makes_no_victim(what: str) -> None:
    row = verdict([*TELLTALES[what], *honest(200)])
    assert (row["disposition_hint"], row["recommendation"]) == ("suspect", "open_case")


def test_a_shop_that_lives_on_the_burst_or_opened_for_it_is_no_victim() -> None:
    assert verdict([*ATTACK, *honest(20)])["disposition_hint"] == "suspect"
    opened = [Order(day=59 + n / 10) for n in range(100)]
    assert verdict([*ATTACK, *opened])["disposition_hint"] == "suspect"
