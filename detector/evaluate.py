"""How good the detection is, measured against known truth: what it finds, whom it accuses wrongly."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import beta
from sklearn.metrics import average_precision_score, roc_auc_score

from detector.errors import InputError
from detector.scoring import ALLOW

__all__ = ["Evaluation", "evaluate", "interval", "recall_at", "split"]

FALSE_POSITIVE_RATES = (0.001, 0.01)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Measured figures.

    Attributes
    ----------
    orders, sellers
        Figure → value. Rates are 0–1.
    attacks
        One row per attack type: orders, recall at each order-level false-positive rate, share not allowed,
        and share of the found whose strongest reason names the right clause.
    groups
        One row per innocent look-alike group: genuine orders and the share not allowed.
    splits
        Further tables by name: order figures by a column, or without a family of evidence.
    """

    orders: dict[str, float]
    sellers: dict[str, float]
    attacks: pd.DataFrame
    groups: pd.DataFrame
    splits: dict[str, pd.DataFrame] = field(default_factory=dict)


def interval(hits: int, total: int, level: float = 0.95) -> tuple[float, float]:
    """Exact (Clopper–Pearson) confidence interval of a share.

    >>> [round(bound, 4) for bound in interval(0, 1000)]
    [0.0, 0.0037]
    """
    tail = (1 - level) / 2
    low = float(beta.ppf(tail, hits, total - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, total - hits)) if hits < total else 1.0
    return low, high


def recall_at(score: NDArray[np.float64], fake: NDArray[np.bool_], rate: float) -> NDArray[np.bool_]:
    """Which orders lie above the threshold that ``rate`` of the genuine orders exceed."""
    genuine = np.sort(score[~fake])[::-1]
    allowed = int(np.floor(rate * len(genuine)))
    threshold = genuine[allowed] if allowed < len(genuine) else -np.inf
    return np.asarray(score > threshold)


def _share(hits: NDArray[np.bool_]) -> float:
    """Share of the hits; NaN of nothing."""
    return float(hits.mean()) if len(hits) else float("nan")


def _precision(positive: NDArray[np.bool_], score: NDArray[np.float64] | pd.Series) -> float:
    """Average precision; NaN where there is nothing to find."""
    return float(average_precision_score(positive, score)) if positive.any() else float("nan")


def evaluate(
    orders: pd.DataFrame, sellers: pd.DataFrame, truth: pd.DataFrame, guilty: pd.DataFrame
) -> Evaluation:
    """Compare a scan's tables with the truth.

    Parameters
    ----------
    orders, sellers
        The scan's output tables.
    truth
        ``order_id``, ``is_fake``; where known ``attack``, ``clause``, ``group``.
    guilty
        ``seller_id``, ``is_guilty``; where known ``role`` (``victim``). May be empty.
    """
    joined = orders.merge(truth, on="order_id", how="inner", validate="one_to_one")
    fake = joined["is_fake"].to_numpy(dtype=bool)
    score = joined["score"].to_numpy(dtype=np.float64)
    figures = {
        "orders": float(len(joined)),
        "fakes": float(fake.sum()),
        "average_precision": _precision(fake, score),
        "roc_auc": float(roc_auc_score(fake, score)) if fake.any() and not fake.all() else float("nan"),
    }
    above = {rate: recall_at(score, fake, rate) for rate in FALSE_POSITIVE_RATES}
    for rate, hit in above.items():
        figures[f"recall_at_fpr_{rate:g}"] = _share(hit[fake])
    flagged = joined["decision"].to_numpy() != ALLOW
    figures["not_allowed_genuine"] = _share(flagged[~fake])
    figures["not_allowed_fake"] = _share(flagged[fake])
    figures["precision"] = _share(fake[flagged])
    right = _clause_right(joined)
    figures["clause_right"] = _share(right[fake & flagged])
    return Evaluation(
        figures,
        _sellers(sellers, guilty, joined),
        _attacks(joined, fake, above, flagged, right),
        _groups(joined, fake, flagged),
    )


