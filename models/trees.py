"""An isolation forest's trees as flat arrays, all of which some rows walk down together.

scikit-learn asks tree by tree, which costs milliseconds before the first row is judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sklearn.ensemble import IsolationForest

__all__ = ["Trees"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_ROWS_AT_ONCE = 256
"""Rows that walk together: their places in a hundred trees fit into a processor's cache."""


def _isolation_depth(rows: Ints) -> Floats:
    """Mean depth at which a tree isolates one of so many rows: c(n) of Liu et al. 2008.

    >>> _isolation_depth(np.array([1, 2, 256])).round(4).tolist()
    [0.0, 1.0, 10.2448]
    """
    many = np.maximum(rows, 3)
    depth = 2.0 * (np.log(many - 1.0) + np.euler_gamma) - 2.0 * (many - 1.0) / many
    return np.where(rows > 2, depth, rows - 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Trees:
    """Every node of every tree; arrays of shape (nodes,), but for ``roots``, of shape (trees,).

    Attributes
    ----------
    feature, threshold
        A row goes right where its float32 ``feature`` is greater than the ``threshold``.
    left
        Where it goes else; the right node is the next one. A leaf is its own, and nothing is greater than
        its threshold.
    depth
        Of leaves: how many steps it takes to isolate a row that ends there.
    height
        Steps after which every row is in a leaf.
    typical
        How many steps it takes in all trees on average.
    """

    feature: Ints
    threshold: NDArray[np.float32]
    left: Ints
    depth: Floats
    roots: Ints
    height: int
    typical: float

    @classmethod
    def of(cls, forest: IsolationForest) -> Self:
        """The trees of a forest."""
        trees = [estimator.tree_ for estimator in forest.estimators_]
        roots = np.cumsum([0, *(tree.node_count for tree in trees[:-1])])
        nodes = [_in_levels(tree) for tree in trees]
        feature, threshold, left, depth = (np.concatenate(parts) for parts in zip(*nodes, strict=True))
        left += np.repeat(roots, [tree.node_count for tree in trees])
        height = max(tree.max_depth for tree in trees)
        typical = len(trees) * float(_isolation_depth(np.array(forest.max_samples_)))
        return cls(feature, threshold, left, depth, roots, height, typical)

    def score(self, rows: NDArray[np.float32]) -> Floats:
        """The forest's ``-score_samples`` of rows of shape (n, features), n ≥ 1, in the same arithmetic."""
        starts = range(0, len(rows), _ROWS_AT_ONCE)
        depth = np.concatenate([self._depth(rows[start : start + _ROWS_AT_ONCE]) for start in starts])
        return np.asarray(2.0 ** -(depth / self.typical), dtype=np.float64)

    def _depth(self, rows: NDArray[np.float32]) -> Floats:
        count, width = rows.shape
        flat, begins = rows.ravel(), (np.arange(count) * width)[:, None]
        node = np.tile(self.roots, (count, 1))
        for _ in range(self.height):
            value = flat.take(self.feature.take(node) + begins)
            right = value > self.threshold.take(node)
            node = self.left.take(node)
            node += right
        # tree by tree: a sum's last bits depend on how it is grouped
        return np.asarray(np.add.accumulate(self.depth.take(node), axis=1)[:, -1], dtype=np.float64)


def _in_levels(tree: Any) -> Sequence[NDArray[Any]]:
    """Feature, threshold, left and depth of a scikit-learn tree's nodes, level by level: siblings side by side."""
    order: list[Ints] = [np.zeros(1, dtype=np.int64)]
    level: list[Floats] = []
    while len(order[-1]):
        level.append(np.full(len(order[-1]), len(level) + 1.0))
        inner = order[-1][tree.children_left[order[-1]] >= 0]
        order.append(np.column_stack([tree.children_left[inner], tree.children_right[inner]]).ravel())
    node = np.concatenate(order)
    is_leaf = tree.children_left[node] < 0
    left = np.arange(len(node))
    left[~is_leaf] = np.arange(1, len(node), 2)
    threshold = np.where(is_leaf, np.inf, _below(tree.threshold[node]))
    return (
        np.where(is_leaf, 0, tree.feature[node]),
        threshold.astype(np.float32),
        left,
        np.concatenate(level) + _isolation_depth(tree.n_node_samples[node]) - 1.0,
    )


def _below(values: Floats) -> NDArray[np.float32]:
    """The greatest float32 numbers not above ``values``: a float32 number is greater than one if than the other."""
    rounded = values.astype(np.float32)
    return np.where(rounded > values, np.nextafter(rounded, np.float32(-np.inf)), rounded)
