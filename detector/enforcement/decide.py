"""``decide(state, command, policy, now) → events | refusal``: pure, the only way into the events."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from detector.enforcement import commands as cmd
from detector.enforcement.appeals import decide_appeal, file_appeal, waive_appeal
from detector.enforcement.draft import Draft
from detector.enforcement.events import CaseExtended, CaseOpened, Event, InvestigationCompleted
from detector.enforcement.guard import check_case, check_role
from detector.enforcement.holds import establish_loss, place_hold, settle_hold
from detector.enforcement.ledger import HELD, PAYABLE, SETTLEMENT, Entry
from detector.enforcement.refusals import Refusal
from detector.enforcement.state import SellerState
from detector.enforcement.status import hold_status
from detector.enforcement.violations import approve_measures, decide_case
from detector.policy.schema import Policy

__all__ = ["decide"]


def decide(
    state: SellerState, command: cmd.Command, policy: Policy, now: datetime
) -> tuple[Event, ...] | Refusal:
    """What ``command``, given ``now``, does to the seller that it concerns.

    Parameters
    ----------
    state
        The seller's state; an empty one for a seller not seen before.
    command
        A well-formed command (see ``parse``) for this seller.
    policy
        The policy in force.
    now
        UTC instant of the command, not before the seller's last event.

    Returns
    -------
    The events in order (none when nothing changes), or the refusal, which changes nothing. Idempotency
    keys, the order of time and ids used by other sellers are the business of ``book``.
    """
    draft = Draft(state, policy, now)
    try:
        check_role(command)
        _HANDLERS[type(command)](draft, command)
    except Refusal as refusal:
        return refusal
    return tuple(draft.events)


def _credit_proceeds(draft: Draft, command: cmd.CreditProceeds) -> None:
    """Into the payable balance, or into the earliest active hold on everything."""
    taking = (
        hold.hold_id
        for hold in draft.state.holds.values()
        if hold.takes_all and hold_status(hold, draft.state.cases[hold.case_id], draft.now) == "active"
    )
    hold_id = next(taking, None)
    target = HELD if hold_id else PAYABLE
    cause = f"credit_proceeds {command.order_id}"
    draft.move(Entry(command.currency, command.amount_minor, SETTLEMENT, target, cause, hold_id))


def _open_case(draft: Draft, command: cmd.OpenCase) -> None:
    check_case(draft.state, command.case_id, command.type)
    draft.add(
        CaseOpened(
            at=draft.now,
            case_id=command.case_id,
            clauses=command.clauses,
            order_ids=command.order_ids,
            fake_order_count=command.fake_order_count,
            fake_order_share=command.fake_order_share,
            fake_gmv_minor=command.fake_gmv_minor,
            source=command.source,
        )
    )


def _extend_case(draft: Draft, command: cmd.ExtendCase) -> None:
    check_case(draft.state, command.case_id, command.type)
    case = draft.state.cases[command.case_id]
    draft.add(
        CaseExtended(
            at=draft.now,
            case_id=command.case_id,
            clauses=tuple(clause for clause in command.clauses if clause not in case.clauses),
            order_ids=tuple(order for order in command.order_ids if order not in case.order_ids),
            fake_order_count=command.fake_order_count,
            fake_order_share=command.fake_order_share,
            fake_gmv_minor=command.fake_gmv_minor,
        )
    )


def _complete_investigation(draft: Draft, command: cmd.CompleteInvestigation) -> None:
    check_case(draft.state, command.case_id, command.type)
    draft.add(InvestigationCompleted(at=draft.now, case_id=command.case_id))


def _report_overdue(draft: Draft, command: cmd.ReportOverdue) -> None:
    """A time marker: nothing happens."""


_HANDLERS: dict[type[cmd.Command], Callable[[Draft, Any], None]] = {
    cmd.CreditProceeds: _credit_proceeds,
    cmd.OpenCase: _open_case,
    cmd.ExtendCase: _extend_case,
    cmd.PlaceHold: place_hold,
    cmd.DecideCase: decide_case,
    cmd.ApproveMeasures: approve_measures,
    cmd.CompleteInvestigation: _complete_investigation,
    cmd.EstablishLoss: establish_loss,
    cmd.SettleHold: settle_hold,
    cmd.FileAppeal: file_appeal,
    cmd.DecideAppeal: decide_appeal,
    cmd.WaiveAppeal: waive_appeal,
    cmd.ReportOverdue: _report_overdue,
}
