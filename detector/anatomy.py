"""A ring under the lamp: what its accounts share, what sets its orders apart, what would clear it."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd
from scipy.stats import mannwhitneyu

from detector.analyst import Findings
from detector.contract import CLAUSES
from detector.errors import InputError
from detector.scan import read_known, score_known
from detector.scoring import ALLOW, Scorer
from features.catalog import CATALOG

__all__ = ["if_explained", "shared_identifiers", "telling_features"]

MIN_KNOWN = 5
"""Fewer known values on a side say nothing about what is usual there."""


def shared_identifiers(findings: Findings, ring_id: str) -> pd.DataFrame:
    """How many identifiers a ring's buyer accounts share, by kind; never the identifiers themselves.

    Returns
    -------
    DataFrame
        Index ``kind``. ``accounts``: the ring's accounts with a known identifier of the kind; ``shared``:
        identifiers that two of them or more have in common; ``accounts_sharing``: accounts with such a one;
        ``most_on_one``: accounts on the most shared; ``outsiders``: buyer accounts outside the ring on the
        shared ones, summed over these; ``taken_as_private``: of the shared, those that count as one
        household's or ring's and not as a public hub. Most accounts sharing first.

    Raises
    ------
    InputError
        The findings hold no such ring.
    """
    ring = findings.rings[findings.rings["ring_id"] == ring_id]
    if ring.empty:
        raise InputError(f"there is no ring {ring_id!r}; findings.rings lists those that were found")
    con = findings.scan.con
    con.register("ring_accounts", pd.DataFrame({"account_id": list(ring["buyer_ids"].iloc[0])}))
    table = con.sql("""
        WITH links AS (SELECT kind, identifier, account_id FROM identifier_links l JOIN accounts USING (account)
                       WHERE is_buyer),
        mine AS (SELECT * FROM links SEMI JOIN ring_accounts USING (account_id)),
        shared AS (
            SELECT kind, identifier, count(*) AS accounts FROM mine GROUP BY ALL HAVING count(*) >= 2),
        reach AS (SELECT kind, identifier, count(*) AS everybody
                  FROM links SEMI JOIN shared USING (kind, identifier) GROUP BY ALL),
        summary AS (
            SELECT kind, count(*) AS shared, max(accounts) AS most_on_one, sum(everybody - accounts) AS outsiders,
                   count(*) FILTER (is_private) AS taken_as_private
            FROM shared JOIN reach USING (kind, identifier)
            LEFT JOIN identifiers USING (kind, identifier) GROUP BY kind),
        sharing AS (SELECT kind, count(DISTINCT account_id) AS accounts_sharing
                    FROM mine SEMI JOIN shared USING (kind, identifier) GROUP BY kind)
        SELECT kind, count(DISTINCT account_id) AS accounts, any_value(shared) AS shared,
               any_value(accounts_sharing) AS accounts_sharing, any_value(most_on_one) AS most_on_one,
               any_value(outsiders) AS outsiders, any_value(taken_as_private) AS taken_as_private
        FROM mine LEFT JOIN summary USING (kind) LEFT JOIN sharing USING (kind) GROUP BY kind
        ORDER BY accounts_sharing DESC NULLS LAST, kind
    """).df()
    con.unregister("ring_accounts")
    counts: pd.DataFrame = table.set_index("kind").fillna(0).astype("int64")
    return counts


def telling_features(
    features: pd.DataFrame, chosen: Collection[str], others: Collection[str]
) -> pd.DataFrame:
    """The features by which some orders differ most from others.

    Parameters
    ----------
    features
        Of ``analyst.feature_table``.
    chosen, others
        Order ids: those looked at, and those to compare with.

    Returns
    -------
    DataFrame
        Index ``feature``, most telling first. ``known``: of the chosen, those with a value; ``chosen`` and
        ``others``: the medians; ``higher``: the chance (0–1, ties count half) that one of the chosen has
        the higher value than one of the others, so that 0.5 tells nothing; ``meaning``: of the catalog.
        Nulls are left out; a feature with fewer than 5 known values on a side is not in it.
    """
    rows = {}
    ours, theirs = features.loc[list(chosen)], features.loc[list(others)]
    for name in features.columns:
        left, right = ours[name].dropna().to_numpy(), theirs[name].dropna().to_numpy()
        if min(len(left), len(right)) >= MIN_KNOWN:
            higher = mannwhitneyu(left, right).statistic / (len(left) * len(right))
            rows[name] = (len(left), np.median(left), np.median(right), higher, CATALOG[name].meaning)
    columns = ["known", "chosen", "others", "higher", "meaning"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("feature")
    telling = (table["higher"] - 0.5).abs().sort_values(ascending=False, kind="stable")
    return table.loc[telling.index]


def if_explained(findings: Findings, order_ids: Collection[str]) -> pd.DataFrame:
    """What would be left of the suspicion if everything that one clause holds against it were explained.

    The whole market is scored again without the clause's rules, so the neighbours' suspicion falls too.

    Returns
    -------
    DataFrame
        Index ``explained``: a clause with evidence on one of the orders, and last ``nothing``, the scores
        as they are. ``orders_with_evidence``: the orders the clause holds something against;
        ``still_suspected``: orders whose decision would not be allow; ``mean_score`` (0–1).
    """
    scan, policy = findings.scan, findings.policy
    position = scan.rows[findings.orders["order_id"].isin(list(order_ids)).to_numpy()]
    known = read_known(scan.con, Scorer(policy.detection, policy.rule))
    rows = {}
    for clause in CLAUSES:
        against = int((scan.scores.evidence.clauses[clause][position] > 0).sum())
        if against:
            kept = Scorer(policy.detection, [rule for rule in policy.rule if rule.clause != clause])
            scores = score_known(known, kept, scan.model)[1]
            rows[clause] = (
                against,
                int((scores.decision[position] != ALLOW).sum()),
                scores.score[position].mean(),
            )
    suspected = int((scan.scores.decision[position] != ALLOW).sum())
    with_any = int((scan.scores.evidence.amount[position] > 0).sum())
    rows["nothing"] = (with_any, suspected, scan.scores.score[position].mean())
    columns = ["orders_with_evidence", "still_suspected", "mean_score"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("explained")
