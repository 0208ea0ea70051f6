"""A scan's findings as the contract's files."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from detector.contract import CLAUSES
from detector.scan import Scan
from detector.scoring import ALLOW, Reason, Scorer
from features.catalog import CATALOG, missing_inputs
from features.columns import ordered

__all__ = [
    "clauses_not_judged",
    "order_facts",
    "orders_table",
    "rings_table",
    "sellers_table",
    "write_table",
]

REASONS = pa.list_(
    pa.struct(
        [("code", pa.string()), ("clause", pa.string()), ("weight", pa.float64()), ("message", pa.string())]
    )
)
MONEY = pa.map_(pa.string(), pa.int64())
SELLER_REASONS = 8
"""Reasons shown for a seller: those of its suspected orders that occur most."""


def order_reasons(scan: Scan, scorer: Scorer, explain_from: float) -> dict[int, list[Reason]]:
    """Rank ``o`` → reasons, for every scored order that is not allowed or reaches ``explain_from``."""
    scores = scan.scores
    wanted = (scores.score[scan.rows] >= explain_from) | (scores.decision[scan.rows] != ALLOW)
    return {int(o): scorer.reasons(scores, int(o), scan.features) for o in scan.rows[wanted]}


def orders_table(scan: Scan, reasons: Mapping[int, list[Reason]]) -> pa.Table:
    """``orders.parquet``: one row per scored order, in canonical order."""
    scores, rows = scan.scores, scan.rows
    ids = order_facts(scan, "order_id", "seller_id", "buyer_id")
    clauses = {f"clause_{c}": _rounded(scores.evidence.clauses[c][rows]) for c in CLAUSES}
    return pa.table(
        {
            "order_id": ids["order_id"],
            "seller_id": ids["seller_id"],
            "buyer_id": ids["buyer_id"],
            "score": _rounded(scores.score[rows]),
            "decision": pa.array(scores.decision[rows]),
            "anomaly_score": _rounded(scores.anomaly_score[rows]),
            "rule_score": _rounded(scores.rule_score[rows]),
            **clauses,
            "reasons": _listed(rows, reasons),
            "ring_id": _ring_ids(scan),
        }
    )


def order_facts(scan: Scan, *columns: str) -> pa.Table:
    """Those columns of ``orders`` for the scored orders, in canonical order."""
    table = ordered(scan.con.sql(f"SELECT o, {', '.join(columns)} FROM orders").to_arrow_table())
    return table if len(scan.rows) == len(table) else table.take(pa.array(scan.rows))


def _ring_ids(scan: Scan) -> pa.ChunkedArray:
    rings = scan.con.sql("SELECT o, ring_id FROM order_ring").to_arrow_table()
    place = np.full(len(scan.scores.score), -1)
    place[rings["o"].to_numpy()] = np.arange(len(rings))
    of = place[scan.rows]
    return rings["ring_id"].take(pa.array(of, mask=of < 0))


def _listed(rows: np.ndarray, reasons: Mapping[int, list[Reason]]) -> pa.ListArray:
    """Each row's reasons; most rows have none, so the list is put together from its ends."""
    count = np.zeros(len(rows), dtype=np.int32)
    count[np.searchsorted(rows, list(reasons))] = [len(found) for found in reasons.values()]
    ends = np.concatenate([[0], np.cumsum(count)]).astype(np.int32)
    told = [reason for found in reasons.values() for reason in found]
    fields = [
        pa.array([getattr(one, field.name) for one in told], field.type) for field in REASONS.value_type
    ]
    return pa.ListArray.from_arrays(
        pa.array(ends), pa.StructArray.from_arrays(fields, fields=list(REASONS.value_type)), type=REASONS
    )