def _clause_right(joined: pd.DataFrame) -> NDArray[np.bool_]:
    if "clause" not in joined:
        return np.zeros(len(joined), dtype=bool)
    first = joined["reasons"].map(lambda reasons: reasons[0]["clause"] if len(reasons) else "")
    return np.asarray(first.to_numpy(dtype=object) == joined["clause"].fillna("-").to_numpy(dtype=object))


def _attacks(
    joined: pd.DataFrame,
    fake: NDArray[np.bool_],
    above: dict[float, NDArray[np.bool_]],
    flagged: NDArray[np.bool_],
    right: NDArray[np.bool_],
) -> pd.DataFrame:
    if "attack" not in joined:
        return pd.DataFrame()
    columns = {f"recall_at_fpr_{rate:g}": hit for rate, hit in above.items()}
    frame = pd.DataFrame({"attack": joined["attack"], **columns, "not_allowed": flagged, "right": right})[
        fake
    ]
    table = frame.groupby("attack").mean(numeric_only=False).drop(columns="right")
    found = frame[frame["not_allowed"]].groupby("attack")["right"].mean()
    return table.assign(orders=frame.groupby("attack").size(), clause_right=found).reset_index()


def _groups(joined: pd.DataFrame, fake: NDArray[np.bool_], flagged: NDArray[np.bool_]) -> pd.DataFrame:
    if "group" not in joined:
        return pd.DataFrame()
    frame = pd.DataFrame({"group": joined["group"], "not_allowed": flagged})[~fake]
    grouped = frame.groupby("group")["not_allowed"]
    return pd.DataFrame({"orders": grouped.size(), "not_allowed": grouped.mean()}).reset_index()


def _sellers(sellers: pd.DataFrame, guilty: pd.DataFrame, joined: pd.DataFrame) -> dict[str, float]:
    if guilty.empty:
        return {}
    table = sellers.merge(guilty, on="seller_id", how="inner")
    is_guilty = table["is_guilty"].to_numpy(dtype=bool)
    case = table["recommendation"].to_numpy() == "open_case"
    fakes = table["seller_id"].map(joined[joined["is_fake"]].groupby("seller_id").size()).fillna(0)
    many = is_guilty & (fakes.to_numpy() >= 5)
    accused = int(case[~is_guilty].sum())
    low, high = interval(accused, int((~is_guilty).sum()))
    figures = {
        "sellers": float(len(table)),
        "guilty": float(is_guilty.sum()),
        "average_precision": _precision(is_guilty, table["score"]),
        "guilty_with_5_fakes": float(many.sum()),
        "guilty_with_5_fakes_found": _share(case[many]),
        "innocent_accused": _share(case[~is_guilty]),
        "innocent_accused_low": low,
        "innocent_accused_high": high,
    }
    if "role" in table and (table["role"] == "victim").any():
        victim = (table["role"] == "victim").to_numpy()
        hint = (table["disposition_hint"] == "possible_victim").to_numpy()
        figures |= {
            "victims": float(victim.sum()),
            "victims_recognised": float(hint[victim].mean()),
            "victims_accused": float(case[victim].mean()),
        }
    return figures


def split(orders: pd.DataFrame, truth: pd.DataFrame, column: str) -> pd.DataFrame:
    """Orders, fakes, average precision, and the shares not allowed, for each value of a column.

    Raises
    ------
    InputError
        Neither the scan's orders nor the truth has the column.
    """
    joined = orders.merge(truth, on="order_id", how="inner", suffixes=("", "_truth"))
    if column not in joined:
        raise InputError(f"cannot split by {column}; there is {', '.join(sorted(joined.columns))}")
    rows = []
    for value, part in joined.groupby(column, sort=True):
        fake = part["is_fake"].to_numpy(dtype=bool)
        flagged = (part["decision"] != ALLOW).to_numpy()
        shares = _precision(fake, part["score"]), _share(flagged[fake]), _share(flagged[~fake])
        rows.append((str(value), len(part), int(fake.sum()), *shares))
    names = [column, "orders", "fakes", "average_precision", "not_allowed_fake", "not_allowed_genuine"]
    return pd.DataFrame(rows, columns=names)
