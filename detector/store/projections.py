"""What lists and look-ups read: the present of every seller as rows, made from the seller's state alone.

``rows_of`` is the definition; a command writes the difference that it makes, ``truetrade enforce rebuild``
writes everything anew. The primary keys keep ids unique in the whole market.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy import text as sql

from detector.enforcement.days import EARLIEST
from detector.enforcement.due import OPEN_WINDOW, Due, due_items
from detector.enforcement.routing import Subject
from detector.enforcement.state import Case, Hold, SellerState, Violation
from detector.enforcement.status import measures_at, term_ends_at, violation_status
from detector.store.appeal_documents import APPEAL_DOCUMENTS, named_in
from detector.store.columns import METADATA, Instant, Json

__all__ = [
    "APPEALS",
    "CASES",
    "DUE",
    "HOLDS",
    "LABELS",
    "MEASURES",
    "PROJECTIONS",
    "REMOVED_ORDERS",
    "VIOLATIONS",
    "due_rows",
    "owner_of",
    "project",
    "rows_of",
]

CASES = Table(
    "enforcement_cases",
    METADATA,
    Column("case_id", Text, primary_key=True),
    Column("seller_id", Text, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("source", Text, nullable=False),
    Column("clauses", Json, nullable=False),
    Column("order_count", Integer, nullable=False),
    Column("fake_gmv_minor", Json, nullable=False),
    Column("outcome", Text),
    Column("decided_at", Instant),
    Column("decided_by", Text),
    Column("completed_at", Instant),
    Column("overturned", Boolean, nullable=False),
    Index(None, "seller_id"),
)

VIOLATIONS = Table(
    "enforcement_violations",
    METADATA,
    Column("violation_id", Text, primary_key=True),
    Column("case_id", Text, nullable=False),
    Column("seller_id", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("occurrence", Integer, nullable=False),
    Column("noticed_at", Instant, nullable=False),
    Column("status", Text, nullable=False),
    Column("closes_at", Instant),
    Column("needs_reassessment", Boolean, nullable=False),
    Index(None, "seller_id"),
)
"""``status`` is that of the transition table; where it is open and ``closes_at`` has come, it is lapsed."""

MEASURES = Table(
    "enforcement_measures",
    METADATA,
    Column("violation_id", Text, primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("seller_id", Text, nullable=False),
    Column("measure", Text, nullable=False),
    Column("proposed", Boolean, nullable=False),
    Column("starts_at", Instant),
    Column("ends_at", Instant),
    Index(None, "seller_id"),
)
"""In force from ``starts_at`` to before ``ends_at`` (null: no end). Without a start: proposed, or at rest."""

HOLDS = Table(
    "enforcement_holds",
    METADATA,
    Column("hold_id", Text, primary_key=True),
    Column("case_id", Text, nullable=False),
    Column("seller_id", Text, nullable=False),
    Column("placed_at", Instant, nullable=False),
    Column("ended", Text),
    Column("term_ends_at", Instant),
    Column("amount_minor", Json, nullable=False),
    Index(None, "seller_id"),
)
"""``ended``: settled or returned; otherwise releasable from ``term_ends_at`` on, active until then."""

APPEALS = Table(
    "enforcement_appeals",
    METADATA,
    Column("appeal_id", Text, primary_key=True),
    Column("violation_id", Text, nullable=False),
    Column("seller_id", Text, nullable=False),
    Column("stage", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("filed_at", Instant, nullable=False),
    Column("documents", JSON, nullable=False),
    Column("decided_at", Instant),
    Column("decided_by", Text),
    Column("reason", Text),
    Index(None, "seller_id"),
    Index(None, "violation_id"),
)

REMOVED_ORDERS = Table(
    "enforcement_removed_orders",
    METADATA,
    Column("order_id", Text, primary_key=True),
    Column("violation_id", Text, primary_key=True),
    Column("seller_id", Text, nullable=False),
    Column("removed_at", Instant, nullable=False),
    Index(None, "violation_id"),
)
"""Orders whose sales and reviews do not count, each by the violation that removes it (policy §3.2)."""

LABELS = Table(
    "enforcement_labels",
    METADATA,
    Column("subject_kind", Text, primary_key=True),
    Column("subject_id", Text, primary_key=True),
    Column("case_id", Text, primary_key=True),
    Column("seller_id", Text, nullable=False),
    Column("is_fake", Boolean, nullable=False),
    Column("labelled_at", Instant, nullable=False),
)
"""What decided cases say of their orders and sellers; ``detector.desk.labels`` reads it."""

PROJECTIONS: tuple[Table, ...] = (
    *(CASES, VIOLATIONS, MEASURES, HOLDS, APPEALS, APPEAL_DOCUMENTS, REMOVED_ORDERS, LABELS),
)

DUE = Table(
    "enforcement_due",
    METADATA,
    Column("kind", Text, primary_key=True),
    Column("subject_id", Text, primary_key=True),
    Column("at", Instant, primary_key=True),
    Column("seller_id", Text, nullable=False),
    Column("sent_at", Instant),
    Index(None, "seller_id"),
)
"""What time brings, and when it was told. What has been told stays on record; the rest follows the state."""
Index(
    "ix_enforcement_due_unsent",
    DUE.c.at,
    sqlite_where=sql("sent_at IS NULL"),
    postgresql_where=sql("sent_at IS NULL"),
)

Row = dict[str, Any]
_OWNED = {
    "case": CASES.c.case_id,
    "hold": HOLDS.c.hold_id,
    "violation": VIOLATIONS.c.violation_id,
    "appeal": APPEALS.c.appeal_id,
}
_REMOVAL = "remove_fake_sales_and_reviews"


def owner_of(connection: Connection, subject: Subject) -> str | None:
    """Id of the seller whose the case, hold, violation or appeal is; None when there is no such thing."""
    kind, subject_id = subject
    column = _OWNED[kind]
    query = select(column.table.c.seller_id).where(column == subject_id)
    owner: str | None = connection.execute(query).scalar()
    return owner


def rows_of(state: SellerState) -> dict[Table, list[Row]]:
    """The seller's rows in every projection."""
    violations = state.violations.values()
    rows = {
        CASES: [_case(case) for case in state.cases.values()],
        VIOLATIONS: [_violation(violation) for violation in violations],
        MEASURES: [row for violation in violations for row in _measures(violation)],
        HOLDS: [_hold(hold, state.cases[hold.case_id]) for hold in state.holds.values()],
        APPEALS: [row for violation in violations for row in _appeals(violation)],
        APPEAL_DOCUMENTS: [row for violation in violations for row in _appeal_documents(violation)],
        REMOVED_ORDERS: [row for violation in violations for row in _removed(violation, state)],
        LABELS: list(_labels(state)),
    }
    return {table: [row | {"seller_id": state.seller_id} for row in some] for table, some in rows.items()}


