"""The seller forest's part in a scan: how strange a seller's orders are together, and what makes them so.

It ranks sellers, it never accuses: what is recommended rests on suspected orders alone (``detector.sellers``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.anomaly import SEED
from detector.scoring import Reason
from features.catalog import CATALOG
from models.calibration import RAREST, surprise
from models.errors import TrainingError
from models.forest import AnomalyModel
from models.measures import SELLER_FEATURES
from models.seller_figures import figure_measures, seller_figures

__all__ = ["CODE", "StrangeSellers", "compare_sellers", "figures_of", "ranked"]

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

CODE = "SELLER_UNUSUAL"
"""Reason code of a suspected seller that is stranger than nearly all others."""

TOLD_FROM = 0.99
"""Percentile from which a suspected seller is told what is strange about it."""

FIGURES_TOLD = 3

WHO_BUYS = "self_dealing"
"""Clause of a figure that speaks of the buyers alone: their accounts' age."""


@dataclass(frozen=True, slots=True)
class StrangeSellers:
    """Every seller of the window, compared with the others.

    ``place`` maps a seller's id to its row; ``figures`` and ``groups`` have one entry per row, and so have
    ``percentile`` (0–1, higher is stranger, NaN where there was no ``model``) and ``lift``: what that adds to
    the log-odds of the seller's score, below 0 of a seller that is less strange than usual.
    """

    place: Mapping[str, int]
    figures: dict[str, Floats]
    groups: dict[str, Codes]
    percentile: Floats
    lift: Floats
    model: AnomalyModel | None

    def reasons(self, sellers: pd.DataFrame) -> dict[str, Reason]:
        """What is strange about the suspected ones of ``sellers`` (a scan's table), by seller id."""
        suspected = sellers.loc[sellers["recommendation"] != "none", "seller_id"]
        rows = [self.place[seller] for seller in suspected]
        told = [row for row in rows if self.percentile[row] >= TOLD_FROM and self.lift[row] > 0]
        if self.model is None or not told:
            return {}
        causes = dict(zip(told, self.model.attribute(self.figures, self.groups, told), strict=True))
        return {
            seller: self._reason(row, [name for name, _ in causes[row][:FIGURES_TOLD]])
            for seller, row in zip(suspected, rows, strict=True)
            if causes.get(row)
        }

    def _reason(self, row: int, names: list[str]) -> Reason:
        figures = ", ".join(f"{name} ({self.figures[name][row]:.1f})" for name in names)
        rank = min(float(self.percentile[row]), 1.0 - RAREST)
        message = (
            f"The shop's orders taken together are stranger than those of {rank:.2%} of unsuspected shops. "
            f"What makes them so, in standard errors above comparable orders: {figures}."
        )
        weight = -float(np.expm1(-self.lift[row]))
        clause = CATALOG[names[0]].clause or WHO_BUYS
        return Reason(CODE, clause, round(weight, 3), message)


def figures_of(
    seller: Codes, features: Mapping[str, Floats], groups: Mapping[str, Codes]
) -> dict[str, Floats]:
    """The sellers' figures (see ``models.seller_figures``) from all orders' features, in canonical order."""
    columns = {
        measure.name: features[measure.name] for measure in SELLER_FEATURES if measure.name in features
    }
    return seller_figures(columns, groups, seller, SELLER_FEATURES)


def compare_sellers(
    con: duckdb.DuckDBPyConnection,
    seller: Codes,
    figures: dict[str, Floats],
    groups: Mapping[str, Codes],
    suspected: NDArray[np.bool_],
    weight: float,
    model: AnomalyModel | None,
) -> StrangeSellers:
    """Compare the sellers of all orders.

    Parameters
    ----------
    con
        Holds ``orders``.
    seller, groups, suspected
        Code of each order's seller, its ``comparable_groups``, whether its decision is other than allow; in
        canonical order, shape (orders,).
    figures
        From ``figures_of`` the same orders.
    weight
        Log-odds per nat of surprise beyond the usual.
    model
        The seller forest; None trains one on the sellers without a suspected order.
    """
    first = con.execute("SELECT seller_id, min(o) AS o FROM orders GROUP BY ALL").fetchnumpy()
    place = dict(zip(first["seller_id"], seller[first["o"]].tolist(), strict=True))
    size = np.zeros(len(place), dtype=np.int64)
    size[seller] = groups["seller_size"]
    sizes = {"seller_size": size}
    model = model or _trained(figures, sizes, np.bincount(seller, suspected, len(place)) == 0)
    unknown = np.full(len(place), np.nan)
    percentile = unknown if model is None else model.percentile(figures, sizes)
    lift = weight * np.where(np.isnan(percentile), 0.0, surprise(percentile) - 1.0)
    return StrangeSellers(place, figures, sizes, percentile, lift, model)


def _trained(
    figures: Mapping[str, Floats], groups: Mapping[str, Codes], clean: NDArray[np.bool_]
) -> AnomalyModel | None:
    try:
        return AnomalyModel.fit(
            figures, groups, seed=SEED, clean=clean, measures=figure_measures(SELLER_FEATURES)
        )
    except TrainingError:
        return None


def ranked(sellers: pd.DataFrame, strange: StrangeSellers) -> pd.DataFrame:
    """The verdicts, worst first, with scores lifted or lowered by how strange each seller is.

    A possible victim's is left as it is: its orders are strange by someone else's doing. Nothing but the score
    changes.
    """
    rows = sellers["seller_id"].map(strange.place).to_numpy(dtype=np.int64)
    victim = (sellers["disposition_hint"] == "possible_victim").to_numpy(dtype=bool)
    odds = np.exp(np.where(victim, 0.0, strange.lift[rows]))
    score = sellers["score"].to_numpy(dtype=np.float64)
    lifted = np.round(score * odds / (1.0 - score + score * odds), 9)
    return sellers.assign(score=lifted).sort_values(
        ["score", "seller_id"], ascending=[False, True], ignore_index=True
    )
