"""The seller forest: whom it ranks higher, whom it leaves alone, and what it says of them."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import numpy as np
import pandas as pd
import pytest

from detector.strange_sellers import CODE, StrangeSellers, compare_sellers, figures_of, ranked
from models.measures import SELLER_FEATURES

SELLERS, ORDERS_EACH, ODD = 150, 20, 7
SELLER = np.repeat(np.arange(SELLERS), ORDERS_EACH)


def compared(sellers: int = SELLERS, weight: float = 0.4) -> StrangeSellers:
    """A market in which the parcels of seller ``s7`` are too light, and some reach strangers at once."""
    rng = np.random.default_rng(3)
    seller = SELLER[: sellers * ORDERS_EACH]
    features = {measure.name: rng.exponential(0.3, len(seller)) for measure in SELLER_FEATURES}
    features["light_parcel_surprise"][seller == ODD] += 2.0
    for name in ("signed_by_other", "fast_transit_surprise", "destination_surprise"):
        features[name][seller == ODD] += 1.0
    groups = {"category": np.zeros(len(seller), np.int64), "seller_size": np.full(len(seller), 2)}
    with duckdb.connect() as con:
        con.register(
            "given", pd.DataFrame({"o": np.arange(len(seller)), "seller_id": [f"s{n}" for n in seller]})
        )
        con.execute("CREATE TABLE orders AS FROM given")
        return compare_sellers(
            con, seller, figures_of(seller, features, groups), groups, seller == ODD, weight, None
        )


@pytest.fixture(scope="module")
def strange() -> StrangeSellers:
    return compared()


def verdicts(**changes: object) -> pd.DataFrame:
    """Every seller with the same score; s7 is suspected."""
    table = pd.DataFrame({"seller_id": [f"s{n}" for n in range(SELLERS)], "score": 0.3})
    odd = table["seller_id"] == f"s{ODD}"
    table["recommendation"] = np.where(odd, "watch", "none")
    table["disposition_hint"] = pd.Series([None] * SELLERS, dtype=object)
    return table.assign(**changes)


def test_the_odd_shop_is_among_the_strangest_and_told_why(strange: StrangeSellers) -> None:
    assert strange.percentile[strange.place[f"s{ODD}"]] > 0.99
    reasons = strange.reasons(verdicts())
    assert list(reasons) == [f"s{ODD}"]
    reason = reasons[f"s{ODD}"]
    assert (reason.code, reason.clause) == (CODE, "tracking_mismatch")
    figure = strange.figures["light_parcel_surprise"][strange.place[f"s{ODD}"]]
    assert f"light_parcel_surprise ({figure:.1f})" in reason.message
    assert 0 < reason.weight < 1


def test_a_shop_that_is_not_suspected_is_told_nothing(strange: StrangeSellers) -> None:
    assert strange.reasons(verdicts(recommendation="none")) == {}


def test_strange_sellers_rank_higher_and_nothing_but_the_score_changes(strange: StrangeSellers) -> None:
    before, after = verdicts(), ranked(verdicts(), strange)
    assert f"s{ODD}" in after["seller_id"].head(2).tolist()
    assert after["score"].is_monotonic_decreasing
    odds = after["score"] / (1 - after["score"]) / (0.3 / 0.7)
    lift = [strange.lift[strange.place[seller]] for seller in after["seller_id"]]
    np.testing.assert_allclose(np.log(odds), lift, atol=1e-6)
    same = ["seller_id", "recommendation", "disposition_hint"]
    pd.testing.assert_frame_equal(
        after[same].sort_values("seller_id", ignore_index=True),
        before[same].sort_values("seller_id", ignore_index=True),
    )


def test_no_score_becomes_certain_and_none_becomes_suspect_from_nothing(strange: StrangeSellers) -> None:
    sure = ranked(verdicts(score=np.tile([0.0, 1.0], SELLERS // 2)), strange)
    assert set(sure["score"]) == {0.0, 1.0}


def test_a_possible_victim_is_not_lifted(strange: StrangeSellers) -> None:
    after = ranked(verdicts(disposition_hint="possible_victim"), strange)
    assert (after["score"] == 0.3).all()


def test_without_weight_it_says_nothing() -> None:
    silent = compared(weight=0.0)
    pd.testing.assert_frame_equal(
        ranked(verdicts(), silent).sort_values("seller_id", ignore_index=True),
        verdicts().sort_values("seller_id", ignore_index=True),
    )
    assert silent.reasons(verdicts()) == {}


def test_too_few_sellers_are_not_compared() -> None:
    few = compared(sellers=50)
    assert few.model is None
    assert np.isnan(few.percentile).all()
    assert not few.lift.any()
    assert few.reasons(verdicts().head(50)) == {}


def test_the_model_of_a_bundle_is_used_as_it_is(strange: StrangeSellers) -> None:
    assert strange.model is not None
    with duckdb.connect() as con:
        con.register(
            "given", pd.DataFrame({"o": np.arange(len(SELLER)), "seller_id": [f"s{n}" for n in SELLER]})
        )
        con.execute("CREATE TABLE orders AS FROM given")
        usual = {measure.name: np.zeros(len(SELLER)) for measure in SELLER_FEATURES}
        groups = {"seller_size": np.full(len(SELLER), 2)}
        again = compare_sellers(
            con, SELLER, figures_of(SELLER, usual, groups), groups, SELLER < 0, 0.4, strange.model
        )
    assert again.model is strange.model
    expected = strange.model.percentile(again.figures, again.groups)
    np.testing.assert_array_equal(again.percentile, expected)
    assert replace(again, model=None).reasons(verdicts()) == {}
