"""Sellers in figures: against plain Python, and what volume and one odd order do."""

from __future__ import annotations

import math
from statistics import fmean

import numpy as np
import pytest
from model_builders import MEASURES, some_columns, some_groups

from models.residuals import Residuals
from models.seller_figures import LEAST_VARIANCE, PRIOR, seller_figures


def test_figures_are_those_of_plain_python() -> None:
    columns, groups = some_columns(900), some_groups(900)
    seller = np.random.default_rng(4).integers(0, 40, 900)
    found = seller_figures(columns, groups, seller, MEASURES)
    strange = np.abs(Residuals.fit(columns, groups, MEASURES).transform(columns, groups))
    for at, measure in enumerate(MEASURES):
        known = [o for o in range(900) if not math.isnan(columns[measure.name][o])]
        usual = fmean(strange[o, at] for o in known)
        variance = max(fmean(strange[o, at] ** 2 for o in known) - usual**2, LEAST_VARIANCE)
        for code in range(40):
            mine = [strange[o, at] - usual for o in known if seller[o] == code]
            error = math.sqrt((len(mine) + PRIOR) * variance)
            assert found[measure.name][code] == pytest.approx(math.fsum(mine) / error)


def test_what_no_order_tells_is_not_known() -> None:
    columns = some_columns(600, unknown=0.0)
    seller = np.arange(600) // 20
    columns["share"][seller == 3] = np.nan
    del columns["focus"]
    found = seller_figures(columns, some_groups(600), seller, MEASURES)
    assert np.flatnonzero(np.isnan(found["share"])).tolist() == [3]
    assert np.isnan(found["focus"]).all()


def test_a_habit_is_strange_and_neither_volume_nor_one_odd_order_is() -> None:
    columns = {name: np.zeros(2000) for name in ("focus", "age_days", "share", "rating_residual")}
    seller = np.repeat([0, 1, 2, 3], [1700, 279, 20, 1])
    columns["rating_residual"][::10] = 1.0
    columns["rating_residual"][seller == 2] = 1.0
    columns["rating_residual"][seller == 3] = 1.0
    figure = seller_figures(columns, {}, seller, MEASURES)["rating_residual"]
    assert np.abs(figure[[0, 1]]).max() < 2
    assert figure[3] < 2.5
    assert figure[2] > 5
