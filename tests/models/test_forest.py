"""The anomaly model against scikit-learn and against itself by other routes."""

from __future__ import annotations

import doctest
import pickle
from typing import Any

import numpy as np
import pytest
from model_builders import MEASURES, a_model, some_columns, some_groups
from sklearn.ensemble import IsolationForest

from features.catalog import CATALOG
from models import forest as module
from models.errors import TrainingError
from models.forest import MIN_ROWS, AnomalyModel
from models.measures import ANOMALY_FEATURES, Measure


def part(arrays: dict[str, Any], rows: Any) -> dict[str, Any]:
    return {name: values[rows] for name, values in arrays.items()}


@pytest.fixture(scope="module")
def model() -> AnomalyModel:
    return a_model()


def test_rows_score_as_scikit_learn_scores_them(model: AnomalyModel) -> None:
    rng = np.random.default_rng(4)
    # also values on a threshold, where float32 and float64 part ways
    thresholds = np.concatenate([tree.tree_.threshold for tree in model.forest.estimators_])
    residuals = rng.choice(np.concatenate([thresholds, rng.normal(0, 3, 500)]), (5000, len(MEASURES)))
    expected = -model.forest.score_samples(residuals.astype(np.float32))
    np.testing.assert_allclose(model.score(residuals), expected, rtol=0, atol=1e-14)


def test_one_row_equals_the_batch(model: AnomalyModel) -> None:
    columns, groups = some_columns(600, seed=8), some_groups(600, seed=9)
    batch = model.percentile(columns, groups)
    alone = [model.percentile(part(columns, [at]), part(groups, [at]))[0] for at in range(600)]
    np.testing.assert_allclose(batch, alone, rtol=0, atol=1e-9)


def test_threads_and_blocks_do_not_change_a_bit(model: AnomalyModel) -> None:
    columns, groups = some_columns(70_000, seed=8), some_groups(70_000, seed=9)
    two = model.percentile(columns, groups, nthread=2)
    np.testing.assert_array_equal(two, model.percentile(columns, groups, nthread=1))
    np.testing.assert_array_equal(
        two[40_000:41_000],
        model.percentile(part(columns, slice(40_000, 41_000)), part(groups, slice(40_000, 41_000))),
    )


def test_order_of_training_rows_does_not_matter(model: AnomalyModel) -> None:
    mixed = np.random.default_rng(6).permutation(3000)
    other = AnomalyModel.fit(
        part(some_columns(), mixed), part(some_groups(), mixed), seed=5, measures=MEASURES
    )
    columns, groups = some_columns(500, seed=8), some_groups(500, seed=9)
    np.testing.assert_array_equal(model.percentile(columns, groups), other.percentile(columns, groups))


def test_the_sample_does_not_depend_on_order_and_keeps_shares() -> None:
    rng = np.random.default_rng(2)
    rows = np.where(rng.random((10_000, 1)) < 0.4, 0.0, rng.normal(size=(10_000, 3))).astype(np.float32)
    sample = module._sample(rows, 2000)
    np.testing.assert_array_equal(sample, module._sample(rows[rng.permutation(10_000)], 2000))
    assert abs(float((sample == 0).all(axis=1).mean()) - 0.4) < 0.04


def test_later_rows_of_the_same_market_are_uniform(model: AnomalyModel) -> None:
    got = model.percentile(some_columns(20_000, seed=21), some_groups(20_000, seed=22))
    for level in (0.1, 0.5, 0.9, 0.99):
        assert abs(float((got <= level).mean()) - level) < 0.03


def test_a_stranger_is_near_one_and_the_typical_is_low(model: AnomalyModel) -> None:
    columns = {
        "focus": np.array([40.0, 0.0]),
        "age_days": np.array([0.01, 60.0]),
        "share": np.array([1.0, 0.5]),
        "rating_residual": np.array([4.5, 0.0]),
    }
    strange, typical = model.percentile(columns, some_groups(2))
    assert strange > 0.999
    assert typical < 0.2


def test_an_old_account_is_not_strange(model: AnomalyModel) -> None:
    groups = some_groups(2)
    ages = model.percentile({"age_days": np.array([55.0, 1e6])}, {k: v[[0, 0]] for k, v in groups.items()})
    assert ages[1] <= ages[0] + 1e-12


