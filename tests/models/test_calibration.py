"""Percentiles against pandas ranks."""

from __future__ import annotations

import doctest

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models import calibration as module
from models.calibration import Percentiles

SCORES = arrays(np.float64, st.integers(1, 300), elements=st.floats(0, 1, width=32))


def test_close_to_the_rank_of_each_score() -> None:
    scores = np.random.default_rng(3).beta(2, 5, 50_000)
    got = Percentiles.fit(scores).transform(scores)
    expected = (pd.Series(scores).rank(method="average").to_numpy() - 0.5) / len(scores)
    assert np.abs(got - expected).max() < 5e-3
    upper = expected > 0.99
    assert np.abs((1 - got[upper]) / (1 - expected[upper]) - 1).max() < 0.5, "the tail keeps its resolution"
    assert np.abs((1 - got[upper]) / (1 - expected[upper]) - 1).mean() < 0.05


@given(scores=SCORES, asked=SCORES)
@settings(max_examples=80, deadline=None)
def test_monotone_and_inside_the_unit_interval(scores: np.ndarray, asked: np.ndarray) -> None:
    curve = Percentiles.fit(scores)
    got = curve.transform(np.sort(asked))
    assert (np.diff(got) >= 0).all()
    assert ((got > 0) & (got < 1)).all()
    assert (np.diff(curve.scores) > 5e-7).all(), "the slope is bounded"


def test_ties_share_the_middle_of_their_ranks() -> None:
    curve = Percentiles.fit(np.repeat([0.4, 0.6], [90, 10]))
    assert curve.transform(np.array([0.4, 0.6])).tolist() == [0.45, 0.95]


def test_docstring_examples() -> None:
    assert doctest.testmod(module).failed == 0
