"""Everything on record about one case, as plain data, and what of it its seller may see.

For the seller a list of fields says what may stay, not what must go: buyers, creators and other sellers
become ``buyer 1`` …, the same person the same number throughout; names, devices, addresses and the platform's
people are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from detector.store.documents import Document
from detector.store.policies import PolicyText

__all__ = ["Dossier", "for_seller"]

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Dossier:
    """A case. Rows have the names of the data contract and the enforcement contract.

    Attributes
    ----------
    as_of
        Instant of the last event: what the states in ``case`` refer to.
    case
        The case with its violation, measures and holds.
    findings
        Kinds of evidence: clause, code, order_count, message by language.
    orders, items, reviews
        The case's orders as they are stored, identity values veiled.
    decisions
        What was computed of each order: score, decision, clauses, reasons.
    traces
        Shipments, each with its ``tracking_events``.
    rings
        Groups that the orders belong to.
    timeline
        The events of the case: at, event, and the event's own facts.
    ledger
        Entries about the case's holds.
    evidence, notes
        The pieces of evidence as they came in, and the investigators' notes.
    """

    case_id: str
    seller_id: str
    as_of: str
    timezone: str
    case: Json
    findings: Sequence[Json] = ()
    orders: Sequence[Json] = ()
    items: Sequence[Json] = ()
    decisions: Sequence[Json] = ()
    traces: Sequence[Json] = ()
    reviews: Sequence[Json] = ()
    rings: Sequence[Json] = ()
    timeline: Sequence[Json] = ()
    ledger: Sequence[Json] = ()
    notices: Sequence[Json] = ()
    evidence: Sequence[Json] = ()
    notes: Sequence[Json] = ()
    policies: Sequence[PolicyText] = ()
    documents: Sequence[tuple[Document, bytes]] = ()


_ORDER = (
    *("order_id", "seller_id", "created_at", "currency", "total_minor", "status", "paid_at", "shipped_at"),
    *("delivered_at", "completed_at", "cancelled_at", "refunded_at", "refund_minor", "subtotal_minor"),
    *("seller_discount_minor", "platform_discount_minor", "shipping_fee_minor", "payment_method"),
    *("ship_to_country", "ship_to_region", "channel", "campaign_id", "promotion_id"),
    *("is_sample", "is_replacement", "is_exchange"),
)
_DECISION = (
    *("decision_id", "order_id", "decided_at", "score", "decision", "anomaly_score", "rule_score"),
    *("clauses", "reasons", "versions"),
)
_SHIPMENT = (
    *("shipment_id", "order_id", "carrier", "tracking_number", "created_at", "shipped_at", "handover"),
    *("ship_from_country", "ship_from_region", "ship_from_city", "ship_from_postcode"),
    *("declared_weight_g", "last_mile_tracking_number"),
)
_SCAN = ("event_at", "status", "country", "region", "city", "weight_g")
_REVIEW = ("review_id", "order_id", "product_id", "created_at", "rating")
_RING = ("kind", "order_count", "suspicion", "first_order_at", "last_order_at")
_MEMBERS = {"seller_ids": "sellers", "buyer_ids": "buyers", "creator_ids": "creators"}
_STAFF = frozenset({"decided_by", "approved_by"})
_PAYEE = re.compile(r"^((?:compensated/)?(?:buyer|third_party)):.*$", re.DOTALL)


def for_seller(dossier: Dossier) -> Dossier:
    """The dossier that the case's own seller may read."""
    buyers = _numbered("buyer", (order["buyer_id"] for order in dossier.orders))
    creators = _numbered("creator", (order.get("creator_id") for order in dossier.orders))
    return replace(
        dossier,
        case=_without_people(dossier.case),
        orders=[_order(order, buyers, creators) for order in dossier.orders],
        decisions=[_only(row, _DECISION) for row in dossier.decisions],
        traces=[_trace(shipment) for shipment in dossier.traces],
        reviews=[
            {**_only(row, _REVIEW), "buyer": buyers.get(row["buyer_id"], "another buyer")}
            for row in dossier.reviews
        ],
        rings=[_ring(ring) for ring in dossier.rings],
        timeline=[_without_people(event) for event in dossier.timeline],
        ledger=[_without_people(entry) for entry in dossier.ledger],
        evidence=(),
        notes=(),
    )


def _numbered(word: str, ids: Iterable[str | None]) -> Mapping[str, str]:
    """Id → ``buyer 1`` … in the order in which they first appear."""
    known: dict[str, str] = {}
    for one in ids:
        if one is not None:
            known.setdefault(one, f"{word} {len(known) + 1}")
    return known


def _only(row: Json, names: Iterable[str]) -> Json:
    return {name: row[name] for name in names if name in row}


def _order(order: Json, buyers: Mapping[str, str], creators: Mapping[str, str]) -> Json:
    people = {"buyer": buyers[order["buyer_id"]], "creator": creators.get(order.get("creator_id") or "")}
    return {**_only(order, _ORDER), **people}


def _trace(shipment: Json) -> Json:
    scans = [_only(scan, _SCAN) for scan in shipment["tracking_events"]]
    return {**_only(shipment, _SHIPMENT), "tracking_events": scans}


def _ring(ring: Json) -> Json:
    counts = {f"{word}_count": len(ring.get(name) or ()) for name, word in _MEMBERS.items()}
    return {**_only(ring, _RING), **counts}


def _without_people(value: Any) -> Any:
    """The same without who of the platform acted, and without who was paid."""
    if isinstance(value, Mapping):
        return {name: _without_people(item) for name, item in value.items() if name not in _STAFF}
    if isinstance(value, list | tuple):
        return [_without_people(item) for item in value]
    return _PAYEE.sub(r"\1", value) if isinstance(value, str) else value
