"""Turns cells of the transition and role tables into refusals that name what is wrong."""

from __future__ import annotations

from datetime import datetime

from detector.enforcement import refusals
from detector.enforcement.commands import Command
from detector.enforcement.state import Case, SellerState, Violation
from detector.enforcement.status import (
    case_status,
    hold_status,
    investigation_status,
    term_ends_at,
    violation_status,
)
from detector.enforcement.transitions import ROLES, TRANSITIONS, allowed_commands

__all__ = ["check_appeal", "check_case", "check_hold", "check_role", "check_violation", "refuse_same_actor"]


def check_role(command: Command) -> None:
    """Raise RoleNotAllowed when the actor's role may not give the command."""
    allowed = ROLES[command.type]
    if command.actor.role not in allowed:
        raise refusals.RoleNotAllowed(command.actor.id, command.actor.role, command.type, allowed)


def refuse_same_actor(command: Command, case: Case) -> None:
    """Raise SameActor when whoever decided the case also gives this command."""
    if command.actor.id == case.decided_by:
        raise refusals.SameActor(command.actor.id, case.case_id, command.type)


def check_case(state: SellerState, case_id: str, command: str) -> None:
    """Raise when the status of the case, or its not being there, refuses ``command``."""
    case = state.cases.get(case_id)
    subject, status = "case", case_status(case)
    if command == "complete_investigation":
        subject, status = "investigation", investigation_status(case)
    _check(subject, case_id, status, command)


def check_hold(state: SellerState, hold_id: str, command: str, at: datetime) -> None:
    """Raise when the status of the hold, or its not being there, refuses ``command``."""
    hold = state.holds.get(hold_id)
    case = state.cases[hold.case_id] if hold else None
    status = hold_status(hold, case, at)
    if hold and case and TRANSITIONS["hold"][status][command] is refusals.HoldTermNotEnded:
        raise refusals.HoldTermNotEnded(hold_id, term_ends_at(hold, case))
    _check("hold", hold_id, status, command)


def check_violation(state: SellerState, violation_id: str, command: str, at: datetime) -> None:
    """Raise when the status of the violation, or its not being there, refuses ``command``."""
    violation = state.violations.get(violation_id)
    status = violation_status(violation, at)
    if violation:
        _check_appeals(violation, status, command)
    _check("violation", violation_id, status, command)


def check_appeal(state: SellerState, appeal_id: str, command: str) -> None:
    """Raise when the status of the appeal, or its not being there, refuses ``command``."""
    status = state.appeal(appeal_id).state if appeal_id in state.appeal_of else "absent"
    _check("appeal", appeal_id, status, command)


def _check_appeals(violation: Violation, status: str, command: str) -> None:
    """The refusals that only a violation has, with their ids."""
    violation_id = violation.violation_id
    refusal = TRANSITIONS["violation"][status][command]
    if refusal is refusals.AppealWindowClosed:
        raise refusals.AppealWindowClosed(violation_id, violation.appeal_until)
    if refusal is refusals.AppealLimitReached:
        raise refusals.AppealLimitReached(violation_id, len(violation.appeals))
    if refusal is refusals.AppealPending:
        raise refusals.AppealPending(violation_id, violation.appeals[-1].appeal_id, command)
    if refusal is refusals.NotAppealable:
        raise refusals.NotAppealable(violation_id, command)


def _check(subject: str, subject_id: str, status: str, command: str) -> None:
    """Raise what the cell says; InsufficientFunds is left to the check of the amounts."""
    cell = TRANSITIONS[subject][status][command]
    if cell is refusals.UnknownSubject:
        named = "case" if subject == "investigation" else subject
        raise refusals.UnknownSubject(named, subject_id, command)
    if cell is refusals.HoldAlreadySettled:
        raise refusals.HoldAlreadySettled(subject_id, status)
    if cell is refusals.InvalidTransition:
        allowed = allowed_commands(subject, status)
        raise refusals.InvalidTransition(subject, subject_id, status, command, allowed)
