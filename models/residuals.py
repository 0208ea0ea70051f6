"""Features as residuals: how far from what is usual for orders of the same kind.

A fake differs from its peers, not from the whole market. Each value is compared with the median of its
matched group (category, seller size, live channel, week) and measured in that group's own spread, so that a
viral product, a live-stream hour or a new shop is compared with others of its kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from features.compiled import compiled
from features.stack import Stack, stacked
from models.measures import Measure

T = TypeVar("T", bound=np.generic)
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Columns = Mapping[str, Floats]
Groups = Mapping[str, Ints]

LIMIT = 8.0
"""A residual beyond eight spreads says no more than eight."""

MIN_GROUP = 200
"""Known values below which a group's median is not trusted and the next coarser group's is used."""

_CODES = 1 << 31
_IQR_PER_SIGMA = 1.3489795003921634
_CHUNK = 32_768


@dataclass(frozen=True, slots=True, eq=False)
class Residuals:
    """Medians and spreads per matched group, learnt once.

    The groups form a tree: node 0 is the whole window, its children the values of the first key, theirs the
    values of the second within the first, and so on. Only groups of ``MIN_GROUP`` rows and more are nodes.

    Attributes
    ----------
    measures
        Columns of the result, in order.
    keys
        Names of the group codes, coarsest first.
    branches
        Per key: sorted int64 ``parent node · 2³¹ + code`` of the nodes on that level.
    offsets
        Per key: id of the level's first node.
    medians, scales
        Float64, shape (nodes, measures); a median that no value supports is NaN.
    heavy
        Positions of the measures taken as logarithms.
    bounds
        Least and greatest residual per measure, shape (2, measures).
    """

    measures: tuple[Measure, ...]
    keys: tuple[str, ...]
    branches: tuple[Ints, ...]
    offsets: tuple[int, ...]
    medians: Floats
    scales: Floats
    heavy: Ints
    bounds: Floats

    @classmethod
    def fit(cls, columns: Columns, groups: Groups, measures: Sequence[Measure]) -> Residuals:
        """Learn medians and spreads.

        Parameters
        ----------
        columns
            Feature name → float64 of shape (n,); NaN is not known. A measure without a column is unknown.
        groups
            Group key → int64 codes of shape (n,), 0 ≤ code < 2³¹; any other is not known. The order of the
            keys is the order of backing off: the last is given up first, so put what new data will not
            share with the window (the week) last. Empty: one group.

        Raises
        ------
        ValueError
            Columns and codes are not of one length, or there are none.

        Examples
        --------
        >>> age = np.repeat([1.0, 9.0], 300)
        >>> measures = [Measure("age", 2.0, side="both")]
        >>> fitted = Residuals.fit({"age": age}, {"kind": age.astype(int)}, measures)
        >>> fitted.transform({"age": np.array([5.0, 5.0, np.nan])}, {"kind": np.array([1, 9, 1])}).tolist()
        [[2.0], [-2.0], [0.0]]
        """
        count = row_count(columns, groups)
        branches, offsets, slices, order = _grow(groups, count)
        nodes = 1 + sum(len(branch) for branch in branches)
        medians = np.full((nodes, len(measures)), np.nan)
        spreads = np.zeros((nodes, len(measures)))
        parents = np.concatenate([np.zeros(1, dtype=np.int64), *(branch // _CODES for branch in branches)])
        for at, measure in enumerate(measures):
            if measure.name in columns:
                values = _scaled(columns[measure.name], measure)[order]
                medians[:, at], spreads[:, at] = _typical(values, slices, parents)
        floors = np.array([measure.floor for measure in measures])
        heavy = np.array([at for at, measure in enumerate(measures) if measure.log], dtype=np.int64)
        lowest = [0.0 if measure.side == "high" else -LIMIT for measure in measures]
        highest = [0.0 if measure.side == "low" else LIMIT for measure in measures]
        return cls(
            tuple(measures),
            tuple(groups),
            branches,
            offsets,
            medians,
            np.maximum(spreads, floors),
            heavy,
            np.array([lowest, highest]),
        )

    def transform(self, columns: Columns, groups: Groups) -> Floats:
        """Residuals of shape (n, measures), clipped to ±8 and to the measure's side.

        0 is typical, and so is what is not known: a null, a missing column, a feature the training window
        never had. A group the window did not have is compared with the next coarser one.

        Raises
        ------
        ValueError
            Columns and codes are not of one length, or a group key is missing.
        """
        count = row_count(columns, groups)
        missing = [key for key in self.keys if key not in groups]
        if missing:
            raise ValueError(f"group codes {missing} are not given; the model matches on {list(self.keys)}")
        if count <= _CHUNK:
            return self._block(columns, groups, count)
        result = np.empty((count, len(self.measures)))
        for start, stop in chunks(count, _CHUNK):
            rows = slice(start, stop)
            result[rows] = self._block(part(columns, rows), part(groups, rows), stop - start)
        return result

    def _block(self, columns: Columns, groups: Groups, count: int) -> Floats:
        values = stacked(columns, tuple(measure.name for measure in self.measures), count)
        node = self._locate(groups, count)
        return _compare(values, self.heavy, node, self.medians, self.scales, self.bounds)

    def _locate(self, groups: Groups, count: int) -> Ints:
        """The finest node of each of ``count`` rows."""
        node = np.zeros(count, dtype=np.int64)
        for key, branch, offset in zip(self.keys, self.branches, self.offsets, strict=True):
            _descend(node, groups[key], branch, offset)
        return node


def row_count(columns: Columns, groups: Groups) -> int:
    """The one length of all arrays given.

    Raises
    ------
    ValueError
        They differ, or there is none.

    >>> row_count({"a": np.zeros(2)}, {"g": np.zeros(3, dtype=int)})
    Traceback (most recent call last):
    ...
    ValueError: columns and group codes must be of one length; got {'a': 2, 'g': 3}
    """
    lengths = {len(codes) for codes in groups.values()}
    if isinstance(columns, Stack):
        lengths.add(columns.array.shape[1])
    else:
        lengths |= {len(values) for values in columns.values()}
    if len(lengths) != 1:
        each = {name: len(values) for name, values in (*columns.items(), *groups.items())}
        raise ValueError(f"columns and group codes must be of one length; got {each}")
    return lengths.pop()


def chunks(count: int, size: int) -> Iterator[tuple[int, int]]:
    """Bounds of consecutive blocks of at most ``size`` rows.

    >>> list(chunks(5, 2))
    [(0, 2), (2, 4), (4, 5)]
    """
    return ((start, min(start + size, count)) for start in range(0, count, size))


def part(arrays: Mapping[str, NDArray[T]], rows: slice | Ints) -> dict[str, NDArray[T]]:
    """Some rows of each array."""
    return {name: values[rows] for name, values in arrays.items()}


@compiled
def _log(values: Floats) -> Floats:
    return np.copysign(np.log1p(np.abs(values)), values)


@compiled
def _compare(
    values: Floats, heavy: Ints, node: Ints, medians: Floats, scales: Floats, bounds: Floats
) -> Floats:
    """Residuals of ``values`` of shape (measures, rows), which are changed, transposed."""
    for at in heavy:
        values[at] = _log(values[at])
    width, count = values.shape
    result = np.empty((count, width))
    for row in range(count):
        for at in range(width):
            residual = (values[at, row] - medians[node[row], at]) / scales[node[row], at]
            inside = min(max(residual, bounds[0, at]), bounds[1, at])
            result[row, at] = 0.0 if np.isnan(residual) else inside
    return result


def _scaled(values: Floats, measure: Measure) -> Floats:
    return _log(values) if measure.log else values


@compiled
def _known(codes: Ints) -> NDArray[np.bool_]:
    known: NDArray[np.bool_] = (codes & (_CODES - 1)) == codes
    return known


@compiled
def _descend(node: Ints, codes: Ints, branch: Ints, offset: int) -> None:
    """Move each row to its child on the next level where there is one. Node ids differ between levels, so
    a row that stopped on a coarser one matches nothing further down."""
    for row in range(len(node)):
        wanted = node[row] * _CODES + codes[row]
        at = np.searchsorted(branch, wanted)
        if at < len(branch) and branch[at] == wanted and _known(codes[row]):
            node[row] = at + offset


def _grow(
    groups: Groups, count: int
) -> tuple[tuple[Ints, ...], tuple[int, ...], list[tuple[Ints, Ints]], Ints]:
    """The tree of groups: branches, offsets, per level the (starts, stops) of its nodes, and the order of
    rows in which every node of every level is one run."""
    order = np.lexsort(list(groups.values())[::-1]) if groups else np.arange(count)
    node = np.zeros(count, dtype=np.int64)
    branches: list[Ints] = []
    offsets: list[int] = []
    offset = 1
    slices = [(np.array([0]), np.array([count]))]
    for codes in groups.values():
        codes = codes[order]
        grows = _known(codes) & (node >= (offsets[-1] if offsets else 0))
        found, first, size = np.unique(
            np.where(grows, node * _CODES + codes, -1), return_index=True, return_counts=True
        )
        kept = (size >= MIN_GROUP) & (found >= 0)
        branches.append(found[kept])
        offsets.append(offset)
        slices.append((first[kept], (first + size)[kept]))
        _descend(node, codes, branches[-1], offset)
        offset += int(kept.sum())
    return tuple(branches), tuple(offsets), slices, order


def _typical(values: Floats, slices: list[tuple[Ints, Ints]], parents: Ints) -> tuple[Floats, Floats]:
    """Median and spread per node of values in tree order; a thin node takes its parent's."""
    quartiles, known = [], []
    # From the finest level up: each sort in place starts from runs that are sorted already.
    for starts, stops in reversed(slices):
        for start, stop in zip(starts, stops, strict=True):
            values[start:stop].sort()
        unknown = np.concatenate([[0], np.cumsum(np.isnan(values))])
        size = stops - starts - (unknown[stops] - unknown[starts])
        known.append(size)
        quartiles.append(_quartiles(values, starts, size))
    lower, middle, upper = np.concatenate(quartiles[::-1], axis=1)
    spread = (upper - lower) / _IQR_PER_SIGMA
    for thin in np.flatnonzero(np.concatenate(known[::-1]) < MIN_GROUP):
        if thin:  # the root has no parent: it keeps what it has
            middle[thin], spread[thin] = middle[parents[thin]], spread[parents[thin]]
    return middle, np.nan_to_num(spread)


def _quartiles(values: Floats, starts: Ints, size: Ints) -> Floats:
    """Quartiles (linear interpolation), shape (3, runs), of sorted runs whose first ``size`` are known."""
    at = np.array([[0.25], [0.5], [0.75]]) * np.maximum(size - 1, 0)
    below = np.floor(at).astype(np.int64)
    above = np.minimum(below + 1, np.maximum(size - 1, 0))
    low, high = values[starts + below], values[starts + above]
    return np.where(size > 0, low + (high - low) * (at - below), np.nan)
