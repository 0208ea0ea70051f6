"""Reads everything on record about a case from the store."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, select

from detector.desk.announcing import findings_of
from detector.enforcement.codec import event_data, event_type
from detector.enforcement.days import format_instant
from detector.enforcement.events import Event, MoneyMoved, NoticeSent
from detector.enforcement.state import Case, SellerState, Violation
from detector.enforcement.status import measures_at
from detector.enforcement.view import case_view, hold_view, measure_view, violation_view
from detector.evidence.dossier import Dossier
from detector.policy.schema import Policy
from detector.store import snapshots
from detector.store.case_files import UnknownCase, evidence_of, notes_of
from detector.store.decisions import Decision, decisions_until
from detector.store.documents import DocumentStore
from detector.store.events import load_stream, read_events
from detector.store.facts import FACTS
from detector.store.messages import messages_of
from detector.store.policies import PolicyText, policy_texts
from detector.store.projections import owner_of

__all__ = ["load_dossier"]

Json = dict[str, Any]
_AT_ONCE = 500


def load_dossier(connection: Connection, case_id: str, policy: Policy, documents: DocumentStore) -> Dossier:
    """The dossier of the case; ``policy`` is the one in force, for a case that no notice names a policy of.

    Raises
    ------
    UnknownCase
        There is no such case.
    DocumentAltered
        A document's bytes are not those that were handed in.
    """
    seller_id = owner_of(connection, ("case", case_id))
    if seller_id is None:
        raise UnknownCase(case_id)
    stream = load_stream(connection, seller_id)
    case = stream.state.cases[case_id]
    events = list(_about(case, stream.state, read_events(connection, seller_id, 1, stream.sequence)))
    as_of = events[-1].at
    orders = _rows(connection, "orders", "order_id", case.order_ids)
    notices = _notices(connection, seller_id, case_id)
    decided = _decided(connection, case.order_ids, as_of)
    return Dossier(
        case_id=case_id,
        seller_id=seller_id,
        as_of=format_instant(as_of),
        timezone=policy.timezone,
        case=_case(case, stream.state, as_of),
        findings=[
            {"clause": found.clause, "order_count": found.order_count, "message": dict(found.message)}
            for found in findings_of(connection, case_id)
        ],
        orders=orders,
        items=_rows(connection, "order_items", "order_id", case.order_ids),
        decisions=[{**asdict(one), "decided_at": format_instant(one.decided_at)} for one in decided],
        traces=_traces(connection, case.order_ids),
        reviews=_rows(connection, "reviews", "order_id", case.order_ids),
        rings=_rings(connection, {one.ring_id for one in decided if one.ring_id is not None}),
        timeline=[_told(event) for event in events if not isinstance(event, MoneyMoved)],
        ledger=[
            {"at": format_instant(event.at), **event_data(event)["entry"]}
            for event in events
            if isinstance(event, MoneyMoved)
        ],
        notices=notices,
        evidence=[_plain(row._mapping) for row in evidence_of(connection, case_id)],
        notes=[
            {"at": format_instant(note.at), "author": note.author, "text": note.text}
            for note in notes_of(connection, case_id)
        ],
        policies=_policies(connection, notices, policy, as_of),
        documents=[
            (one, documents.read(connection, one.document_id))
            for one in documents.of_case(connection, case_id)
        ],
    )


def _violation_of(state: SellerState, case_id: str) -> Violation | None:
    return next((v for v in state.violations.values() if v.case_id == case_id), None)


def _about(case: Case, state: SellerState, events: Sequence[Event]) -> Iterator[Event]:
    """The events of the case, its holds, its violation and its appeals, in order.

    A notice that names no violation follows what it is about.
    """
    violation = _violation_of(state, case.case_id)
    mine = {("case_id", case.case_id)} | {("hold_id", hold.hold_id) for hold in state.holds_of(case.case_id)}
    if violation:
        mine |= {("violation_id", violation.violation_id), ("overturned_id", violation.violation_id)}
        mine |= {("appeal_id", appeal.appeal_id) for appeal in violation.appeals}
    names = {name for name, _ in mine}
    belongs = False
    for event in events:
        about = event.entry if isinstance(event, MoneyMoved) else event
        if not (isinstance(event, NoticeSent) and event.violation_id is None):
            belongs = any((name, getattr(about, name, None)) in mine for name in names)
        if belongs:
            yield event


def _case(case: Case, state: SellerState, at: datetime) -> Json:
    violation = _violation_of(state, case.case_id)
    shown = {"violation_id": violation.violation_id, **violation_view(violation, at)} if violation else None
    return {
        "case_id": case.case_id,
        **case_view(case),
        "opened_at": format_instant(case.opened_at),
        "source": case.source,
        "clauses": list(case.clauses),
        "order_ids": list(case.order_ids),
        "fake_order_count": case.fake_order_count,
        "fake_order_share": case.fake_order_share,
        "fake_gmv_minor": dict(case.fake_gmv_minor),
        "violation": shown,
        "measures": [
            {**measure_view(interval), "phase": interval.phase}
            for interval in (measures_at(violation, at) if violation else ())
        ],
        "holds": [
            {"hold_id": hold.hold_id, **hold_view(hold, case, at)} for hold in state.holds_of(case.case_id)
        ],
    }


def _told(event: Event) -> Json:
    return {**event_data(event), "at": format_instant(event.at), "event": event_type(event)}


def _rows(connection: Connection, table: str, key: str, values: Sequence[str]) -> list[Json]:
    """The stored rows of the contract's ``table`` whose ``key`` is among ``values``, by their own key."""
    rows = []
    facts = FACTS[table]
    for some in _batches(values):
        found = connection.execute(select(facts).where(facts.c[key].in_(some)))
        rows += [_plain(row._mapping) for row in found]
    order: list[Column[Any]] = list(facts.primary_key)
    return sorted(rows, key=lambda row: [str(row[column.name]) for column in order])


