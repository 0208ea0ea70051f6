"""What a command's events mean to others: the messages that go into the outbox with them.

Platform systems learn facts of the contract's shape (``violation.found``, ``seller.measures`` …) and sellers
get notices (``notice.…``). Each message carries the state after the command, so a receiver that applies the
latest one is up to date. No message holds personal data of a buyer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from detector.enforcement import events as ev
from detector.enforcement.state import Case, SellerState
from detector.enforcement.view import case_view, hold_view, measures_view, violation_view
from detector.outward.notices import Finding, notice
from detector.policy.schema import Policy
from detector.store.messages import message_id_of

__all__ = ["KINDS", "Announcement", "all_measures", "announcements"]

KINDS = {
    "case.opened": "an investigation has begun",
    "case.extended": "new evidence has joined it",
    "case.decided": "it ended: violation, no_violation or victim",
    "case.due": "a case should have been decided by now",
    "violation.found": "a violation, with its severity and its window",
    "hold.placed": "proceeds are withheld",
    "hold.releasable": "a hold's term is over; it may be settled",
    "hold.settled": "a hold has ended: losses paid, the rest returned or confiscated",
    "hold.returned": "all money of a hold is the seller's again",
    "appeal.filed": "a seller has appealed",
    "appeal.decided": "an appeal was granted or rejected, or failed for want of documents",
    "appeal.waived": "the seller gave up the right to appeal",
    "violation.final": "its window to appeal has closed",
    "violation.reassess": "an earlier violation that raised this one was overturned",
    "seller.measures": "all measures of the seller, as they now stand",
    "notice.violation": "the seller is told of a violation",
    "notice.hold": "the seller is told that proceeds are withheld, or what became of them",
    "notice.appeal_result": "the seller is told how an appeal ended",
    "notice.restoration": "the seller is told that rights and money are restored",
    "notice.reminder": "the seller is told that the window to appeal closes soon",
}
"""Every kind of message about enforcement, and what it says."""

Json = dict[str, Any]
_MEASURES_CHANGE = (
    ev.ViolationFound,
    ev.MeasuresApproved,
    ev.MeasuresSuspended,
    ev.MeasuresResumed,
    ev.AppealGranted,
    ev.AppealRejected,
    ev.AppealFailed,
    ev.AppealFiled,
    ev.AppealWaived,
)


@dataclass(frozen=True, slots=True)
class Announcement:
    """One message for ``outbox.append``."""

    message_id: str
    kind: str
    payload: Json


def announcements(
    state: SellerState,
    first_sequence: int,
    events: Sequence[ev.Event],
    policy: Policy,
    findings: Sequence[Finding],
) -> list[Announcement]:
    """The messages about one command's ``events``, in their order.

    ``state`` is the seller's after all of them, ``first_sequence`` the place of the first in the seller's
    stream (the ids come from it, so announcing twice gives the same ids), ``findings`` those of the case.
    """
    made = []
    for sequence, event in enumerate(events, start=first_sequence):
        for kind, payload in _about(event, state, events, policy, findings):
            message_id = message_id_of(state.seller_id, sequence, kind)
            made.append(Announcement(message_id, kind, {"seller_id": state.seller_id, **payload}))
    if any(isinstance(event, _MEASURES_CHANGE) for event in events):
        message_id = message_id_of(state.seller_id, first_sequence, "seller.measures")
        made.append(Announcement(message_id, "seller.measures", all_measures(state, events[-1].at)))
    return made


def all_measures(state: SellerState, at: datetime) -> Json:
    """What ``seller.measures`` says: the seller's measures as of ``at``, in force, scheduled, proposed."""
    return {"seller_id": state.seller_id, **measures_view(state, at)}


def _about(
    event: ev.Event,
    state: SellerState,
    events: Sequence[ev.Event],
    policy: Policy,
    findings: Sequence[Finding],
) -> Iterator[tuple[str, Json]]:
    match event:
        case ev.NoticeSent():
            yield f"notice.{event.kind}", notice(event, state, events, policy, findings)
        case ev.CaseOpened():
            yield "case.opened", _case(state.cases[event.case_id])
        case ev.CaseExtended():
            yield "case.extended", _case(state.cases[event.case_id])
        case ev.CaseDecided():
            yield "case.decided", _case(state.cases[event.case_id])
        case ev.ViolationFound():
            facts = _violation(event.violation_id, state, event.at)
            yield "violation.found", {**facts, "case": _case(state.cases[event.case_id])}
        case ev.HoldPlaced():
            yield "hold.placed", _hold(event.hold_id, state, event.at)
        case ev.HoldSettled():
            yield "hold.settled", _hold(event.hold_id, state, event.at) | {"remainder": event.remainder}
        case ev.HoldReturned():
            yield "hold.returned", _hold(event.hold_id, state, event.at)
        case ev.AppealFiled():
            yield "appeal.filed", _appeal(event.appeal_id, state)
        case ev.AppealGranted() | ev.AppealRejected() | ev.AppealFailed():
            yield "appeal.decided", _appeal(event.appeal_id, state)
        case ev.AppealWaived():
            yield "appeal.waived", _violation(event.violation_id, state, event.at)
        case ev.ReassessmentFlagged():
            yield "violation.reassess", _violation(event.violation_id, state, event.at)


def _case(case: Case) -> Json:
    facts = {"clauses": list(case.clauses), "order_ids": list(case.order_ids)}
    return {"case_id": case.case_id, **case_view(case), **facts}


def _violation(violation_id: str, state: SellerState, at: datetime) -> Json:
    return {"violation_id": violation_id, **violation_view(state.violations[violation_id], at)}


def _hold(hold_id: str, state: SellerState, at: datetime) -> Json:
    hold = state.holds[hold_id]
    return {
        "hold_id": hold_id,
        "case_id": hold.case_id,
        **hold_view(hold, state.cases[hold.case_id], at),
    }


def _appeal(appeal_id: str, state: SellerState) -> Json:
    appeal = state.appeal(appeal_id)
    return {
        "appeal_id": appeal_id,
        "violation_id": state.appeal_of[appeal_id],
        "stage": appeal.stage,
        "state": appeal.state,
    }