def _case(case: Case) -> Row:
    return {
        "case_id": case.case_id,
        "opened_at": case.opened_at,
        "source": case.source,
        "clauses": list(case.clauses),
        "order_count": len(case.order_ids),
        "fake_gmv_minor": dict(case.fake_gmv_minor),
        "outcome": case.outcome,
        "decided_at": case.decided_at,
        "decided_by": case.decided_by,
        "completed_at": case.completed_at,
        "overturned": case.overturned,
    }


def _violation(violation: Violation) -> Row:
    status = violation_status(violation, EARLIEST)
    return {
        "violation_id": violation.violation_id,
        "case_id": violation.case_id,
        "severity": violation.severity,
        "occurrence": violation.occurrence,
        "noticed_at": violation.noticed_at,
        "status": status,
        "closes_at": violation.appeal_until if status in OPEN_WINDOW else None,
        "needs_reassessment": violation.needs_reassessment and not violation.overturned,
    }


def _measures(violation: Violation) -> Iterator[Row]:
    """At the beginning of time no measure has ended yet, so this is all of them, whenever they are."""
    for place, interval in enumerate(measures_at(violation, EARLIEST)):
        yield {
            "violation_id": violation.violation_id,
            "place": place,
            "measure": interval.measure,
            "proposed": interval.phase == "proposed",
            "starts_at": interval.starts_at,
            "ends_at": interval.ends_at,
        }


def _hold(hold: Hold, case: Case) -> Row:
    return {
        "hold_id": hold.hold_id,
        "case_id": hold.case_id,
        "placed_at": hold.placed_at,
        "ended": hold.ended,
        "term_ends_at": term_ends_at(hold, case),
        "amount_minor": {currency: money.held for currency, money in hold.money.items()},
    }