def sellers_table(scan: Scan, reasons: Mapping[int, list[Reason]]) -> pa.Table:
    """``sellers.parquet``: one row per seller with a scored order, worst first."""
    frame = scan.sellers
    why = _seller_reasons(scan, reasons)
    for seller, reason in scan.strange.reasons(frame).items():
        why.setdefault(seller, []).append(asdict(reason))
    return pa.table(
        {
            "seller_id": pa.array(frame["seller_id"], pa.string()),
            "score": pa.array(frame["score"], pa.float64()),
            "recommendation": pa.array(frame["recommendation"], pa.string()),
            "disposition_hint": pa.array(frame["disposition_hint"], pa.string()),
            "order_count": pa.array(frame["order_count"], pa.int64()),
            "suspected_order_count": pa.array(frame["suspected_order_count"], pa.int64()),
            "gmv_minor": pa.array(_pairs(frame["gmv_minor"]), MONEY),
            "suspected_gmv_minor": pa.array(_pairs(frame["suspected_gmv_minor"]), MONEY),
            "clauses": pa.array(frame["clauses"].tolist(), pa.list_(pa.string())),
            "reasons": pa.array([why.get(seller, []) for seller in frame["seller_id"]], REASONS),
        }
    )


def _pairs(column: Any) -> list[list[tuple[str, int]]]:
    return [sorted(money.items()) for money in column]


def _seller_reasons(scan: Scan, reasons: Mapping[int, list[Reason]]) -> dict[str, list[dict[str, object]]]:
    """Each seller's most frequent reasons: how many of its suspected orders, and one example's sentence."""
    suspected = [o for o in reasons if scan.scores.decision[o] != ALLOW]
    sellers = order_facts(scan, "seller_id")["seller_id"]
    places = pa.array(np.searchsorted(scan.rows, suspected))
    counts: dict[str, dict[str, tuple[int, Reason]]] = {}
    for o, seller in zip(suspected, sellers.take(places).to_pylist(), strict=True):
        mine = counts.setdefault(seller, {})
        for reason in reasons[o]:
            mine[reason.code] = (
                mine.get(reason.code, (0, reason))[0] + 1,
                mine.get(reason.code, (0, reason))[1],
            )
    return {seller: _most_frequent(mine) for seller, mine in counts.items()}


def _most_frequent(counted: Mapping[str, tuple[int, Reason]]) -> list[dict[str, object]]:
    ranked = sorted(counted.values(), key=lambda pair: (-pair[0] * pair[1].weight, pair[1].code))
    return [
        asdict(reason) | {"message": f"{count} orders, for example: {reason.message}"}
        for count, reason in ranked[:SELLER_REASONS]
    ]


def rings_table(scan: Scan) -> pa.Table:
    """``rings.parquet``, most suspicious first; times are UTC."""
    table = scan.con.sql("SELECT * FROM rings ORDER BY suspicion DESC, ring_id").to_arrow_table()
    for name in ("first_order_at", "last_order_at"):
        position = table.schema.get_field_index(name)
        table = table.set_column(position, name, table[name].cast(pa.timestamp("us", tz="UTC")))
    return table


def _rounded(values: np.ndarray) -> pa.Array:
    """Twelve digits: what is beyond them is the order of additions, not knowledge. NaN becomes null."""
    return pa.array(np.round(values, 12), pa.float64(), from_pandas=True)


def clauses_not_judged(scorer: Scorer, present: Mapping[str, Collection[str]]) -> dict[str, str]:
    """Clause → why, for every clause without a rule whose features the input allows."""
    why: dict[str, str] = {}
    for clause in CLAUSES:
        mine = [c for rule, c in zip(scorer.rules, scorer.conditions, strict=True) if rule.clause == clause]
        needs = [{n for name in c.names for n in missing_inputs(CATALOG[name], present)} for c in mine]
        if all(needs):
            absent = sorted(set().union(*needs))
            why[clause] = (
                f"the input has no {', '.join(absent)}" if absent else "the policy has no rule for it"
            )
    return why


def write_table(table: pa.Table, path: Path) -> None:
    """Write Parquet whose bytes depend on the content alone."""
    pq.write_table(table, path, compression="zstd")