def test_attribution_names_the_planted_feature(model: AnomalyModel) -> None:
    columns, groups = some_columns(50, seed=30, unknown=0.0), some_groups(50, seed=31)
    for name, at, value in (("focus", 4, 45.0), ("age_days", 7, 0.001), ("rating_residual", 9, 6.0)):
        for other in columns:
            columns[other][at] = np.nan
        columns[name][at] = value
    reasons = model.attribute(columns, groups, [4, 7, 9])
    assert [row[0][0] for row in reasons] == ["focus", "age_days", "rating_residual"]
    assert [len(row) for row in reasons] == [1, 1, 1], "an unknown feature contributes nothing"


def test_contributions_are_the_fall_of_scikit_learns_score(model: AnomalyModel) -> None:
    columns, groups = some_columns(5, seed=40, unknown=0.0), some_groups(5, seed=41)
    residuals = model.residuals.transform(columns, groups)
    forest: IsolationForest = model.forest
    for at, reasons in enumerate(model.attribute(columns, groups, range(5))):
        contributions = [value for _, value in reasons]
        assert contributions == sorted(contributions, reverse=True)
        for name, value in reasons:
            without = residuals[at].copy()
            without[model.features.index(name)] = 0.0
            pair = -forest.score_samples(np.array([residuals[at], without], dtype=np.float32))
            assert value == pytest.approx(pair[0] - pair[1], abs=1e-12)


def test_what_is_left_out_of_training_stays_strange() -> None:
    columns, groups = some_columns(4000, unknown=0.0), some_groups(4000)
    campaign = np.zeros(4000, dtype=np.bool_)
    campaign[:1600] = True
    columns["focus"][campaign], columns["rating_residual"][campaign] = 30.0, 4.0
    poisoned = AnomalyModel.fit(columns, groups, seed=1, measures=MEASURES)
    spared = AnomalyModel.fit(columns, groups, seed=1, clean=~campaign, measures=MEASURES)
    fakes = part(columns, campaign), part(groups, campaign)
    assert np.median(spared.percentile(*fakes)) > 0.99 > np.median(poisoned.percentile(*fakes))
    assert spared.rows == 2400


def test_left_out_rows_leave_no_trace() -> None:
    columns, groups = some_columns(), some_groups()
    clean = np.arange(3000) < 2000
    masked = AnomalyModel.fit(columns, groups, seed=5, clean=clean, measures=MEASURES)
    cut = AnomalyModel.fit(part(columns, clean), part(groups, clean), seed=5, measures=MEASURES)
    np.testing.assert_array_equal(masked.percentile(columns, groups), cut.percentile(columns, groups))


def test_sellers_are_rows_like_any_other() -> None:
    rng = np.random.default_rng(12)
    sellers = {"suspected_share": rng.beta(1, 30, 400), "pair_surprise": rng.exponential(1, 400)}
    measures = (Measure("suspected_share", 0.02), Measure("pair_surprise", 0.5, log=True))
    model = AnomalyModel.fit(sellers, {}, seed=3, measures=measures)
    assert model.features == ("suspected_share", "pair_surprise")
    assert (
        model.percentile({"suspected_share": np.array([0.9]), "pair_surprise": np.array([30.0])}, {})[0]
        > 0.99
    )


def test_a_market_without_any_of_the_columns_has_no_strangers() -> None:
    model = AnomalyModel.fit({"other": np.arange(300.0)}, {}, seed=1, measures=MEASURES)
    got = model.percentile({"other": np.arange(3.0)}, {})
    assert got.tolist() == [0.5, 0.5, 0.5]


def test_no_rows_no_percentiles(model: AnomalyModel) -> None:
    assert model.percentile(some_columns(0), some_groups(0)).shape == (0,)


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(TrainingError, match=f"99 clean rows are too few to learn from; give {MIN_ROWS}"):
        a_model(clean=np.arange(3000) < 99)


def test_a_used_model_can_be_pickled(model: AnomalyModel) -> None:
    columns, groups = some_columns(3, seed=8), some_groups(3, seed=9)
    before = model.percentile(columns, groups)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).percentile(columns, groups), before)


def test_order_measures_are_catalog_features_and_no_volumes() -> None:
    names = [measure.name for measure in ANOMALY_FEATURES]
    assert len(names) == len(set(names))
    for name in names:
        assert name in CATALOG
        assert not (CATALOG[name].entity == "seller" and CATALOG[name].kind == "window"), name


def test_docstring_examples() -> None:
    assert doctest.testmod(module).failed == 0
