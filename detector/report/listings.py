"""The report's lists: sellers, possible victims, rings, orders. Rows of text, made for the template."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from detector.money import format_money
from detector.report.data import ReportData, as_list, is_suspected, ranked_rings, ranked_sellers, rows_of
from detector.report.summary import money_lines
from detector.report.wording import RECOMMENDATIONS, RING_KINDS, clause_name, from_code, percent

__all__ = ["OrderRow", "ReasonLine", "RingRow", "SellerRow", "order_rows", "ring_rows", "seller_rows"]

_REASONS_SHOWN = 3
_IDS_SHOWN = 6


@dataclass(frozen=True, slots=True)
class ReasonLine:
    message: str
    clause: str
    code: str
    weight: str


@dataclass(frozen=True, slots=True)
class SellerRow:
    """``rings`` are the places (1-based) of the listed rings the seller is in."""

    seller_id: str
    score: str
    urgency: str
    recommendation: str
    orders: int
    suspected: int
    share: str
    value: tuple[str, ...]
    clauses: tuple[str, ...]
    reasons: tuple[ReasonLine, ...]
    more_reasons: int
    rings: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RingRow:
    place: int
    ring_id: str
    kind: str
    suspicion: str
    orders: int
    period: tuple[str, ...]
    members: tuple[tuple[str, int, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class OrderRow:
    order_id: str
    seller_id: str
    buyer_id: str
    placed: tuple[str, str]
    value: str
    score: str
    decision: str
    ring: int | None
    ring_id: str
    reasons: tuple[ReasonLine, ...]
    more_reasons: int


def seller_rows(
    data: ReportData, rings: list[RingRow], *, victims: bool = False, limit: int = 25
) -> list[SellerRow]:
    """The suspected sellers, a case first, or the possible victims; at most ``limit``."""
    chosen = ranked_sellers(data.sellers, victims=victims).head(limit)
    member_of = _rings_of_sellers(data.rings, rings)
    return [_seller_row(row, member_of.get(str(row.seller_id), ())) for row in rows_of(chosen)]


def _seller_row(row: Any, rings: tuple[int, ...]) -> SellerRow:
    reasons = _reasons(row.reasons)
    return SellerRow(
        seller_id=str(row.seller_id),
        score=_score(row.score),
        urgency=str(row.recommendation),
        recommendation=RECOMMENDATIONS.get(row.recommendation, from_code(str(row.recommendation))),
        orders=int(row.order_count),
        suspected=int(row.suspected_order_count),
        share=percent(row.suspected_order_count, row.order_count),
        value=money_lines(row.suspected_gmv_minor),
        clauses=tuple(clause_name(str(clause)) for clause in as_list(row.clauses)),
        reasons=reasons[:_REASONS_SHOWN],
        more_reasons=max(0, len(reasons) - _REASONS_SHOWN),
        rings=rings,
    )


def ring_rows(rings: pd.DataFrame, limit: int = 25) -> list[RingRow]:
    """The most suspicious rings; their place in this list is how the report refers to them."""
    rows = []
    for place, row in enumerate(rows_of(ranked_rings(rings).head(limit)), start=1):
        members = [_members(row, one) for one in ("seller", "buyer", "creator")]
        rows.append(
            RingRow(
                place=place,
                ring_id=str(row.ring_id),
                kind=RING_KINDS.get(str(row.kind), from_code(str(row.kind))),
                suspicion=_score(row.suspicion),
                orders=int(row.order_count),
                period=_period(row.first_order_at, row.last_order_at),
                members=tuple(member for member in members if member[1]),
            )
        )
    return rows


def _members(ring: object, one: str) -> tuple[str, int, tuple[str, ...]]:
    """One kind of account of a ring: its name, how many, and the first few ids."""
    ids = sorted(map(str, as_list(getattr(ring, f"{one}_ids"))))
    return one, len(ids), tuple(ids[:_IDS_SHOWN])


def order_rows(orders: pd.DataFrame, rings: list[RingRow], limit: int = 50) -> list[OrderRow]:
    """The suspected orders with the highest scores, at most ``limit``."""
    # A partial sort first: a million orders need not be sorted for fifty rows.
    suspected = orders[is_suspected(orders)]
    floor = suspected["score"].nlargest(limit).min() if len(suspected) else 0.0
    top = suspected[suspected["score"] >= floor]
    top = top.sort_values(["score", "created_at", "order_id"], ascending=[False, True, True]).head(limit)
    places = {ring.ring_id: ring.place for ring in rings}
    return [_order_row(row, places) for row in rows_of(top)]


def _order_row(row: Any, places: Mapping[str, int]) -> OrderRow:
    reasons = _reasons(row.reasons)
    ring_id = "" if pd.isna(row.ring_id) else str(row.ring_id)
    return OrderRow(
        order_id=str(row.order_id),
        seller_id=str(row.seller_id),
        buyer_id=str(row.buyer_id),
        placed=(f"{row.created_at:%Y-%m-%d}", f"{row.created_at:%H:%M}"),
        value="–" if pd.isna(row.total_minor) else format_money(int(row.total_minor), str(row.currency)),
        score=_score(row.score),
        decision=str(row.decision),
        ring=places.get(ring_id),
        ring_id=ring_id,
        reasons=reasons[:_REASONS_SHOWN],
        more_reasons=max(0, len(reasons) - _REASONS_SHOWN),
    )


def _rings_of_sellers(rings: pd.DataFrame, listed: list[RingRow]) -> dict[str, tuple[int, ...]]:
    places = {ring.ring_id: ring.place for ring in listed}
    found: dict[str, list[int]] = {}
    for ring_id, sellers in zip(rings["ring_id"], rings["seller_ids"], strict=True):
        if ring_id in places:
            for seller in as_list(sellers):
                found.setdefault(str(seller), []).append(places[ring_id])
    return {seller: tuple(sorted(numbers)) for seller, numbers in found.items()}


def _reasons(cell: object) -> tuple[ReasonLine, ...]:
    return tuple(
        ReasonLine(
            str(reason["message"]),
            clause_name(str(reason["clause"])),
            str(reason["code"]),
            f"{reason['weight']:.2f}",
        )
        for reason in as_list(cell)
    )


def _score(value: float) -> str:
    """Two digits, rounded down: what shows as 1.00 is 1."""
    return "–" if pd.isna(value) else f"{int(value * 100 + 1e-9) / 100:.2f}"


def _period(first: pd.Timestamp, last: pd.Timestamp) -> tuple[str, ...]:
    if pd.isna(first) or pd.isna(last):
        return ()
    days = f"{first:%Y-%m-%d}", f"{last:%Y-%m-%d}"
    return days[:1] if days[0] == days[1] else (f"{days[0]} to", days[1])
