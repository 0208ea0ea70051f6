"""Evidence becomes a case, or part of one; the same evidence never becomes two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Select, func, select

from detector.cases import Evidence, OrderValue, evidence_of_holds, evidence_of_tips
from detector.desk.desk import Desk
from detector.enforcement.commands import Actor, Command
from detector.enforcement.ladder import expected_harm
from detector.enforcement.parse import parse_command
from detector.enforcement.refusals import Refusal
from detector.enforcement.state import Case, SellerState
from detector.store import case_files
from detector.store.case_files import EVIDENCE, FILES
from detector.store.decisions import DECISIONS
from detector.store.events import load_stream
from detector.store.facts import FACTS

__all__ = ["Taken", "held_orders", "take_evidence", "tips"]

_SYSTEM = Actor("truetrade", "system")


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of evidence: ``case_id`` is None where there was too little new to open a case."""

    seller_id: str
    case_id: str | None
    outcome: Literal["opened", "extended", "known"]


def take_evidence(desk: Desk, evidence: Evidence, now: datetime) -> Taken:
    """Open a case on the evidence, or add it to the seller's open case.

    Orders and tips that are in a case of the seller already, decided or not, count no more: only what is new
    opens another case, when it is enough for one, or is added to the open one.
    """
    return desk.transact(lambda connection, lock: _take(desk, connection, evidence, now, lock))


def _take(desk: Desk, connection: Connection, evidence: Evidence, now: datetime, lock: bool) -> Taken:
    state = load_stream(connection, evidence.seller_id, lock=lock).state
    known = frozenset(order for case in state.cases.values() for order in case.order_ids)
    fresh = evidence.without(known, _used_reports(connection, evidence.seller_id))
    case = next((case for case in state.cases.values() if case.outcome is None), None)
    if not _is_enough(fresh, case):
        return Taken(evidence.seller_id, case.case_id if case else None, "known")
    command = _command(fresh, case, now)
    answer = desk.submit_in(connection, command, lock=lock)
    if isinstance(answer, Refusal):
        raise answer
    case_id = case.case_id if case else _case_id(fresh)
    case_files.add_evidence(
        connection, case_id, fresh.fingerprint, at=now, source=fresh.source, content=fresh.content()
    )
    _weigh(desk, connection, load_stream(connection, evidence.seller_id).state, case_id, fresh)
    return Taken(evidence.seller_id, case_id, "extended" if case else "opened")


def _used_reports(connection: Connection, seller_id: str) -> frozenset[str]:
    query = (
        select(EVIDENCE.c.content)
        .join(FILES, FILES.c.case_id == EVIDENCE.c.case_id)
        .where(FILES.c.seller_id == seller_id, EVIDENCE.c.source == "report")
    )
    return frozenset(report for content in connection.scalars(query) for report in content["report_ids"])


def _is_enough(fresh: Evidence, case: Case | None) -> bool:
    """Anything new extends a case; to open one it takes what opens one on its own."""
    if case is not None:
        return bool(fresh.orders or fresh.reports or set(fresh.clauses) - set(case.clauses))
    return len(fresh.reports or fresh.orders) >= fresh.needed


def _case_id(evidence: Evidence) -> str:
    return f"case_{evidence.fingerprint}"


def _command(fresh: Evidence, case: Case | None, now: datetime) -> Command:
    told = {
        "at": now.isoformat(),
        "key": f"evidence {fresh.fingerprint}",
        "actor": {"id": _SYSTEM.id, "role": _SYSTEM.role},
        "clauses": list(fresh.clauses),
        "order_ids": list(fresh.orders),
    }
    if case is None:
        whole = _numbers(len(fresh.orders), fresh.share, fresh.gmv_minor)
        opening = {"type": "open_case", "seller_id": fresh.seller_id, "source": fresh.source}
        return parse_command({**told, **whole, **opening, "case_id": _case_id(fresh)})
    gmv_minor = Counter(case.fake_gmv_minor)
    gmv_minor.update(fresh.gmv_minor)
    count, share = case.fake_order_count + len(fresh.orders), case.fake_order_share + fresh.share
    whole = _numbers(count, share, gmv_minor)
    return parse_command({**told, **whole, "type": "extend_case", "case_id": case.case_id})


