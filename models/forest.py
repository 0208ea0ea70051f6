"""The anomaly model: an isolation forest over matched residuals, calibrated and attributed.

It says how strange an order (or a seller) is among its like, never that it is fake; the fusion decides what
that adds to the rules.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.calibration import Percentiles
from models.errors import TrainingError
from models.measures import ANOMALY_FEATURES, Measure
from models.residuals import Columns, Floats, Groups, Residuals, chunks, part, row_count
from models.trees import Trees

if TYPE_CHECKING:
    from sklearn.ensemble import IsolationForest

TREES = 100
SUBSAMPLE = 256
"""Rows per tree, as in Liu et al. 2008: more rows hide a dense cluster of fakes behind each other."""

SAMPLE = 100_000
"""Training rows the trees draw from and the percentiles are taken of."""

MIN_ROWS = 100
"""Clean rows below which there is no model: its percentiles would be coarser than a per cent."""

_CHUNK = 32_768


@dataclass(frozen=True, eq=False)  # without slots: what is made from it is kept in its dictionary
class AnomalyModel:
    """A trained forest with what it needs to judge raw feature columns.

    Attributes
    ----------
    residuals
        Columns → residuals against the matched group.
    forest
        The scikit-learn forest over float32 residuals.
    percentiles
        Forest score → percentile of the clean training rows.
    rows
        Clean rows it was trained on.
    """

    residuals: Residuals
    forest: IsolationForest
    percentiles: Percentiles
    rows: int

    @classmethod
    def fit(
        cls,
        columns: Columns,
        groups: Groups,
        *,
        seed: int,
        clean: NDArray[np.bool_] | None = None,
        measures: Sequence[Measure] = ANOMALY_FEATURES,
    ) -> AnomalyModel:
        """Train on a window that ended before what will be scored. The order of rows does not matter.

        Parameters
        ----------
        columns, groups
            As in ``Residuals.fit``, shape (n,).
        seed
            The forest's random state.
        clean
            Rows to learn what is normal from; None is all. Leave out what the rules already suspect: a
            campaign of fakes that is part of 'normal' would make the next one typical. The percentile then
            is the share of unsuspected rows that are less strange.
        measures
            What the forest looks at; another tuple makes a model of sellers.

        Raises
        ------
        TrainingError
            Fewer than ``MIN_ROWS`` clean rows.
        """
        kept = np.ones(row_count(columns, groups), dtype=np.bool_) if clean is None else clean
        rows = int(kept.sum())
        if rows < MIN_ROWS:
            raise TrainingError(f"{rows} clean rows are too few to learn from; give {MIN_ROWS} or more")
        wanted = {measure.name for measure in measures}
        columns = {name: values[kept] for name, values in columns.items() if name in wanted}
        groups = {name: codes[kept] for name, codes in groups.items()}
        columns = columns or {measures[0].name: np.full(rows, np.nan)}
        from sklearn.ensemble import IsolationForest

        residuals = Residuals.fit(columns, groups, measures)
        sample = _sample(residuals.transform(columns, groups).astype(np.float32), SAMPLE)
        forest = IsolationForest(
            n_estimators=TREES, max_samples=min(SUBSAMPLE, len(sample)), random_state=seed
        ).fit(sample)
        percentiles = Percentiles.fit(Trees.of(forest).score(sample))
        return cls(residuals, forest, percentiles, rows)

    @cached_property
    def features(self) -> tuple[str, ...]:
        """Names of the columns it looks at."""
        return tuple(measure.name for measure in self.residuals.measures)

    def percentile(self, columns: Columns, groups: Groups, *, nthread: int = 1) -> Floats:
        """How strange each row is, shape (n,), inside 0–1, higher is stranger.

        0.99: stranger than 99 % of the training window's clean rows. Nulls count as typical. A row's value
        depends neither on the other rows nor on ``nthread``.

        Raises
        ------
        ValueError
            See ``Residuals.transform``.
        """
        count = row_count(columns, groups)
        if count <= _CHUNK:
            return self._judge(columns, groups)
        with ThreadPoolExecutor(max(nthread, 1)) as pool:
            rows = [slice(*bounds) for bounds in chunks(count, _CHUNK)]
            blocks = pool.map(lambda at: self._judge(part(columns, at), part(groups, at)), rows)
            return np.concatenate(list(blocks))

    def _judge(self, columns: Columns, groups: Groups) -> Floats:
        return self.percentiles.transform(self.score(self.residuals.transform(columns, groups)))

    def attribute(
        self, columns: Columns, groups: Groups, rows: Sequence[int] | NDArray[np.int64]
    ) -> list[list[tuple[str, float]]]:
        """What makes each of ``rows`` strange: (feature, contribution), strongest first.

        A contribution is how far the forest's score (0–1, higher is stranger) falls when the feature is
        replaced by its group's median; features that do not lower it are left out.
        """
        chosen = np.asarray(rows, dtype=np.int64)
        residuals = self.residuals.transform(part(columns, chosen), part(groups, chosen))
        count, width = residuals.shape
        typical = np.repeat(residuals[:, None, :], width, axis=1)
        typical[:, np.arange(width), np.arange(width)] = 0.0
        without = self.score(typical.reshape(-1, width)).reshape(count, width)
        falls = self.score(residuals)[:, None] - without
        return [
            [(self.features[at], float(row[at])) for at in np.argsort(-row, kind="stable") if row[at] > 1e-9]
            for row in falls
        ]

    def score(self, residuals: Floats) -> Floats:
        """The forest's own score of residuals of shape (n, measures): 0–1, higher is stranger."""
        return self._trees.score(residuals.astype(np.float32))

    def digest(self) -> str:
        """SHA-256 of everything that decides a score, hex; a pickle's bytes also tell how it came about."""
        learnt = (*self.residuals.branches, self.residuals.medians, self.residuals.scales)
        curve = (self.percentiles.scores, self.percentiles.shares)
        total = hashlib.sha256(repr((self.residuals.measures, self.residuals.keys, self.rows)).encode())
        for values in (*learnt, *curve, *_tree_arrays(self.forest)):
            total.update(np.ascontiguousarray(values).tobytes())
        return total.hexdigest()

    @cached_property
    def _trees(self) -> Trees:
        return Trees.of(self.forest)

    def __getstate__(self) -> dict[str, object]:
        """Without what is made anew when needed."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _tree_arrays(forest: IsolationForest) -> Iterator[NDArray[np.generic]]:
    for estimator in forest.estimators_:
        tree = estimator.tree_
        yield from (
            tree.feature,
            tree.threshold,
            tree.children_left,
            tree.children_right,
            tree.n_node_samples,
        )


def _sample(rows: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """At most ``size`` rows, in an order that is the same however the input was ordered.

    Each row draws a lot from its content and from which of its equals it is, so that of many equal rows
    about their share is drawn.
    """
    content = pd.util.hash_pandas_object(pd.DataFrame(rows + np.float32(0)), index=False)
    turn = content.groupby(content).cumcount().to_numpy(dtype=np.uint64)
    lots = pd.util.hash_array(content.to_numpy() + turn)
    return rows[np.argsort(lots, kind="stable")[:size]]
