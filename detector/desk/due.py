"""Tells what time alone has brought: measures that ended, windows that closed, holds that matured, reminders.

Nothing is decided here, and the state does not depend on it. What is due is found by an index; each thing is
told once, under an id made from what it is, so a run that is missed, repeated or cut short changes nothing
but when the telling happens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, select, update

from detector.desk.desk import Desk
from detector.enforcement.days import format_instant
from detector.enforcement.state import SellerState
from detector.enforcement.view import hold_view, violation_view
from detector.outward.announce import all_measures
from detector.outward.notices import reminder
from detector.policy.schema import Policy
from detector.store.case_files import FILES
from detector.store.columns import to_micros
from detector.store.database import one_moment
from detector.store.events import load_streams
from detector.store.messages import NewMessage, message_id_of
from detector.store.outbox import append
from detector.store.projections import CASES, DUE

__all__ = ["send_due"]

_CASES_AT_ONCE = 2000
_SELLERS_AT_ONCE = 500


def send_due(desk: Desk, now: datetime) -> Counter[str]:
    """Put a message into the outbox for all that has come true by ``now``; kind → how many things.

    A reminder that comes too late is one of them, but nobody is sent it.
    """
    sent: Counter[str] = Counter()
    sellers = _sellers(desk, now)
    for start in range(0, len(sellers), _SELLERS_AT_ONCE):
        some = sellers[start : start + _SELLERS_AT_ONCE]
        sent += desk.transact(partial(_send_some, policy=desk.policy, seller_ids=some, now=now))
    while late := desk.transact(lambda connection, _: _send_cases(connection, now)):
        sent += late
    return sent


def _sellers(desk: Desk, now: datetime) -> Sequence[str]:
    """Sellers of whom something is due, in the order of their ids."""
    query = select(DUE.c.seller_id).distinct().where(DUE.c.sent_at.is_(None), DUE.c.at <= now)
    with one_moment(desk.engine) as connection:
        return sorted(connection.scalars(query))


def _send_some(
    connection: Connection, _lock: bool, *, policy: Policy, seller_ids: Sequence[str], now: datetime
) -> Counter[str]:
    these = (DUE.c.seller_id.in_(seller_ids), DUE.c.sent_at.is_(None), DUE.c.at <= now)
    told = update(DUE).where(*these).values(sent_at=now).returning(*DUE.c)
    rows = sorted(connection.execute(told), key=lambda row: (row.seller_id, row.at))
    streams = load_streams(connection, sorted({row.seller_id for row in rows}))
    states = {seller_id: stream.state for seller_id, stream in streams.items()}
    messages = [
        _message(row, states[row.seller_id], policy) for row in rows if not _too_late(row, states, now)
    ]
    append(connection, messages)
    return Counter(row.kind for row in rows)


def _too_late(row: Row[Any], states: dict[str, SellerState], now: datetime) -> bool:
    """Nobody is reminded of a window that has closed meanwhile."""
    if row.kind != "notice.reminder":
        return False
    closes_at = states[row.seller_id].violations[row.subject_id].appeal_until
    return closes_at is None or now >= closes_at


def _message(row: Row[Any], state: SellerState, policy: Policy) -> NewMessage:
    message_id = message_id_of(row.seller_id, row.kind, row.subject_id, to_micros(row.at))
    payload = {"seller_id": row.seller_id, **_payload(row, state, policy)}
    return NewMessage(message_id, row.seller_id, row.kind, payload, row.at)


def _payload(row: Row[Any], state: SellerState, policy: Policy) -> dict[str, Any]:
    """What has come true, as of the instant at which it did."""
    if row.kind == "seller.measures":
        return all_measures(state, row.at)
    if row.kind == "hold.releasable":
        hold = state.holds[row.subject_id]
        case = state.cases[hold.case_id]
        return {"hold_id": hold.hold_id, "case_id": hold.case_id, **hold_view(hold, case, row.at)}
    violation = state.violations[row.subject_id]
    if row.kind == "notice.reminder":
        return reminder(state, violation, row.at, policy)
    return {"violation_id": violation.violation_id, **violation_view(violation, row.at)}


def _send_cases(connection: Connection, now: datetime) -> Counter[str]:
    """Cases that are open although they should have been decided: once for every due date."""
    late = FILES.c.reminded_at.is_distinct_from(FILES.c.due_at)
    query = (
        select(FILES.c.case_id, FILES.c.seller_id, FILES.c.assignee, FILES.c.due_at)
        .join(CASES, CASES.c.case_id == FILES.c.case_id)
        .where(FILES.c.due_at <= now, late, CASES.c.outcome.is_(None))
        .order_by(FILES.c.due_at)
        .limit(_CASES_AT_ONCE)
        .with_for_update(of=FILES)
    )
    rows = connection.execute(query).all()
    append(connection, list(_case_messages(rows)))
    for row in rows:
        mine = FILES.c.case_id == row.case_id
        connection.execute(update(FILES).where(mine).values(reminded_at=row.due_at))
    return Counter({"case.due": len(rows)}) if rows else Counter()


def _case_messages(rows: Iterable[Any]) -> Iterator[NewMessage]:
    for row in rows:
        payload = {"seller_id": row.seller_id, "case_id": row.case_id, "assignee": row.assignee}
        due_at = {"due_at": format_instant(row.due_at)}
        message_id = message_id_of(row.seller_id, "case.due", row.case_id, to_micros(row.due_at))
        yield NewMessage(message_id, row.seller_id, "case.due", payload | due_at, row.due_at)