def _numbers(count: int, share: float, gmv_minor: Mapping[str, int]) -> dict[str, object]:
    return {
        "fake_order_count": count,
        "fake_order_share": min(float(share), 1.0),
        "fake_gmv_minor": dict(gmv_minor),
    }


def _weigh(desk: Desk, connection: Connection, state: SellerState, case_id: str, evidence: Evidence) -> None:
    harm = expected_harm(state.cases[case_id], desk.policy.enforcement.severity)
    case_files.weigh(connection, case_id, priority=evidence.score * harm, hint=evidence.hint)


def tips(desk: Desk, connection: Connection, now: datetime) -> Iterator[Evidence]:
    """Evidence for every seller about whom there are enough tips of the policy's last days."""
    cases = desk.policy.enforcement.cases
    reports = FACTS["reports"].c
    since = now - timedelta(days=cases.days)
    recent = (reports.created_at > since, reports.created_at <= now, reports.seller_id.is_not(None))
    counted = (
        select(reports.seller_id)
        .where(*recent)
        .group_by(reports.seller_id)
        .having(func.count() >= cases.reports)
    )
    for seller_id, count in _order_counts(connection, counted, since).items():
        query = select(reports.report_id, reports.order_id).where(reports.seller_id == seller_id, *recent)
        told = {row.report_id: row.order_id for row in connection.execute(query)}
        known = _orders(connection, told.values(), count)
        yield evidence_of_tips(seller_id, told, *known, desk.policy)


def held_orders(desk: Desk, connection: Connection, now: datetime) -> Iterator[Evidence]:
    """Evidence for every seller of whom scoring has held enough orders in the policy's last days."""
    cases = desk.policy.enforcement.cases
    since = now - timedelta(days=cases.days)
    decided = DECISIONS.c
    recent = (decided.decision != "allow", decided.decided_at > since, decided.decided_at <= now)
    suspected = (
        select(decided.seller_id)
        .where(*recent)
        .group_by(decided.seller_id)
        .having(func.count(decided.order_id.distinct()) >= cases.held_orders)
    )
    for seller_id, count in _order_counts(connection, suspected, since).items():
        held = _held(connection, seller_id, since, now)
        if len(held) >= cases.held_orders:
            reasons = {order_id: row.reasons for order_id, row in held.items()}
            known = _orders(connection, held, count)
            scores = [row.score for row in held.values()]
            yield evidence_of_holds(seller_id, reasons, scores, *known, desk.policy)


def _held(connection: Connection, seller_id: str, since: datetime, now: datetime) -> dict[str, Any]:
    """Orders of the seller whose latest decision is to hold them: order id → that decision."""
    decided = DECISIONS.c
    query = select(decided.order_id, decided.decision, decided.score, decided.reasons)
    mine = (decided.seller_id == seller_id, decided.decided_at > since, decided.decided_at <= now)
    ordered = query.where(*mine).order_by(decided.decided_at, decided.decision_id)
    latest: dict[str, Any] = {row.order_id: row for row in connection.execute(ordered)}
    return {order_id: row for order_id, row in latest.items() if row.decision == "hold"}


def _order_counts(connection: Connection, sellers: Select[Any], since: datetime) -> dict[str, int]:
    """How many orders each of the selected sellers has had since then, in order of their ids."""
    orders = FACTS["orders"].c
    theirs = (orders.seller_id.in_(sellers), orders.created_at > since)
    counted = select(orders.seller_id, func.count().label("known")).where(*theirs).group_by(orders.seller_id)
    counts = {row.seller_id: row.known for row in connection.execute(counted)}
    return {seller_id: counts.get(seller_id, 0) for seller_id in sorted(connection.scalars(sellers))}


def _orders(
    connection: Connection, order_ids: Iterable[str | None], count: int
) -> tuple[dict[str, OrderValue], float]:
    """The named orders' values, and their share of ``count`` orders; 0 where there is none."""
    orders = FACTS["orders"].c
    named = sorted({order for order in order_ids if order is not None})
    query = select(orders.order_id, orders.currency, orders.total_minor).where(orders.order_id.in_(named))
    values = {row.order_id: OrderValue(row.currency, row.total_minor) for row in connection.execute(query)}
    return values, min(len(named) / count, 1.0) if count else 0.0
