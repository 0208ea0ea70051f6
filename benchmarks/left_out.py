"""What is lost on attacks that the rules were not written for, and what the forests give back.

A simulated market is scanned once. Then, for each clause of the policy in turn, all of its rules are left out and
every order is scored and every seller judged again, with the forests' weights as in the policy and with weight 0.
The fakes of that clause, and the sellers most of whose fakes are of it, are what nobody wrote a rule for; they are
measured against the genuine orders and the innocent sellers.
"""

from __future__ import annotations

from contextlib import nullcontext

import duckdb
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
from detector.scan import Known, last_instant, order_scores, read_known, score_known
from detector.scoring import ALLOW, Scorer
from detector.sellers import judge_sellers
from detector.simulate.market import Market, simulate
from detector.strange_sellers import compare_sellers, figures_of, ranked
from features.batch import compute_features, forget_after

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

RATE = 0.01
"""Share of the genuine orders, or innocent sellers, that may lie above the threshold at which recall is measured."""


DAYS = 90


def main(seed: int = 401, markets: int = 2, orders: int = 60_000) -> None:
    """Print what is found of each clause's fakes and sellers with all rules and without its own.

    The markets have the seeds from ``seed`` on; their orders and sellers are measured together.
    """
    policy = load_policy(None)
    judged = [judged_market(orders, number, policy) for number in range(seed, seed + markets)]
    of_orders, of_sellers = (pd.concat(tables, ignore_index=True) for tables in zip(*judged, strict=True))
    print(
        f"seeds {seed} to {seed + markets - 1}, {orders:,} orders each; recall at {RATE:.0%} false positives"
    )
    for table, by in ((of_orders, "clause"), (of_orders, "attack"), (of_sellers, "clause")):
        print("\n", lost(table, by).to_string(index=False, float_format="%.3f"))


def judged_market(orders: int, seed: int, policy: Policy) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Orders and sellers of a market: ``fake``, ``clause``, ``attack`` (orders only), and the scores of each way."""
    market = simulate(orders, DAYS, seed)
    with connect() as con:
        known, truth = computed(con, market, policy)
        by_order: dict[str, Floats] = {}
        by_seller: dict[str, pd.Series[float]] = {}
        for clause in (None, *CLAUSES):
            for way, (scores, sellers) in scored(con, known, policy, clause).items():
                by_order[way], by_seller[way] = scores, sellers
    columns = {"fake": truth["is_fake"], "clause": truth["clause"], "attack": truth["attack"]}
    return pd.DataFrame(columns | by_order), seller_truth(market, truth).join(
        pd.DataFrame(by_seller), how="inner"
    )


def computed(con: duckdb.DuckDBPyConnection, market: Market, policy: Policy) -> tuple[Known, pd.DataFrame]:
    """Features of every order, and its truth, in canonical order."""
    frames = {name: table.to_pandas(types_mapper=pd.ArrowDtype) for name, table in market.tables.items()}
    ingest_frames(frames, con)
    as_of = last_instant(con)
    forget_after(con, as_of)
    compute_features(con, as_of, lambda name: nullcontext())
    known = read_known(con, Scorer(policy.detection, policy.rule))
    ids = con.execute("SELECT order_id, seller_id FROM orders ORDER BY o").df()
    truth = market.truth["orders"].to_pandas()
    return known, ids.merge(truth, on="order_id", how="left", validate="one_to_one")


def seller_truth(market: Market, truth: pd.DataFrame) -> pd.DataFrame:
    """Whether each seller is guilty (``fake``), and the ``clause`` of most of its fakes, by seller id."""
    sellers = market.truth["sellers"].to_pandas().set_index("seller_id")
    fakes = truth[truth["is_fake"]].groupby("seller_id")["clause"]
    return pd.DataFrame(
        {"fake": sellers["is_guilty"], "clause": fakes.agg(lambda clause: clause.mode().iloc[0])},
        index=sellers.index,
    )


def scored(
    con: duckdb.DuckDBPyConnection, known: Known, policy: Policy, left_out: str | None
) -> dict[str, tuple[Floats, pd.Series[float]]]:
    """Scores of orders, and of sellers by id, by the rules of all clauses but one, with the forests and without.

    The forests are trained anew: what they learn as normal depends on whom the rules suspect.
    """
    rules = [rule for rule in policy.rule if rule.clause != left_out]
    fusion = policy.detection.fusion.model_copy(update={"anomaly_weight": 0.0})
    bare = policy.detection.model_copy(update={"fusion": fusion})
    features, scores, model = score_known(known, Scorer(policy.detection, rules), None)
    alone = score_known(known, Scorer(bare, rules), model)[1]
    rows, seller = np.arange(known.count), policy.detection.seller
    verdicts = judge_sellers(con, order_scores(rows, known, features, scores), seller)
    strange = compare_sellers(
        con,
        known.keys["seller"],
        figures_of(known.keys["seller"], features, known.groups),
        known.groups,
        scores.decision != ALLOW,
        seller.anomaly_weight,
        None,
    )
    by_id = [table.set_index("seller_id")["score"] for table in (ranked(verdicts, strange), verdicts)]
    way = f"{left_out or 'nothing'} left out"
    return {way: (scores.score, by_id[0]), f"{way}, no forest": (alone.score, by_id[1])}


def lost(table: pd.DataFrame, by: str) -> pd.DataFrame:
    """One row per clause or attack: average precision and recall, with and without its clause's rules."""
    fake = table["fake"].to_numpy(dtype=bool)
    rows = []
    for (clause, name), part in table[fake].groupby(["clause", by]):
        mine = np.isin(np.arange(len(table)), part.index)
        row: dict[str, object] = {by: name, "fakes": len(part)}
        for left_out, label in (("nothing", ""), (clause, " left out")):
            for forest in ("", ", no forest"):
                score = table[f"{left_out} left out{forest}"].to_numpy(dtype=np.float64)
                row[f"AP{label}{forest}"] = precision(score, mine, fake)
                row[f"recall{label}{forest}"] = recall(score, mine, fake)
        rows.append(row)
    return pd.DataFrame(rows)


def precision(score: Floats, mine: Flags, fake: Flags) -> float:
    """Average precision of some fakes among what is genuine."""
    compared = mine | ~fake
    return float(average_precision_score(mine[compared], score[compared]))


def recall(score: Floats, mine: Flags, fake: Flags) -> float:
    """Share of some fakes above the threshold that ``RATE`` of what is genuine exceeds."""
    return float(recall_at(score, fake, RATE)[mine].mean())


if __name__ == "__main__":
    typer.run(main)
