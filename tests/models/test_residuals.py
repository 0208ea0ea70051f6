"""Residuals against a row-by-row pandas oracle."""

from __future__ import annotations

import doctest

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_builders import MEASURES, some_columns, some_groups
from numpy.typing import NDArray

from models import residuals as module
from models.measures import Measure
from models.residuals import LIMIT, MIN_GROUP, Residuals


def the_slow_way(
    train: pd.DataFrame, codes: pd.DataFrame, measure: Measure, value: float, code: tuple[int, ...]
) -> float:
    """One residual from the definition: the finest group with enough known values."""
    if np.isnan(value):
        return 0.0
    known = train[measure.name].notna()
    for depth in range(len(code), -1, -1):
        inside = known.copy()
        for key, wanted in zip(codes.columns[:depth], code[:depth], strict=True):
            inside &= (codes[key] == wanted) & (wanted >= 0)
        if depth == 0 or inside.sum() >= MIN_GROUP:
            break
    peers = train.loc[inside, measure.name]
    if measure.log:
        peers, value = np.sign(peers) * np.log1p(peers.abs()), float(np.sign(value) * np.log1p(abs(value)))
    sigma = (peers.quantile(0.75) - peers.quantile(0.25)) / 1.3489795003921634
    residual = (value - peers.median()) / max(sigma, measure.floor)
    low, high = {"high": (0, LIMIT), "low": (-LIMIT, 0), "both": (-LIMIT, LIMIT)}[measure.side]
    return float(np.clip(residual, low, high))


def test_equals_the_pandas_oracle_on_new_rows() -> None:
    columns, groups = some_columns(), some_groups()
    new, new_groups = some_columns(48, seed=8), some_groups(48, seed=9)
    new_groups["week"][:10] = 99  # a week the window did not have
    new_groups["category"][10:20] = 5
    new_groups["live"][20:30] = -1
    fitted = Residuals.fit(columns, groups, MEASURES)
    got = fitted.transform(new, new_groups)
    train, codes = pd.DataFrame(columns), pd.DataFrame(groups)
    rows = list(zip(*(values.tolist() for values in new_groups.values()), strict=True))
    expected = [
        [the_slow_way(train, codes, m, new[m.name][at], rows[at]) for m in MEASURES] for at in range(48)
    ]
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)
    depths = {int((np.array(fitted.offsets) <= node).sum()) for node in fitted._locate(new_groups, 48)}
    assert depths == {0, 1, 2, 3}, "the case must reach every level of the tree"


@given(seed=st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_order_of_training_rows_does_not_matter(seed: int) -> None:
    columns, groups = some_columns(900), some_groups(900)
    mixed = np.random.default_rng(seed).permutation(900)
    one = Residuals.fit(columns, groups, MEASURES)
    other = Residuals.fit(
        {name: values[mixed] for name, values in columns.items()},
        {name: codes[mixed] for name, codes in groups.items()},
        MEASURES,
    )
    np.testing.assert_array_equal(one.medians, other.medians)
    np.testing.assert_array_equal(one.scales, other.scales)
    assert [branch.tolist() for branch in one.branches] == [branch.tolist() for branch in other.branches]


def test_a_group_far_from_the_market_is_typical_among_its_like() -> None:
    live = np.repeat([0, 1], [3000, 300])
    gap: NDArray[np.float64] = np.where(live == 1, 0.1, 50.0) + np.linspace(0, 0.01, 3300)
    measure = [Measure("gap", 0.5, side="both")]
    matched = Residuals.fit({"gap": gap}, {"live": live}, measure).transform({"gap": gap}, {"live": live})
    alone = Residuals.fit({"gap": gap}, {}, measure).transform({"gap": gap}, {})
    assert np.abs(matched).max() < 1
    assert alone[-1, 0] == -LIMIT


def test_what_is_not_known_is_typical() -> None:
    fitted = Residuals.fit(some_columns(unknown=1.0), some_groups(), MEASURES)
    assert not fitted.transform(some_columns(), some_groups()).any(), "never seen in the window"
    fitted = Residuals.fit(some_columns(), some_groups(), MEASURES)
    assert not fitted.transform(some_columns(unknown=1.0), some_groups()).any(), "null now"
    only = {"share": some_columns()["share"]}
    got = fitted.transform(only, some_groups())
    assert got[:, 2].any()
    assert not got[:, [0, 1, 3]].any(), "column missing"


def test_infinite_values_stay_inside_the_limit() -> None:
    fitted = Residuals.fit(some_columns(), some_groups(), MEASURES)
    wild = {"share": np.array([np.inf, -np.inf]), "focus": np.array([np.inf, 1e300])}
    got = fitted.transform(wild, some_groups(2))
    assert got[:, 2].tolist() == [LIMIT, -LIMIT]
    assert got[:, 0].tolist() == [LIMIT, LIMIT]


def test_lengths_and_keys_are_checked() -> None:
    fitted = Residuals.fit(some_columns(), some_groups(), MEASURES)
    with pytest.raises(ValueError, match="one length"):
        fitted.transform(some_columns(5), some_groups(4))
    with pytest.raises(ValueError, match=r"\['week'\] are not given"):
        fitted.transform(some_columns(5), {"category": some_groups(5)["category"], "live": np.zeros(5, int)})
    with pytest.raises(ValueError, match="one length"):
        Residuals.fit({}, {}, MEASURES)


def test_docstring_examples() -> None:
    assert doctest.testmod(module).failed == 0
