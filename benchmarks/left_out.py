"""What is lost on attacks that the rules were not written for, and what the forest gives back.

A simulated market is scanned once. Then, for each clause of the policy in turn, all of its rules are left
out and every order is scored again, with the forest's weight as in the policy and with weight 0. The fakes
of that clause are what nobody wrote a rule for; they are measured against the genuine orders.
"""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pandas as pd
import typer
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from detector.contract import CLAUSES
from detector.evaluate import recall_at
from detector.ingest import ingest_frames
from detector.job import connect
from detector.policy.loader import load_policy
from detector.policy.schema import Policy
from detector.scan import Known, last_instant, read_known, score_known
from detector.scoring import Scorer
from detector.simulate.market import Market, simulate
from features.batch import compute_features, forget_after

Floats = NDArray[np.float64]

RATE = 0.01
"""Share of the genuine orders that may lie above the threshold at which recall is measured."""


def main(seed: int = 3, orders: int = 30_000, days: int = 90) -> None:
    """Print what is found of each clause's and attack's fakes with all rules and without the clause's own."""
    market = simulate(orders, days, seed)
    policy = load_policy(None)
    known, truth = computed(market, policy)
    scores = {"all rules": scored(known, policy, None)[0]}
    for clause in CLAUSES:
        scores[f"no {clause}"], scores[f"no {clause}, no forest"] = scored(known, policy, clause)
    print(f"{orders:,} orders, seed {seed}; recall at a false-positive rate of {RATE:.0%}\n")
    for by in ("clause", "attack"):
        print(lost(truth, scores, by).to_string(index=False, float_format="%.3f"), "\n")


def computed(market: Market, policy: Policy) -> tuple[Known, pd.DataFrame]:
    """Features of every order, and its truth, in canonical order."""
    with connect() as con:
        frames = {name: table.to_pandas(types_mapper=pd.ArrowDtype) for name, table in market.tables.items()}
        ingest_frames(frames, con)
        as_of = last_instant(con)
        forget_after(con, as_of)
        compute_features(con, as_of, lambda name: nullcontext())
        ids = con.execute("SELECT order_id FROM orders ORDER BY o").df()
        known = read_known(con, Scorer(policy.detection, policy.rule))
    return known, ids.merge(
        market.truth["orders"].to_pandas(), on="order_id", how="left", validate="one_to_one"
    )


def scored(known: Known, policy: Policy, left_out: str | None) -> tuple[Floats, Floats]:
    """Scores by the rules of all clauses but one, with the forest's weight of the policy and with 0.

    The forest is trained anew: what it learns as normal depends on whom the rules suspect.
    """
    rules = [rule for rule in policy.rule if rule.clause != left_out]
    fusion = policy.detection.fusion.model_copy(update={"anomaly_weight": 0.0})
    bare = policy.detection.model_copy(update={"fusion": fusion})
    _, scores, model = score_known(known, Scorer(policy.detection, rules), None)
    _, alone, _ = score_known(known, Scorer(bare, rules), model)
    return scores.score, alone.score


def lost(truth: pd.DataFrame, scores: dict[str, Floats], by: str) -> pd.DataFrame:
    """One row per clause or attack: average precision and recall, with and without its clause's rules."""
    fake = truth["is_fake"].to_numpy(dtype=bool)
    rows = []
    for (clause, name), part in truth[fake].groupby(["clause", by]):
        mine = np.isin(np.arange(len(truth)), part.index)
        ways = {
            "": scores["all rules"],
            " left out": scores[f"no {clause}"],
            " left out, no forest": scores[f"no {clause}, no forest"],
        }
        row: dict[str, object] = {by: name, "orders": int(mine.sum())}
        for way, score in ways.items():
            row |= {f"AP{way}": _precision(score, mine, fake), f"recall{way}": _recall(score, mine, fake)}
        rows.append(row)
    return pd.DataFrame(rows)


def _precision(score: Floats, mine: NDArray[np.bool_], fake: NDArray[np.bool_]) -> float:
    compared = mine | ~fake
    return float(average_precision_score(mine[compared], score[compared]))


def _recall(score: Floats, mine: NDArray[np.bool_], fake: NDArray[np.bool_]) -> float:
    return float(recall_at(score, fake, RATE)[mine].mean())


if __name__ == "__main__":
    typer.run(main)
