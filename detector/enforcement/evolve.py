"""``evolve(state, event) → state``: pure, total, needs neither policy nor clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import reduce
from typing import Any

from detector.enforcement import events as ev
from detector.enforcement.ledger import COMPENSATED, CONFISCATED, HELD, Entry, post
from detector.enforcement.state import (
    Appeal,
    AppealState,
    Case,
    Hold,
    HoldMoney,
    Loss,
    SellerState,
    Violation,
)

__all__ = ["evolve", "fold"]


def evolve(state: SellerState, event: ev.Event) -> SellerState:
    """The state after ``event``."""
    return _STEPS[type(event)](state, event)


def fold(state: SellerState, events: Iterable[ev.Event]) -> SellerState:
    """The state that ``events`` lead to; from ``SellerState(seller_id)``, a seller's whole history."""
    return reduce(evolve, events, state)


def _case(state: SellerState, case_id: str, **changes: Any) -> SellerState:
    return replace(state, cases={**state.cases, case_id: replace(state.cases[case_id], **changes)})


def _violation(state: SellerState, violation_id: str, **changes: Any) -> SellerState:
    changed = replace(state.violations[violation_id], **changes)
    return replace(state, violations={**state.violations, violation_id: changed})


def _hold(state: SellerState, hold_id: str, **changes: Any) -> SellerState:
    return replace(state, holds={**state.holds, hold_id: replace(state.holds[hold_id], **changes)})


def _case_opened(state: SellerState, event: ev.CaseOpened) -> SellerState:
    case = Case(
        event.case_id,
        event.at,
        event.source,
        event.clauses,
        event.order_ids,
        event.fake_order_count,
        event.fake_order_share,
        event.fake_gmv_minor,
    )
    return replace(state, cases={**state.cases, event.case_id: case})


def _case_extended(state: SellerState, event: ev.CaseExtended) -> SellerState:
    case = state.cases[event.case_id]
    return _case(
        state,
        event.case_id,
        clauses=case.clauses + event.clauses,
        order_ids=case.order_ids + event.order_ids,
        fake_order_count=event.fake_order_count,
        fake_order_share=event.fake_order_share,
        fake_gmv_minor=event.fake_gmv_minor,
    )


def _investigation_completed(state: SellerState, event: ev.InvestigationCompleted) -> SellerState:
    return _case(state, event.case_id, completed_at=event.at)


def _case_decided(state: SellerState, event: ev.CaseDecided) -> SellerState:
    return _case(
        state, event.case_id, outcome=event.outcome, decided_at=event.at, decided_by=event.decided_by
    )


def _violation_found(state: SellerState, event: ev.ViolationFound) -> SellerState:
    violation = Violation(
        violation_id=event.violation_id,
        case_id=event.case_id,
        severity=event.severity,
        occurrence=event.occurrence,
        points=event.points,
        counts_until=event.counts_until,
        points_until=event.points_until,
        raised_by=event.raised_by,
        measures=event.measures,
        noticed_at=event.at,
        appealable=event.appeal_until is not None,
        appeal_until=event.appeal_until,
    )
    state = replace(state, violations={**state.violations, event.violation_id: violation})
    return _rights_revoked(state, event)


def _measures_approved(state: SellerState, event: ev.MeasuresApproved) -> SellerState:
    violation = state.violations[event.violation_id]
    state = _violation(
        state,
        event.violation_id,
        measures=event.measures,
        noticed_at=event.at,
        appeal_until=event.appeal_until or violation.appeal_until,
    )
    return _rights_revoked(state, event)


def _rights_revoked(state: SellerState, event: ev.ViolationFound | ev.MeasuresApproved) -> SellerState:
    """The first notice that revokes rights starts the hold's calendar days; a later one changes nothing."""
    case_id = state.violations[event.violation_id].case_id
    days_until = state.cases[case_id].days_until or event.rights_revoked_until
    return _case(state, case_id, days_until=days_until)


def _measures_suspended(state: SellerState, event: ev.MeasuresSuspended) -> SellerState:
    return _violation(state, event.violation_id, suspended_at=event.at)


def _measures_resumed(state: SellerState, event: ev.MeasuresResumed) -> SellerState:
    return _violation(state, event.violation_id, measures=event.measures, suspended_at=None)


def _hold_placed(state: SellerState, event: ev.HoldPlaced) -> SellerState:
    hold = Hold(event.hold_id, event.case_id, event.at, event.takes_all, event.term, event.days_until)
    return replace(state, holds={**state.holds, event.hold_id: hold})


def _hold_settled(state: SellerState, event: ev.HoldSettled) -> SellerState:
    return _hold(state, event.hold_id, ended="settled", ended_term=event.term_ends_at)


def _hold_returned(state: SellerState, event: ev.HoldReturned) -> SellerState:
    return _hold(state, event.hold_id, ended="returned", ended_term=event.term_ends_at)


