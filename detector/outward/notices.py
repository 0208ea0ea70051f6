"""What a seller is told, as data: the content of seller-centre notices, and of the letters made from them.

Everything that policy §5 demands and nothing else: no buyer, no other seller, no device or address. The
words are in ``templates/``; ``letters`` puts the two together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from detector.enforcement.days import format_instant
from detector.enforcement.events import (
    AppealFailed,
    AppealGranted,
    AppealRejected,
    CaseDecided,
    Event,
    HoldPlaced,
    HoldReturned,
    HoldSettled,
    MoneyMoved,
    NoticeSent,
)
from detector.enforcement.ledger import COMPENSATED, CONFISCATED, PAYABLE, Entry
from detector.enforcement.state import Case, SellerState, Violation
from detector.enforcement.status import measures_at, violation_status
from detector.enforcement.view import hold_view, measure_view, violation_view
from detector.policy.schema import Policy

__all__ = ["Finding", "notice", "reminder"]

Json = dict[str, Any]
SHOWN_ORDERS = 100
"""Order ids listed in a notice; the evidence pack has all of them."""
_APPEAL_STAGE = {"appeal_open": 1, "second_appeal_open": 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of finding: its clause, how many of the case's orders show it, and one example's sentence
    by language (a sentence of the policy's rules, which names nobody)."""

    clause: str
    order_count: int
    message: Mapping[str, str]


def notice(
    sent: NoticeSent, state: SellerState, events: Sequence[Event], policy: Policy, findings: Sequence[Finding]
) -> Json:
    """The content of a notice; ``findings`` are those of the case.

    ``events`` are all events of the command that sent it, ``state`` the seller's state after them. Instants
    are ISO 8601 in UTC; ``until`` is the first instant after the last day. Amounts are minor units.
    """
    violation = state.violations.get(sent.violation_id or "")
    case_id = violation.case_id if violation else _case_id(state, events)
    content = _heading(sent.kind, sent.at, state, case_id, violation, policy)
    content |= _about_violation(violation, sent.at, policy)
    if sent.kind == "violation" and violation:
        content["found"] = _found(state.cases[violation.case_id], findings)
    if sent.kind in ("hold", "restoration"):
        content |= _about_money(state, events, sent.at, policy)
    if sent.kind == "appeal_result":
        content["result"] = _result(state, events)
    if sent.kind == "restoration":
        content["because"] = _because(events)
    return content


def reminder(state: SellerState, violation: Violation, at: datetime, policy: Policy) -> Json:
    """The content of the reminder that the window to appeal against ``violation`` closes soon."""
    content = _heading("reminder", at, state, violation.case_id, violation, policy)
    return content | _about_violation(violation, at, policy)


def _heading(
    kind: str, at: datetime, state: SellerState, case_id: str, violation: Violation | None, policy: Policy
) -> Json:
    return {
        "kind": kind,
        "at": format_instant(at),
        "seller_id": state.seller_id,
        "case_id": case_id,
        "clauses": list(state.cases[case_id].clauses),
        "violation_id": violation.violation_id if violation else None,
        "timezone": policy.timezone,
        "policy": {"version": policy.version, "sha256": policy.sha256},
    }


def _case_id(state: SellerState, events: Iterable[Event]) -> str:
    """The case of a command without a violation: that of its hold, or the one that it decided."""
    for event in events:
        if isinstance(event, HoldPlaced | HoldSettled | HoldReturned):
            return state.holds[event.hold_id].case_id
        if isinstance(event, CaseDecided):
            return event.case_id
    raise ValueError("a notice without a violation belongs to a hold or to a decided case")


def _about_violation(violation: Violation | None, at: datetime, policy: Policy) -> Json:
    if violation is None:
        return {"violation": None, "measures": [], "appeal": None}
    clause_of = policy.enforcement.measures
    measures = [
        {**measure_view(interval), "phase": interval.phase, "clause": clause_of[interval.measure].clause}
        for interval in measures_at(violation, at)
    ]
    stage = _APPEAL_STAGE.get(violation_status(violation, at))
    until = format_instant(violation.appeal_until) if stage and violation.appeal_until else None
    return {
        "violation": violation_view(violation, at),
        "measures": measures,
        "appeal": {
            "appealable": violation.appealable,
            "stage": stage,
            "until": until,
            "suspends_measures": policy.enforcement.appeals.suspends_penalty,
        },
    }


def _found(case: Case, findings: Sequence[Finding]) -> Json:
    return {
        "fake_order_count": case.fake_order_count,
        "fake_order_share": case.fake_order_share,
        "fake_gmv_minor": dict(case.fake_gmv_minor),
        "order_ids": list(case.order_ids[:SHOWN_ORDERS]),
        "order_ids_left_out": max(0, len(case.order_ids) - SHOWN_ORDERS),
        "findings": [
            {"clause": finding.clause, "order_count": finding.order_count, "message": dict(finding.message)}
            for finding in findings
        ],
    }


def _about_money(state: SellerState, events: Sequence[Event], at: datetime, policy: Policy) -> Json:
    """The holds that the command touched, and what it moved; who was compensated is told by kind only."""
    holds = [e.hold_id for e in events if isinstance(e, HoldPlaced | HoldSettled | HoldReturned)]
    moved = [event.entry for event in events if isinstance(event, MoneyMoved)]
    return {
        "holds": [
            {"hold_id": hold_id}
            | hold_view(state.holds[hold_id], state.cases[state.holds[hold_id].case_id], at)
            for hold_id in holds
        ],
        "hold_term": {"rule": policy.enforcement.holds.hold_term, "days": policy.enforcement.holds.days},
        "returned_minor": _sums(entry for entry in moved if entry.target == PAYABLE),
        "confiscated_minor": _sums(entry for entry in moved if entry.target == CONFISCATED),
        "compensated_minor": _sums(e for e in moved if e.target.partition("/")[0] == COMPENSATED),
    }


def _sums(entries: Iterable[Entry]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for entry in entries:
        sums[entry.currency] = sums.get(entry.currency, 0) + entry.amount_minor
    return sums


def _result(state: SellerState, events: Iterable[Event]) -> Json:
    for event in events:
        if isinstance(event, AppealGranted | AppealRejected | AppealFailed):
            appeal = state.appeal(event.appeal_id)
            reason = None if isinstance(event, AppealFailed) else event.reason
            return {
                "appeal_id": appeal.appeal_id,
                "stage": appeal.stage,
                "outcome": appeal.state,
                "reason": reason,
            }
    raise ValueError("a notice of a result comes with the event that decided the appeal")


def _because(events: Iterable[Event]) -> str:
    """appeal_granted, or the case's outcome: no_violation or victim."""
    decided = (event.outcome for event in events if isinstance(event, CaseDecided))
    return next(decided, "appeal_granted")
