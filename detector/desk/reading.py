"""What people and systems ask of enforcement: lists in pages, single things, statements.

Every function takes a connection that only reads, and gives plain data with the contract's names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, and_, or_, select

from detector.enforcement.events import MoneyMoved
from detector.enforcement.ledger import statement
from detector.enforcement.status import PUBLIC_VIOLATION_STATE
from detector.errors import TrueTradeError
from detector.store.audit import ENTRIES
from detector.store.case_files import FILES, evidence_of, notes_of, read_file
from detector.store.events import events_of_type, load_stream
from detector.store.projections import APPEALS, CASES, HOLDS, MEASURES, REMOVED_ORDERS, VIOLATIONS

__all__ = [
    "Unknown",
    "appeals",
    "audit_entries",
    "case",
    "cases",
    "holds",
    "ledger",
    "measures",
    "removed_orders",
    "single",
    "violations",
]

Json = dict[str, Any]
Position = tuple[Any, ...] | None
"""Sort key of the last element of the page before."""


class Unknown(TrueTradeError):
    """There is no such thing."""


def cases(
    connection: Connection,
    *,
    state: str | None,
    seller_id: str | None,
    assignee: str | None,
    after: tuple[float, str] | None,
    limit: int,
) -> list[Json]:
    """Cases with the most expected harm first."""
    query = select(CASES, *_FILED).join(FILES, FILES.c.case_id == CASES.c.case_id)
    conditions = _given({CASES.c.seller_id: seller_id, FILES.c.assignee: assignee})
    if state is not None:
        conditions.append(CASES.c.outcome.is_(None) if state == "open" else CASES.c.outcome.is_not(None))
    if after is not None:
        priority, case_id = after
        same = and_(FILES.c.priority == priority, CASES.c.case_id > case_id)
        conditions.append(or_(FILES.c.priority < priority, same))
    ordered = query.where(*conditions).order_by(FILES.c.priority.desc(), CASES.c.case_id)
    return [_case(row) for row in connection.execute(ordered.limit(limit))]


_FILED = (FILES.c.priority, FILES.c.hint, FILES.c.assignee, FILES.c.due_at, FILES.c.version)


def _case(row: Row[Any]) -> Json:
    known = dict(row._mapping)
    completed, overturned = known.pop("completed_at"), known.pop("overturned")
    return {
        **known,
        "state": "decided" if row.outcome else "open",
        "investigation": "completed" if completed else "running",
        "overturned": overturned,
    }


def case(connection: Connection, case_id: str) -> Json:
    """One case with its orders, evidence and notes (UnknownCase where there is none)."""
    file = read_file(connection, case_id)
    query = select(CASES, *_FILED).join(FILES, FILES.c.case_id == CASES.c.case_id)
    row = connection.execute(query.where(CASES.c.case_id == case_id)).one()
    inside = load_stream(connection, file.seller_id).state.cases[case_id]
    evidence = [
        {"at": found.at, "source": found.source, **found.content}
        for found in evidence_of(connection, case_id)
    ]
    notes = [
        {"at": note.at, "author": note.author, "text": note.text} for note in notes_of(connection, case_id)
    ]
    return {
        **_case(row),
        "order_ids": list(inside.order_ids),
        "fake_order_count": inside.fake_order_count,
        "fake_order_share": inside.fake_order_share,
        "evidence": evidence,
        "notes": notes,
    }


def violations(
    connection: Connection, now: datetime, *, seller_id: str | None, after: str | None, limit: int
) -> list[Json]:
    """Violations by id; the state is that of ``now``."""
    rows = _page(connection, VIOLATIONS, VIOLATIONS.c.violation_id, {"seller_id": seller_id}, after, limit)
    return [_violation(row, now) for row in rows]


def _violation(row: Row[Any], now: datetime) -> Json:
    known = dict(row._mapping)
    closes_at, status = known.pop("closes_at"), known.pop("status")
    is_closed = closes_at is not None and now >= closes_at
    state = "final" if is_closed else PUBLIC_VIOLATION_STATE[status]
    return {**known, "state": state, "appeal_until": closes_at}


def measures(
    connection: Connection, now: datetime, *, seller_id: str | None, after: tuple[str, int] | None, limit: int
) -> list[Json]:
    """Measures of upheld violations that are in force, scheduled or proposed at ``now``."""
    key = (MEASURES.c.violation_id, MEASURES.c.place)
    conditions = _given({MEASURES.c.seller_id: seller_id})
    conditions.append(or_(MEASURES.c.ends_at.is_(None), MEASURES.c.ends_at > now))
    if after is not None:
        violation_id, place = after
        same = and_(key[0] == violation_id, key[1] > place)
        conditions.append(or_(key[0] > violation_id, same))
    query = select(MEASURES).where(*conditions).order_by(*key).limit(limit)
    return [_measure(row, now) for row in connection.execute(query)]


def _measure(row: Row[Any], now: datetime) -> Json:
    in_force = row.starts_at is not None and row.starts_at <= now
    phase = "proposed" if row.proposed else "in_force" if in_force else "scheduled"
    return {
        "seller_id": row.seller_id,
        "violation_id": row.violation_id,
        "place": row.place,
        "measure": row.measure,
        "phase": phase,
        "from": row.starts_at,
        "until": row.ends_at,
    }


def removed_orders(
    connection: Connection, *, seller_id: str | None, after: tuple[str, str] | None, limit: int
) -> list[Json]:
    """Orders whose sales and reviews do not count, and the violation by which each is removed."""
    key = (REMOVED_ORDERS.c.order_id, REMOVED_ORDERS.c.violation_id)
    conditions = _given({REMOVED_ORDERS.c.seller_id: seller_id})
    if after is not None:
        order_id, violation_id = after
        same = and_(key[0] == order_id, key[1] > violation_id)
        conditions.append(or_(key[0] > order_id, same))
    query = select(REMOVED_ORDERS).where(*conditions).order_by(*key).limit(limit)
    return [dict(row._mapping) for row in connection.execute(query)]


def holds(
    connection: Connection, now: datetime, *, seller_id: str | None, after: str | None, limit: int
) -> list[Json]:
    """Holds by id; the state is that of ``now``."""
    rows = _page(connection, HOLDS, HOLDS.c.hold_id, {"seller_id": seller_id}, after, limit)
    return [_hold(row, now) for row in rows]


def _hold(row: Row[Any], now: datetime) -> Json:
    known = dict(row._mapping)
    ended, term = known.pop("ended"), row.term_ends_at
    state = ended or ("releasable" if term is not None and now >= term else "active")
    return {**known, "state": state, "waiting_for": [] if term or ended else ["investigation"]}


def appeals(
    connection: Connection, *, seller_id: str | None, state: str | None, after: str | None, limit: int
) -> list[Json]:
    """Appeals by id, with the references of their documents."""
    given = {"seller_id": seller_id, "state": state}
    return [
        dict(row._mapping) for row in _page(connection, APPEALS, APPEALS.c.appeal_id, given, after, limit)
    ]


_ONE = {"violation": VIOLATIONS, "hold": HOLDS, "appeal": APPEALS}


def single(connection: Connection, kind: str, subject_id: str, now: datetime) -> Json:
    """One violation, hold or appeal as its list shows it (Unknown where there is none)."""
    table = _ONE[kind]
    (key,) = table.primary_key
    row = connection.execute(select(table).where(key == subject_id)).first()
    if row is None:
        raise Unknown(f"{kind} {subject_id} does not exist; cannot be read. Allowed: an existing {kind}.")
    if kind == "violation":
        return _violation(row, now)
    return _hold(row, now) if kind == "hold" else dict(row._mapping)


def ledger(connection: Connection, seller_id: str) -> Json:
    """The seller's statement per currency: every entry with its cause and the balances after it."""
    stored = (found.event for found in events_of_type(connection, seller_id, "money_moved"))
    entries = [(event.at, event.entry) for event in stored if isinstance(event, MoneyMoved)]
    currencies = sorted({entry.currency for _, entry in entries})
    return {
        "seller_id": seller_id,
        "statements": {
            currency: [_line(line) for line in statement(entries, currency)] for currency in currencies
        },
    }