def _batches(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), _AT_ONCE):
        yield values[start : start + _AT_ONCE]


def _plain(row: Any) -> Json:
    return {
        name: format_instant(value) if isinstance(value, datetime) else value for name, value in row.items()
    }


def _traces(connection: Connection, order_ids: Sequence[str]) -> list[Json]:
    shipments = _rows(connection, "shipments", "order_id", order_ids)
    scans: dict[str, list[Json]] = {shipment["shipment_id"]: [] for shipment in shipments}
    for scan in _rows(connection, "tracking_events", "shipment_id", list(scans)):
        scans[scan["shipment_id"]].append(scan)
    return [
        {
            **shipment,
            "tracking_events": sorted(scans[shipment["shipment_id"]], key=lambda scan: str(scan["event_at"])),
        }
        for shipment in shipments
    ]


def _decided(connection: Connection, order_ids: Sequence[str], as_of: datetime) -> list[Decision]:
    """The latest decision on each order that was scored by then."""
    latest: dict[str, Decision] = {}
    for some in _batches(order_ids):
        for one in decisions_until(connection, some, as_of):
            latest[one.order_id] = one
    return [latest[order_id] for order_id in sorted(latest)]


def _rings(connection: Connection, ring_ids: Collection[str]) -> list[Json]:
    """Those of the rings that the published scan still has."""
    snapshot = snapshots.current(connection)
    if snapshot is None:
        return []
    found = (snapshots.ring(connection, snapshot, ring_id) for ring_id in sorted(ring_ids))
    return [dict(ring[0]) for ring in found if ring is not None]


def _notices(connection: Connection, seller_id: str, case_id: str) -> list[Json]:
    found: list[Json] = []
    after = 0
    while page := messages_of(connection, seller_id, "notice", after=after):
        after = page[-1].position
        found += [dict(message.payload) for message in page if message.payload["case_id"] == case_id]
    return found


def _policies(
    connection: Connection, notices: Sequence[Json], policy: Policy, as_of: datetime
) -> list[PolicyText]:
    named = policy_texts(connection, {notice["policy"]["sha256"] for notice in notices})
    return named or [PolicyText(policy.sha256, policy.version, policy.text, as_of)]
