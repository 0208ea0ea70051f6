"""What may open a case, as evidence: a scan's findings, orders held as they came in, tips about a seller.

Pure but for reading a scan's files. What is done with it is in ``detector.desk.investigations``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import pyarrow.compute as pc
import pyarrow.parquet as pq

from detector.errors import InputError
from detector.policy.schema import Policy

__all__ = ["Evidence", "OrderValue", "evidence_of_holds", "evidence_of_scan", "evidence_of_tips"]

Findings = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class OrderValue:
    """What an order is worth, in minor units; None where the source does not say."""

    currency: str | None = None
    total_minor: int | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a seller is suspected.

    Attributes
    ----------
    origin
        What it was drawn from, in a few words a person understands.
    score
        0–1, how sure the suspicion is; it weighs the expected harm.
    hint
        suspect, possible_victim, or None.
    clauses
        Codes of the clauses met; empty where tips do not say.
    orders
        Suspected order → its value.
    reports
        Ids of the tips, for evidence that consists of them.
    share
        0–1, the suspected orders' share of the seller's orders.
    gmv_minor
        Currency → value of all suspected orders, also where single ones are not known.
    needed
        How many new orders, or tips where it consists of them, open a case of their own.
    findings
        ``code``, ``clause``, ``order_count`` and ``message`` (language → sentence), most orders first.
    """

    seller_id: str
    source: Literal["scan", "report"]
    origin: str
    score: float
    hint: str | None
    clauses: tuple[str, ...]
    orders: Mapping[str, OrderValue]
    reports: tuple[str, ...]
    share: float
    gmv_minor: Mapping[str, int]
    needed: float
    findings: Findings

    @property
    def fingerprint(self) -> str:
        """Digest of what it says: the same evidence again has the same."""
        said = [self.seller_id, self.source, sorted(self.orders), sorted(self.reports), sorted(self.clauses)]
        return sha256(json.dumps(said).encode()).hexdigest()[:32]

    def without(self, orders: frozenset[str], reports: frozenset[str]) -> Evidence:
        """What is left of it when these orders and tips have been looked at.

        The value of what is left is known where that of each order is; otherwise it counts as nothing,
        which is never more than it was.
        """
        left = {order: value for order, value in self.orders.items() if order not in orders}
        gmv_minor = self.gmv_minor if len(left) == len(self.orders) else _sums(left.values())
        share = self.share * len(left) / len(self.orders) if self.orders else self.share
        tips = tuple(report for report in self.reports if report not in reports)
        return replace(self, orders=left, reports=tips, gmv_minor=gmv_minor, share=share)

    def content(self) -> dict[str, Any]:
        """It as JSON, as the case's file keeps it."""
        return {
            "origin": self.origin,
            "score": self.score,
            "hint": self.hint,
            "clauses": list(self.clauses),
            "order_ids": list(self.orders),
            "report_ids": list(self.reports),
            "share": self.share,
            "gmv_minor": dict(self.gmv_minor),
            "findings": [dict(finding) for finding in self.findings],
        }


def _sums(values: Iterable[OrderValue]) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for value in values:
        if value.currency is None or value.total_minor is None:
            return {}
        sums[value.currency] += value.total_minor
    return dict(sums)


def evidence_of_scan(out: Path, policy: Policy) -> Iterator[Evidence]:
    """Evidence for every seller on whom the scan in folder ``out`` recommends a case, worst first.

    Raises
    ------
    InputError
        ``out`` does not hold a scan.
    """
    try:
        manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
        sellers = pq.read_table(out / "sellers.parquet", filters=pc.field("recommendation") == "open_case")
        wanted = pc.field("seller_id").isin(sellers["seller_id"]) & (pc.field("decision") != "allow")
        columns = ["order_id", "seller_id", "reasons"]
        orders = pq.read_table(out / "orders.parquet", columns=[*columns, "decision"], filters=wanted)
    except (OSError, ValueError) as error:
        raise InputError(f"{out} should be the output of a scan: {error}") from None
    suspected: dict[str, list[dict[str, Any]]] = {}
    for order in orders.to_pylist():
        suspected.setdefault(order["seller_id"], []).append(order)
    origin = f"scan as of {manifest['as_of']}, policy {manifest['policy']['version']}"
    for row in sellers.to_pylist():
        yield _of_seller(row, suspected.get(row["seller_id"], []), origin, policy)


def _of_seller(row: Mapping[str, Any], orders: list[dict[str, Any]], origin: str, policy: Policy) -> Evidence:
    return Evidence(
        seller_id=row["seller_id"],
        source="scan",
        origin=origin,
        score=row["score"],
        hint=row["disposition_hint"],
        clauses=tuple(row["clauses"]),
        orders={order["order_id"]: OrderValue() for order in orders},
        reports=(),
        share=row["suspected_order_count"] / row["order_count"],
        gmv_minor=dict(row["suspected_gmv_minor"]),
        needed=policy.detection.seller.case_orders,
        findings=_findings([order["reasons"] for order in orders], policy),
    )


def _findings(reasons: Iterable[Sequence[Mapping[str, Any]]], policy: Policy) -> Findings:
    """How many orders each rule speaks of, with one sentence; in other languages where it has no figures."""
    counts: Counter[str] = Counter()
    examples: dict[str, Mapping[str, Any]] = {}
    for of_order in reasons:
        for reason in of_order:
            counts[reason["code"]] += 1
            examples.setdefault(reason["code"], reason)
    chinese = {rule.code: rule.message.zh for rule in policy.rule if "{" not in rule.message.zh}
    return [
        {
            "code": code,
            "clause": examples[code]["clause"],
            "order_count": count,
            "message": {"en": examples[code]["message"]} | ({"zh": chinese[code]} if code in chinese else {}),
        }
        for code, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    ]


def evidence_of_tips(
    seller_id: str,
    reports: Mapping[str, str | None],
    orders: Mapping[str, OrderValue],
    share: float,
    policy: Policy,
) -> Evidence:
    """Evidence that consists of tips: report id → the order it speaks of, None: of the seller as such."""
    return Evidence(
        seller_id=seller_id,
        source="report",
        origin=f"{len(reports)} tips",
        score=0.5,
        hint=None,
        clauses=(),
        orders={order: orders.get(order, OrderValue()) for order in sorted(filter(None, reports.values()))},
        reports=tuple(sorted(reports)),
        share=share,
        gmv_minor=_sums(orders.get(order, OrderValue()) for order in set(filter(None, reports.values()))),
        needed=policy.enforcement.cases.reports,
        findings=(),
    )


def evidence_of_holds(
    seller_id: str,
    held: Mapping[str, Sequence[Mapping[str, Any]]],
    scores: Sequence[float],
    orders: Mapping[str, OrderValue],
    share: float,
    policy: Policy,
) -> Evidence:
    """Evidence that consists of orders which scoring held: order id → reasons of its latest decision."""
    clauses = Counter(clause for reasons in held.values() for clause in {one["clause"] for one in reasons})
    return Evidence(
        seller_id=seller_id,
        source="scan",
        origin=f"{len(held)} orders held as they came in",
        score=max(scores),
        hint=None,
        clauses=tuple(sorted(clause for clause, count in clauses.items() if count >= 0.1 * len(held))),
        orders={order: orders.get(order, OrderValue()) for order in sorted(held)},
        reports=(),
        share=share,
        gmv_minor=_sums(orders.get(order, OrderValue()) for order in held),
        needed=policy.enforcement.cases.held_orders,
        findings=_findings(held.values(), policy),
    )
