"""An isolation forest's trees as one array of nodes, which a row walks down in all trees at once.

scikit-learn asks tree by tree, which costs milliseconds before the first row is judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from features.compiled import compiled

if TYPE_CHECKING:
    from sklearn.ensemble import IsolationForest

__all__ = ["Trees"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_NODE = np.dtype([("threshold", np.float32), ("feature", np.uint32), ("left", np.uint32)])
"""Twelve bytes, so that the trees fit into a processor's cache and a step reads one place of it."""


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
    """Every node of every tree.

    Attributes
    ----------
    nodes
        Shape (nodes,). A row goes right where its float32 ``feature`` is greater than the ``threshold``, else
        ``left``; the right node is the one after the left. A leaf is its own left node, and nothing is greater
        than its threshold.
    depth
        Float64 of shape (nodes,). Of leaves: how many steps it takes to isolate a row that ends there.
    roots
        Uint32 of shape (trees,).
    height
        Steps after which every row is in a leaf.
    typical
        How many steps it takes in all trees on average.
    """

    nodes: NDArray[np.void]
    depth: Floats
    roots: NDArray[np.uint32]
    height: int
    typical: float

    @classmethod
    def of(cls, forest: IsolationForest) -> Self:
        """The trees of a forest."""
        trees = [estimator.tree_ for estimator in forest.estimators_]
        roots = np.cumsum([0, *(tree.node_count for tree in trees[:-1])])
        levels = [_in_levels(tree) for tree in trees]
        feature, threshold, left, depth = (np.concatenate(parts) for parts in zip(*levels, strict=True))
        nodes = np.empty(len(left), dtype=_NODE)
        nodes["feature"], nodes["threshold"] = feature, threshold
        nodes["left"] = left + np.repeat(roots, [tree.node_count for tree in trees])
        height = max(tree.max_depth for tree in trees)
        typical = len(trees) * float(_isolation_depth(np.array(forest.max_samples_)))
        return cls(nodes, depth, roots.astype(np.uint32), height, typical)

    def score(self, rows: NDArray[np.float32]) -> Floats:
        """The forest's ``-score_samples`` of rows of shape (n, features), in the same arithmetic."""
        depth = _walk(rows, self.nodes, self.depth, self.roots, self.height)
        return np.asarray(2.0 ** -(depth / self.typical), dtype=np.float64)


@compiled
def _walk(
    rows: NDArray[np.float32], nodes: NDArray[np.void], depth: Floats, roots: NDArray[np.uint32], height: int
) -> Floats:
    """Steps it takes to isolate each row, over all trees.

    A row takes one step in every tree, then the next: these do not wait for each other, and without a test
    for leaves the processor guesses no branch wrong.
    """
    total = np.zeros(len(rows))
    node = np.empty_like(roots)
    for at in range(len(rows)):
        row = rows[at]
        node[:] = roots
        for _ in range(height):
            for tree in range(len(roots)):
                here = nodes[node[tree]]
                node[tree] = here.left + (row[here.feature] > here.threshold)
        for tree in range(len(roots)):  # in scikit-learn's order: a sum's last bits depend on it
            total[at] += depth[node[tree]]
    return total


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