def _appeals(violation: Violation) -> Iterator[Row]:
    for appeal in violation.appeals:
        yield {
            "appeal_id": appeal.appeal_id,
            "violation_id": violation.violation_id,
            "stage": appeal.stage,
            "state": appeal.state,
            "filed_at": appeal.filed_at,
            "documents": list(appeal.documents),
            "decided_at": appeal.decided_at,
            "decided_by": appeal.decided_by,
            "reason": appeal.reason,
        }


def _appeal_documents(violation: Violation) -> Iterator[Row]:
    for appeal in violation.appeals:
        for document_id in dict.fromkeys(named_in(appeal.documents)):
            yield {"appeal_id": appeal.appeal_id, "document_id": document_id, "case_id": violation.case_id}


def _removed(violation: Violation, state: SellerState) -> Iterator[Row]:
    """A mark for every order of the case, as long as the violation's removal is in force."""
    for row in _measures(violation):
        if row["measure"] == _REMOVAL and row["starts_at"] is not None:
            for order_id in dict.fromkeys(state.cases[violation.case_id].order_ids):
                common = {"violation_id": violation.violation_id, "removed_at": row["starts_at"]}
                yield {"order_id": order_id, **common}


def _labels(state: SellerState) -> Iterator[Row]:
    """A violation: the orders are fake and the seller is guilty. A victim: only the orders are fake."""
    overturned_at = {v.case_id: v.closed_at for v in state.violations.values() if v.overturned}
    for case in state.cases.values():
        if case.outcome is None or case.decided_at is None:
            continue
        guilty = case.outcome == "violation" and not case.overturned
        fake = guilty or case.outcome == "victim"
        common = {"case_id": case.case_id, "labelled_at": overturned_at.get(case.case_id, case.decided_at)}
        yield {"subject_kind": "seller", "subject_id": state.seller_id, "is_fake": guilty, **common}
        for order_id in dict.fromkeys(case.order_ids):
            yield {"subject_kind": "order", "subject_id": order_id, "is_fake": fake, **common}


def due_rows(state: SellerState, reminder_days: int) -> list[Row]:
    """What time brings the seller, as rows not yet sent."""
    return [_due_row(due, state.seller_id) for due in due_items(state, reminder_days)]


def _due_row(due: Due, seller_id: str) -> Row:
    return {"kind": due.kind, "subject_id": due.subject_id, "at": due.at, "seller_id": seller_id}


def project(connection: Connection, before: SellerState, after: SellerState, reminder_days: int) -> None:
    """Write what the way from ``before`` to ``after`` changes in the seller's rows."""
    if (before.cases, before.violations, before.holds) == (after.cases, after.violations, after.holds):
        return
    old, new = rows_of(before), rows_of(after)
    for table in PROJECTIONS:
        _write_changes(connection, table, _keyed(table, old[table]), _keyed(table, new[table]))
    _reschedule(connection, after.seller_id, due_rows(after, reminder_days))


def _keyed(table: Table, rows: Iterable[Row]) -> dict[tuple[Any, ...], Row]:
    return {tuple(row[column.name] for column in table.primary_key): row for row in rows}


def _write_changes(
    connection: Connection,
    table: Table,
    old: Mapping[tuple[Any, ...], Row],
    new: Mapping[tuple[Any, ...], Row],
) -> None:
    keys = list(table.primary_key)
    for gone in old.keys() - new.keys():
        connection.execute(delete(table).where(*_is(keys, gone)))
    for key in new.keys() & old.keys():
        if new[key] != old[key]:
            connection.execute(update(table).where(*_is(keys, key)).values(new[key]))
    added = [row for key, row in new.items() if key not in old]
    if added:
        connection.execute(insert(table), added)


def _is(columns: Iterable[Column[Any]], key: tuple[Any, ...]) -> list[Any]:
    return [column == value for column, value in zip(columns, key, strict=True)]


def _reschedule(connection: Connection, seller_id: str, rows: list[Row]) -> None:
    """Forget what will not come any more, and note what is new; what was told is left as it is."""
    mine = select(DUE).where(DUE.c.seller_id == seller_id)
    known = {(row.kind, row.subject_id, row.at): row.sent_at for row in connection.execute(mine)}
    wanted = _keyed(DUE, rows)
    keys = list(DUE.primary_key)
    for key in known.keys() - wanted.keys():
        if known[key] is None:
            connection.execute(delete(DUE).where(*_is(keys, key)))
    added = [row for key, row in wanted.items() if key not in known]
    if added:
        connection.execute(insert(DUE), added)
