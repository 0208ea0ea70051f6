"""The figures of an evaluation, counted one by one."""

from __future__ import annotations

from fractions import Fraction
from math import comb
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.errors import InputError
from detector.evaluate import Evaluation, evaluate, interval, recall_at, split

GRID = st.integers(0, 6).map(lambda n: n / 6)


def at_least(hits: int, total: int, share: float) -> float:
    """Chance of so many hits or more, exactly."""
    p = Fraction(share)
    return float(sum(comb(total, k) * p**k * (1 - p) ** (total - k) for k in range(hits, total + 1)))


@pytest.mark.parametrize(("hits", "total"), [(0, 1), (1, 1), (0, 30), (3, 30), (30, 30), (7, 60)])
def test_the_interval_leaves_a_fortieth_on_either_side(hits: int, total: int) -> None:
    low, high = interval(hits, total)
    assert 0 <= low <= hits / total <= high <= 1
    assert low == 0 if hits == 0 else at_least(hits, total, low) == pytest.approx(0.025, abs=1e-9)
    assert (
        high == 1 if hits == total else 1 - at_least(hits + 1, total, high) == pytest.approx(0.025, abs=1e-9)
    )


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.tuples(GRID, st.booleans()), min_size=1, max_size=40), st.sampled_from([0.0, 0.1, 0.5]))
def test_no_more_genuine_orders_than_the_rate_allows_lie_above(
    rows: list[tuple[float, bool]], rate: float
) -> None:
    score, fake = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    above = recall_at(score, fake, rate)
    genuine = sorted((value for value, is_fake in rows if not is_fake), reverse=True)
    best = [t for t in [-1.0, *genuine] if sum(value > t for value in genuine) <= rate * len(genuine)]
    assert above.tolist() == [value > min(best) for value in score]


def reasons(*clauses: str) -> list[dict[str, Any]]:
    return [{"code": clause.upper(), "clause": clause, "weight": 0.5, "message": "."} for clause in clauses]


ROWS = [
    # order, score, decision, reasons, fake, attack, clause, group
    ("o1", 0.99, "hold", reasons("reviews", "abuse"), True, "farm", "reviews", None),
    ("o2", 0.70, "review", reasons("abuse"), True, "farm", "reviews", None),
    ("o3", 0.10, "allow", [], True, "slow", "abuse", None),
    ("o4", 0.80, "review", reasons("abuse"), False, None, None, "family"),
    ("o5", 0.05, "allow", [], False, None, None, "family"),
    ("o6", 0.01, "allow", [], False, None, None, "none"),
]
COLUMNS = ["order_id", "score", "decision", "reasons", "is_fake", "attack", "clause", "group"]
TABLE = pd.DataFrame(ROWS, columns=COLUMNS).assign(seller_id=["s1", "s1", "s2", "s2", "s3", "s3"])
ORDERS = TABLE[["order_id", "seller_id", "score", "decision", "reasons"]]
TRUTH = TABLE[["order_id", "is_fake", "attack", "clause", "group"]]
SELLERS = pd.DataFrame(
    {
        "seller_id": ["s1", "s2", "s3"],
        "score": [0.9, 0.2, 0.4],
        "recommendation": ["open_case", "none", "watch"],
        "disposition_hint": ["suspect", None, "possible_victim"],
    }
)
GUILTY = pd.DataFrame(
    {"seller_id": ["s1", "s2", "s3"], "is_guilty": [True, True, False], "role": ["", "", "victim"]}
)


@pytest.fixture(scope="module")
def measured() -> Evaluation:
    return evaluate(ORDERS, SELLERS, TRUTH, GUILTY)


def test_order_figures(measured: Evaluation) -> None:
    figures = measured.orders
    assert (figures["orders"], figures["fakes"]) == (6, 3)
    assert figures["average_precision"] == pytest.approx((1 / 1 + 2 / 3 + 3 / 4) / 3)
    assert figures["roc_auc"] == pytest.approx((3 + 2 + 2) / 9)
    assert figures["recall_at_fpr_0.01"] == pytest.approx(1 / 3)
    assert figures["not_allowed_genuine"] == pytest.approx(1 / 3)
    assert figures["not_allowed_fake"] == pytest.approx(2 / 3)
    assert figures["precision"] == pytest.approx(2 / 3)
    assert figures["clause_right"] == pytest.approx(1 / 2)


def test_attacks_and_groups(measured: Evaluation) -> None:
    attacks = measured.attacks.set_index("attack")
    assert attacks["orders"].to_dict() == {"farm": 2, "slow": 1}
    assert attacks["not_allowed"].to_dict() == {"farm": 1.0, "slow": 0.0}
    assert attacks.loc["farm", ["recall_at_fpr_0.01", "clause_right"]].tolist() == [0.5, 0.5]
    groups = measured.groups.set_index("group")
    assert groups["orders"].to_dict() == {"family": 2, "none": 1}
    assert groups["not_allowed"].to_dict() == {"family": 0.5, "none": 0.0}


def test_seller_figures(measured: Evaluation) -> None:
    figures = measured.sellers
    assert (figures["sellers"], figures["guilty"], figures["guilty_with_5_fakes"]) == (3, 2, 0)
    assert figures["average_precision"] == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert np.isnan(figures["guilty_with_5_fakes_found"])
    assert figures["innocent_accused"] == 0
    assert figures["innocent_accused_high"] == pytest.approx(interval(0, 1)[1])
    assert [figures[f"victims{what}"] for what in ("", "_recognised", "_accused")] == [1, 1, 0]


def test_bare_truth_gives_what_it_can() -> None:
    found = evaluate(ORDERS, SELLERS, TRUTH[["order_id", "is_fake"]], pd.DataFrame())
    assert found.sellers == {}
    assert found.attacks.empty
    assert found.groups.empty
    assert found.orders["average_precision"] == pytest.approx((1 / 1 + 2 / 3 + 3 / 4) / 3)


@pytest.mark.parametrize("fake", [True, False])
def test_a_market_of_one_kind_is_measured_without_a_warning(fake: bool) -> None:
    truth = TRUTH.assign(is_fake=fake)
    guilty = GUILTY.assign(is_guilty=fake)
    found = evaluate(ORDERS, SELLERS, truth, guilty)
    assert np.isnan(found.orders["roc_auc"])
    assert np.isnan(found.orders["not_allowed_genuine"]) == fake
    assert np.isnan(found.orders["average_precision"]) == (not fake)
    assert np.isnan(found.sellers["innocent_accused"]) == fake


def test_splits() -> None:
    table = split(ORDERS.assign(week=["1", "1", "2", "2", "2", "2"]), TRUTH, "week").set_index("week")
    assert table["orders"].to_dict() == {"1": 2, "2": 4}
    assert table["fakes"].to_dict() == {"1": 2, "2": 1}
    assert table["not_allowed_fake"].to_dict() == {"1": 1.0, "2": 0.0}
    assert table.loc["2", "not_allowed_genuine"] == pytest.approx(1 / 3)
    with pytest.raises(InputError, match="cannot split by moon; there is attack, "):
        split(ORDERS, TRUTH, "moon")
