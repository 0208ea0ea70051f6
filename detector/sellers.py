"""Seller verdicts: how much of a seller's business is suspected, how sure that is, and who gains by it."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.contract import CLAUSES
from detector.policy.detection import SellerVerdict

__all__ = ["judge_sellers"]

SELLER_SIDE = ("tracking_mismatch", "invalid_tracking")
"""Clauses whose evidence only the seller or its carrier can make: it ships the parcels."""

BURST_DAYS = 7
"""A competitor's attack is over in days; a seller's own scheme goes on."""


@dataclass(frozen=True, slots=True)
class OrderScores:
    """What sellers are judged by, per scored order: arrays of shape (orders,).

    ``o`` is the canonical rank, ``score`` 0–1, ``suspected`` whether the decision is other than allow,
    ``corroborated`` whether one hard rule or two clause families speak of it, ``roaming`` whether the buyer's
    entity is suspected as much at other sellers, ``seller_tie`` the strength of the buyer's tie to the seller
    (NaN unknown), ``clauses`` a score each.
    """

    o: NDArray[np.int64]
    score: NDArray[np.float64]
    suspected: NDArray[np.bool_]
    corroborated: NDArray[np.bool_]
    roaming: NDArray[np.bool_]
    seller_tie: NDArray[np.float64]
    clauses: dict[str, NDArray[np.float64]]


def judge_sellers(con: duckdb.DuckDBPyConnection, scores: OrderScores, policy: SellerVerdict) -> pd.DataFrame:
    """One row per seller with a scored order, worst first.

    Returns
    -------
    DataFrame
        ``seller_id``, ``score`` (0–1), ``recommendation``, ``disposition_hint``, ``order_count``,
        ``suspected_order_count``, ``gmv_minor`` and ``suspected_gmv_minor`` (currency → amount),
        ``clauses``.

        A case is recommended when the lower bound of the 95 % interval of the number of fake orders (a sum
        of independent chances) and its share of the orders both reach the policy's values. Unless as many
        suspected orders are corroborated or of buyers suspected elsewhere too, more are needed: oddities of
        one kind at one shop may have one innocent cause. A seller whose suspected orders come from outsiders
        who work for nobody else, in a burst, without evidence that only a seller can make or gain by, is a
        ``possible_victim`` and is watched at most.
    """
    con.register("scored", _columns(scores))
    evidence = ", ".join(f"sum(c_{c}) FILTER (suspected) AS n_{c}" for c in CLAUSES)
    table = con.execute(f"""
        WITH each AS (
            SELECT o.seller_id, o.currency, o.total_minor, o.created_at, s.*
            FROM scored s JOIN orders o USING (o)),
        money AS (
            SELECT seller_id, map_from_entries(list((currency, gmv) ORDER BY currency)) AS gmv_minor,
                   map_from_entries(coalesce(list((currency, suspected_gmv) ORDER BY currency)
                        FILTER (suspected_gmv > 0), [])) AS suspected_gmv_minor
            FROM (SELECT seller_id, currency, sum(total_minor)::BIGINT AS gmv,
                         coalesce(sum(total_minor) FILTER (suspected), 0)::BIGINT AS suspected_gmv
                  FROM each GROUP BY ALL) GROUP BY ALL),
        busiest AS (
            SELECT seller_id, max(near) AS burst FROM (
                SELECT seller_id, count(*) OVER (PARTITION BY seller_id ORDER BY created_at
                    RANGE BETWEEN INTERVAL {BURST_DAYS} DAY PRECEDING AND CURRENT ROW) AS near
                FROM each WHERE suspected) GROUP BY ALL)
        SELECT seller_id, count(*) AS order_count, count(*) FILTER (suspected) AS suspected_order_count,
               coalesce(sum(score) FILTER (suspected), 0) AS expected,
               coalesce(sum(score * (1 - score)) FILTER (suspected), 0) AS variance,
               coalesce(max(score), 0) AS top_score,
               count(*) FILTER (suspected AND (corroborated OR roaming)) AS corroborated,
               count(*) FILTER (suspected AND roaming) AS roaming,
               coalesce(sum((seller_tie >= 0.3)::INT) FILTER (suspected), 0) AS tied, {evidence},
               any_value(burst) AS burst,
               epoch(max(created_at) - min(created_at)) / 86400 AS active_days,
               any_value(gmv_minor) AS gmv_minor, any_value(suspected_gmv_minor) AS suspected_gmv_minor
        FROM each JOIN money USING (seller_id) LEFT JOIN busiest USING (seller_id)
        GROUP BY seller_id ORDER BY seller_id
    """).df()
    con.unregister("scored")
    return _verdicts(table, policy)


def _columns(scores: OrderScores) -> dict[str, NDArray[np.generic]]:
    clauses = {f"c_{c}": (np.nan_to_num(scores.clauses[c]) >= 0.3).astype(np.int32) for c in CLAUSES}
    return {
        "o": scores.o,
        "score": scores.score,
        "suspected": scores.suspected,
        "corroborated": scores.corroborated,
        "roaming": scores.roaming,
        "seller_tie": np.nan_to_num(scores.seller_tie),
        **clauses,
    }


def _verdicts(table: pd.DataFrame, policy: SellerVerdict) -> pd.DataFrame:
    suspected = table["suspected_order_count"].to_numpy(dtype=np.float64)
    orders = table["order_count"].to_numpy(dtype=np.float64)
    expected = table["expected"].to_numpy(dtype=np.float64)
    lower = np.maximum(expected - 1.96 * np.sqrt(table["variance"].to_numpy(dtype=np.float64)), 0.0)
    share = lower / orders
    own = table[[f"n_{c}" for c in SELLER_SIDE]].fillna(0).to_numpy(dtype=np.float64).max(axis=1)
    counted = np.maximum(suspected, 1.0)
    victim = (
        (suspected >= policy.victim_orders)
        & (own / counted <= policy.victim_benefit_share)
        & (table["tied"].to_numpy(dtype=np.float64) / counted <= policy.victim_benefit_share)
        & (table["roaming"].to_numpy(dtype=np.float64) / counted <= policy.victim_benefit_share)
        & (table["n_abuse"].fillna(0).to_numpy(dtype=np.float64) / counted <= policy.victim_gain_share)
        & (table["burst"].fillna(0).to_numpy(dtype=np.float64) / counted >= policy.victim_burst)
        & (table["active_days"].to_numpy(dtype=np.float64) >= 3 * BURST_DAYS)
        & (suspected / orders <= policy.victim_share)
    )
    firm = table["corroborated"].to_numpy(dtype=np.float64) >= policy.case_orders
    needed = np.where(firm, policy.case_orders, policy.case_orders_alike)
    case = (lower >= needed) & (share >= policy.case_share)
    watch = expected >= policy.watch_orders
    table["score"] = _seller_score(
        expected, lower, orders, table["top_score"].to_numpy(dtype=np.float64), victim
    )
    table["recommendation"] = np.select([case & ~victim, watch | victim], ["open_case", "watch"], "none")
    table["disposition_hint"] = pd.Series(
        np.select([victim, case], ["possible_victim", "suspect"], ""), dtype="object"
    ).replace("", None)
    table["clauses"] = [
        [c for c in CLAUSES if count[c] >= max(1, 0.1 * total)]
        for count, total in zip(_clause_counts(table), suspected, strict=True)
    ]
    columns = [
        "seller_id", "score", "recommendation", "disposition_hint", "order_count", "suspected_order_count",
        "gmv_minor", "suspected_gmv_minor", "clauses",
    ]  # fmt: skip
    return table.sort_values(["score", "seller_id"], ascending=[False, True])[columns].reset_index(drop=True)


def _clause_counts(table: pd.DataFrame) -> list[dict[str, float]]:
    counts = table[[f"n_{c}" for c in CLAUSES]].fillna(0)
    return [dict(zip(CLAUSES, row, strict=True)) for row in counts.itertuples(index=False)]


def _seller_score(
    expected: NDArray[np.float64],
    lower: NDArray[np.float64],
    orders: NDArray[np.float64],
    top: NDArray[np.float64],
    victim: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """0–1: how many fakes are sure, and how much of the business they are; thin evidence stays low."""
    amount = lower / (lower + 2.0)
    share = np.minimum(np.sqrt(expected / orders / 0.1), 1.0)
    score = np.maximum(amount * (0.5 + 0.5 * share), 0.1 * top)
    return np.asarray(np.round(np.where(victim, 0.3 * score, score), 9), dtype=np.float64)