def _loss_established(state: SellerState, event: ev.LossEstablished) -> SellerState:
    added = tuple(Loss(claim.to, claim.currency, claim.amount_minor) for claim in event.losses)
    return _case(state, event.case_id, losses=state.cases[event.case_id].losses + added)


def _loss_paid(state: SellerState, event: ev.LossPaid) -> SellerState:
    losses = list(state.cases[event.case_id].losses)
    loss = losses[event.loss]
    losses[event.loss] = replace(loss, paid_minor=loss.paid_minor + event.amount_minor)
    return _case(state, event.case_id, losses=tuple(losses))


def _money_moved(state: SellerState, event: ev.MoneyMoved) -> SellerState:
    entry = event.entry
    state = replace(state, accounts=post(state.accounts, entry), entries=state.entries + 1)
    if entry.hold_id is None:
        return state
    money = state.holds[entry.hold_id].money
    return _hold(state, entry.hold_id, money=_moved(money, entry))


def _moved(money: Mapping[str, HoldMoney], entry: Entry) -> Mapping[str, HoldMoney]:
    """The hold's own view of the entry: how much of it is held, confiscated, paid out."""
    before = money.get(entry.currency, HoldMoney())
    change = dict.fromkeys((HELD, CONFISCATED, COMPENSATED), 0)
    for account, amount in ((entry.source, -entry.amount_minor), (entry.target, entry.amount_minor)):
        name = account.partition("/")[0]
        if name in change:
            change[name] += amount
    after = HoldMoney(
        before.held + change[HELD],
        before.confiscated + change[CONFISCATED],
        before.compensated + change[COMPENSATED],
    )
    return {**money, entry.currency: after}


def _appeal_filed(state: SellerState, event: ev.AppealFiled) -> SellerState:
    appeals = state.violations[event.violation_id].appeals
    appeal = Appeal(event.appeal_id, event.stage, "pending", event.at, event.documents)
    state = replace(state, appeal_of={**state.appeal_of, event.appeal_id: event.violation_id})
    return _violation(state, event.violation_id, appeals=(*appeals, appeal), appeal_until=None)


def _appeal_lost(state: SellerState, event: ev.AppealFailed | ev.AppealRejected) -> SellerState:
    outcome: AppealState = "rejected" if isinstance(event, ev.AppealRejected) else "failed_no_documents"
    closed_at = None if event.next_until else event.at
    return _appeal_ended(state, event, outcome, appeal_until=event.next_until, closed_at=closed_at)


def _appeal_granted(state: SellerState, event: ev.AppealGranted) -> SellerState:
    state = _appeal_ended(state, event, "granted", overturned=True, closed_at=event.at)
    case_id = state.violations[state.appeal_of[event.appeal_id]].case_id
    return _case(state, case_id, overturned=True)


AppealEnd = ev.AppealFailed | ev.AppealRejected | ev.AppealGranted


def _appeal_ended(state: SellerState, event: AppealEnd, outcome: AppealState, **changes: Any) -> SellerState:
    violation_id = state.appeal_of[event.appeal_id]
    ended: dict[str, Any] = {"state": outcome, "decided_at": event.at}
    if not isinstance(event, ev.AppealFailed):
        ended |= {"decided_by": event.decided_by, "reason": event.reason}
    appeals = tuple(
        replace(appeal, **ended) if appeal.appeal_id == event.appeal_id else appeal
        for appeal in state.violations[violation_id].appeals
    )
    return _violation(state, violation_id, appeals=appeals, **changes)


def _appeal_waived(state: SellerState, event: ev.AppealWaived) -> SellerState:
    return _violation(state, event.violation_id, waived=True, appeal_until=None, closed_at=event.at)


def _reassessment_flagged(state: SellerState, event: ev.ReassessmentFlagged) -> SellerState:
    return _violation(state, event.violation_id, needs_reassessment=True)


def _notice_sent(state: SellerState, event: ev.NoticeSent) -> SellerState:
    return state


_STEPS: dict[type[ev.Event], Callable[[SellerState, Any], SellerState]] = {
    ev.CaseOpened: _case_opened,
    ev.CaseExtended: _case_extended,
    ev.InvestigationCompleted: _investigation_completed,
    ev.CaseDecided: _case_decided,
    ev.ViolationFound: _violation_found,
    ev.MeasuresApproved: _measures_approved,
    ev.MeasuresSuspended: _measures_suspended,
    ev.MeasuresResumed: _measures_resumed,
    ev.HoldPlaced: _hold_placed,
    ev.HoldSettled: _hold_settled,
    ev.HoldReturned: _hold_returned,
    ev.LossEstablished: _loss_established,
    ev.LossPaid: _loss_paid,
    ev.MoneyMoved: _money_moved,
    ev.AppealFiled: _appeal_filed,
    ev.AppealFailed: _appeal_lost,
    ev.AppealRejected: _appeal_lost,
    ev.AppealGranted: _appeal_granted,
    ev.AppealWaived: _appeal_waived,
    ev.ReassessmentFlagged: _reassessment_flagged,
    ev.NoticeSent: _notice_sent,
}
