"""Trees as machine code against a walk down scikit-learn's own trees, node by node."""

from __future__ import annotations

import doctest
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import IsolationForest

from models import trees as module
from models.trees import Trees


def a_forest(rows: int = 300, features: int = 3, trees: int = 20, seed: int = 1) -> IsolationForest:
    rng = np.random.default_rng(seed)
    sample = np.where(rng.random((rows, features)) < 0.5, 0.0, rng.normal(size=(rows, features)))
    forest = IsolationForest(n_estimators=trees, max_samples=min(rows, 256), random_state=seed)
    return forest.fit(sample.astype(np.float32))


def expected_depth(rows: int) -> float:
    if rows < 3:
        return rows - 1.0
    return 2.0 * (math.log(rows - 1.0) + 0.5772156649015329) - 2.0 * (rows - 1.0) / rows


def walked(tree: Any, row: np.ndarray[Any, Any]) -> float:
    node, steps = 0, 0
    while tree.children_left[node] != -1:
        goes_left = float(row[tree.feature[node]]) <= tree.threshold[node]
        node = (tree.children_left if goes_left else tree.children_right)[node]
        steps += 1
    return steps + expected_depth(int(tree.n_node_samples[node]))


@pytest.mark.parametrize(("rows", "features"), [(300, 3), (100, 1), (4, 2)])
def test_rows_end_where_each_tree_leads_them(rows: int, features: int) -> None:
    forest = a_forest(rows, features)
    thresholds = np.concatenate([one.tree_.threshold for one in forest.estimators_]).astype(np.float32)
    rng = np.random.default_rng(3)
    # values on a threshold, and the next ones beside it
    near = np.concatenate(
        [thresholds, np.nextafter(thresholds, np.float32(9)), np.float32([-50.0, 0.0, 50.0])]
    )
    asked = rng.choice(near, (120, features))
    typical = expected_depth(min(rows, 256))
    depth = np.array([np.mean([walked(one.tree_, row) for one in forest.estimators_]) for row in asked])
    np.testing.assert_allclose(Trees.of(forest).score(asked), 2.0 ** (-depth / typical), rtol=1e-14)


def test_scores_are_scikit_learns_to_the_last_bit() -> None:
    forest = a_forest(trees=100)
    rows = np.random.default_rng(6).normal(size=(5000, 3)).astype(np.float32)
    np.testing.assert_array_equal(Trees.of(forest).score(rows), -forest.score_samples(rows))


def test_a_row_is_the_same_to_the_last_bit_alone_and_among_many() -> None:
    trees = Trees.of(a_forest(trees=100))
    rows = np.random.default_rng(5).normal(size=(600, 3)).astype(np.float32)
    alone = [trees.score(row[None])[0] for row in rows]
    np.testing.assert_array_equal(trees.score(rows), alone)


@given(st.floats(-1e30, 1e30), st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_threshold_parts_float32_numbers_as_before(threshold: float, value: float) -> None:
    below = module._below(np.array([threshold]))
    assert (np.float32(value) > below[0]) == (value > threshold)


def test_docstring_examples() -> None:
    assert doctest.testmod(module).failed == 0
