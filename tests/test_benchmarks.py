"""The benchmarks that documented figures come from: an injected farm, and gains fitted without an attack."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score

from benchmarks.fraudar_injection import INJECTED, by_peeling, by_surprise, inject
from benchmarks.gains import Labelled, fitted, gains
from benchmarks.left_out import computed
from detector.job import connect
from detector.policy.loader import load_policy
from detector.simulate.market import simulate

POLICY = load_policy(None)


@pytest.fixture(scope="module")
def tuning() -> Labelled:
    with connect(2) as con:
        return Labelled.of(POLICY, *computed(con, simulate(4000, 60, 11, fake_share=0.06), POLICY))


def test_an_injected_farm_stands_out_more_than_by_peeling() -> None:
    rng = np.random.default_rng(2)
    chance = 1 / np.arange(1, 401)
    shops = rng.choice(400, 4000, p=chance / chance.sum())
    edges = pd.DataFrame({
        "buyer_id": [f"b{n}" for n in rng.integers(0, 3800, 4000)], "seller_id": [f"s{n:03d}" for n in shops]
    }).drop_duplicates()  # fmt: skip
    farmed = inject(edges, 0.6, "random", seed=1)
    found = by_surprise(farmed)["cobuying"]
    peeled = by_peeling(farmed)
    by_cobuying, by_order = (
        average_precision_score(score.index.str.startswith(INJECTED), score) for score in (found, peeled)
    )
    assert by_cobuying >= 0.9
    assert by_cobuying > by_order


def test_an_attack_is_taken_out_with_the_sellers_that_did_nothing_else(tuning: Labelled) -> None:
    attack = "wash_price"
    truth, left = tuning.truth, tuning.without(attack).truth
    assert (truth["attack"] == attack).any()
    assert not (left["attack"] == attack).any()
    gone = truth.loc[~truth["order_id"].isin(left["order_id"])]
    others = set(truth.loc[truth["is_fake"] & (truth["attack"] != attack), "seller_id"])
    assert ((gone["attack"] == attack) | ~gone["seller_id"].isin(others)).all()
    assert len(tuning.without(attack).anomaly) == len(left)


def test_nothing_of_the_policys_gains_is_left_in_the_fitted_ones(tuning: Labelled) -> None:
    detection = POLICY.detection
    other = detection.fusion.model_copy(
        update={"intercept": -1.0, "evidence_gain": 0.1, "collective_gain": 3.0, "anomaly_weight": 2.0}
    )
    found = gains(fitted(detection, [tuning]))
    again = gains(fitted(detection.model_copy(update={"fusion": other}), [tuning]))
    assert again == pytest.approx(found)
    assert found["intercept"] < 0 < found["evidence_gain"]
