"""Scans of the past, in time order, measured against what is now known."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score

from detector.contract import CLAUSES
from detector.errors import InputError
from detector.evaluate import Evaluation, evaluate, recall_at, split
from detector.ingest import ingest
from detector.job import connect
from detector.policy.schema import Policy
from detector.results import order_reasons, orders_table, sellers_table
from detector.scan import Scan, last_instant, read_known, run, score_known
from detector.scoring import Scorer
from models.forest import AnomalyModel

__all__ = ["ablation", "backtest"]


def backtest(
    source: Path,
    truth: Path | None,
    mapping: Path | None,
    policy: Policy,
    *,
    periods: int = 1,
    by: Sequence[str] = (),
    ablate: bool = False,
) -> Evaluation:
    """Scan the input period by period, each knowing nothing later than its own end, and measure.

    Parameters
    ----------
    truth
        Folder with ``orders.parquet`` (order_id, is_fake; where known attack, clause, group) and, where
        known, ``sellers.parquet`` (seller_id, is_guilty, role). None takes the input's own ``labels``.
    periods
        The span of the orders is cut into so many equal times. Sellers are judged at the last one's end.
    by
        Columns of the truth, or ``week``, to split the order figures by.
    ablate
        Score the last period again without each family of evidence.

    Raises
    ------
    InputError
        There is no truth, it knows none of the input's orders, or a column to split by is not there.
    """
    scorer = Scorer(policy.detection, policy.rule)
    tables, sellers, without = [], pd.DataFrame(), pd.DataFrame()
    bounds: list[datetime] = []
    known, guilty = pd.DataFrame(), pd.DataFrame()
    for period in range(periods):
        with connect() as con:
            ingested = ingest(source, con, mapping=mapping)
            if not period:
                bounds = _bounds(
                    con.sql("SELECT min(created_at) FROM orders").fetchall()[0][0], last_instant(con), periods
                )
                known, guilty = _truth(truth, con.sql("FROM labels").df())
                _check_ids(known["order_id"], con.sql("SELECT order_id FROM orders").df()["order_id"])
            scan = run(
                ingested,
                scorer,
                policy,
                as_of=bounds[period + 1],
                since=bounds[period],
                stage=lambda name: nullcontext(),
            )
            reasons = order_reasons(scan, scorer, policy.detection.fusion.explain_from)
            week = con.sql("SELECT strftime(created_at, '%G-W%V') AS week FROM orders ORDER BY o").df()[
                "week"
            ]
            tables.append(orders_table(scan, reasons).to_pandas().assign(week=week.to_numpy()[scan.rows]))
            if period == periods - 1:
                sellers = sellers_table(scan, reasons).to_pandas()
                without = ablation(scan, policy, known) if ablate else without
    orders = pd.concat(tables, ignore_index=True)
    measured = evaluate(orders, sellers, known, guilty)
    return Evaluation(
        measured.orders,
        measured.sellers,
        measured.attacks,
        measured.groups,
        {column: split(orders, known, column) for column in by} | ({"without": without} if ablate else {}),
    )


def _bounds(first: datetime, end: datetime, periods: int) -> list[datetime]:
    return [first + (end - first) * step / periods for step in range(periods)] + [end]


def _truth(folder: Path | None, labels: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    if folder is None:
        if labels.empty:
            raise InputError("there is no truth to measure against: give --truth, or labels in the input")
        found = labels.rename(columns={"subject_id": "order_id"})
        orders = found[(found["subject_kind"] == "order") & found["is_fake"].notna()]
        return orders[["order_id", "is_fake", "clause"]].astype({"is_fake": bool}), pd.DataFrame()
    path = folder / "orders.parquet"
    if not path.is_file():
        raise InputError(f"there is no {path}; a truth folder holds orders.parquet with order_id and is_fake")
    sellers = folder / "sellers.parquet"
    return pd.read_parquet(path), pd.read_parquet(sellers) if sellers.is_file() else pd.DataFrame()


def _check_ids(known: pd.Series[str], given: pd.Series[str]) -> None:
    if not given.isin(known).any():
        example = f", such as {known.iloc[0]!r}," if len(known) else ""
        raise InputError(
            f"none of the {len(known)} orders of the truth{example} is in the input, where the first is "
            f"{given.iloc[0]!r}; order_id must be the same in both"
        )


def ablation(scan: Scan, policy: Policy, truth: pd.DataFrame) -> pd.DataFrame:
    """Average precision and recall at 1 % false positives without each family of evidence.

    Returns
    -------
    DataFrame
        ``without`` (a clause, ``neighbours``, ``forest`` or nothing), ``average_precision``,
        ``recall_at_fpr_0.01``.
    """
    ids = scan.con.sql("SELECT order_id FROM orders ORDER BY o").df()["order_id"].iloc[scan.rows]
    fake = ids.isin(truth.loc[truth["is_fake"], "order_id"]).to_numpy()
    rows = []
    for name, lesser in {"nothing": policy, **_lesser(policy)}.items():
        scorer = Scorer(lesser.detection, lesser.rule)
        score = _scores(scan, scorer, scan.model)[scan.rows]
        found = recall_at(score, fake, 0.01)[fake].mean()
        rows.append((name, float(average_precision_score(fake, score)), float(found)))
    return pd.DataFrame(rows, columns=["without", "average_precision", "recall_at_fpr_0.01"])


def _scores(scan: Scan, scorer: Scorer, model: AnomalyModel | None) -> np.ndarray:
    return score_known(read_known(scan.con, scorer), scorer, model)[1].score


def _lesser(policy: Policy) -> dict[str, Policy]:
    """The policy without each clause's rules, without the neighbours, without the forest."""
    fusion = policy.detection.fusion

    def fused(**changes: object) -> Policy:
        detection = policy.detection.model_copy(update={"fusion": fusion.model_copy(update=changes)})
        return policy.model_copy(update={"detection": detection})

    clauses = {
        clause: policy.model_copy(update={"rule": tuple(r for r in policy.rule if r.clause != clause)})
        for clause in CLAUSES
    }
    return clauses | {"neighbours": fused(context={}), "forest": fused(anomaly_weight=0.0)}