def _line(line: Any) -> Json:
    entry = line.entry
    return {
        "at": line.at,
        "cause": entry.cause,
        "hold_id": entry.hold_id,
        "from": entry.source,
        "to": entry.target,
        "amount_minor": entry.amount_minor,
        "payable": line.payable_minor,
        "held": line.held_minor,
        "confiscated": line.confiscated_minor,
        "compensated": line.compensated_minor,
    }


def audit_entries(connection: Connection, *, after: int, limit: int) -> list[Json]:
    """Entries of the audit log in their order, with their hashes."""
    query = select(ENTRIES).where(ENTRIES.c.number > after).order_by(ENTRIES.c.number).limit(limit)
    return [_entry(row) for row in connection.execute(query)]


def _entry(row: Row[Any]) -> Json:
    known = dict(row._mapping)
    content, hashes = json.loads(known.pop("content")), json.loads(known.pop("event_hashes"))
    actor = {"id": known.pop("actor_id"), "role": known.pop("actor_role")}
    return {**known, "actor": actor, "content": content, "event_hashes": hashes}


def _page(
    connection: Connection,
    table: Table,
    key: ColumnElement[str],
    given: Mapping[str, Any],
    after: str | None,
    limit: int,
) -> list[Row[Any]]:
    conditions = _given({table.c[name]: value for name, value in given.items()})
    if after is not None:
        conditions.append(key > after)
    query: Select[Any] = select(table).where(*conditions).order_by(key).limit(limit)
    return list(connection.execute(query))


def _given(wanted: Mapping[ColumnElement[Any], Any]) -> list[ColumnElement[bool]]:
    return [column == value for column, value in wanted.items() if value is not None]
