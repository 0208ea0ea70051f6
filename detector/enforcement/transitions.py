"""The transition table and the role table, as data. ``guard`` enforces them, the docs print them.

A cell is either the statuses that the command may lead to, or the refusal it gets. What depends on amounts
(InsufficientFunds) or on who acts (SameActor) is checked besides.
"""

from __future__ import annotations

from collections.abc import Mapping

from detector.enforcement.refusals import (
    AppealLimitReached,
    AppealPending,
    AppealWindowClosed,
    HoldAlreadySettled,
    HoldTermNotEnded,
    InsufficientFunds,
    InvalidTransition,
    NotAppealable,
    Refusal,
    UnknownSubject,
)

__all__ = ["CONFISCATE", "ROLES", "TRANSITIONS", "Cell", "allowed_commands"]

Cell = tuple[str, ...] | type[Refusal]
Row = Mapping[str, Cell]

CONFISCATE = "settle_hold confiscate"
"""Confiscation, as seen by the case: money is taken only where a violation has been decided."""

_CASE: dict[str, Row] = {
    "absent": {
        "open_case": ("open",),
        "extend_case": UnknownSubject,
        "place_hold": UnknownSubject,
        "decide_case": UnknownSubject,
        "establish_loss": UnknownSubject,
        CONFISCATE: UnknownSubject,
    },
    "open": {
        "open_case": InvalidTransition,
        "extend_case": ("open",),
        "place_hold": ("open",),
        "decide_case": ("violation", "no_violation", "victim"),
        "establish_loss": ("open",),
        CONFISCATE: InvalidTransition,
    },
    "violation": {
        "open_case": InvalidTransition,
        "extend_case": InvalidTransition,
        "place_hold": ("violation",),
        "decide_case": InvalidTransition,
        "establish_loss": ("violation",),
        CONFISCATE: ("violation",),
    },
}
_CASE_CLOSED: Row = {
    "open_case": InvalidTransition,
    "extend_case": InvalidTransition,
    "place_hold": InvalidTransition,
    "decide_case": InvalidTransition,
    "establish_loss": InsufficientFunds,
    CONFISCATE: HoldAlreadySettled,
}
_CASE |= dict.fromkeys(("no_violation", "victim", "overturned"), _CASE_CLOSED)

_INVESTIGATION: dict[str, Row] = {
    "absent": {"complete_investigation": UnknownSubject},
    "running": {"complete_investigation": ("completed",)},
    "completed": {"complete_investigation": InvalidTransition},
}

_HOLD: dict[str, Row] = {
    "absent": {"place_hold": ("active", "releasable"), "settle_hold": UnknownSubject},
    "active": {"place_hold": InvalidTransition, "settle_hold": HoldTermNotEnded},
    "releasable": {"place_hold": InvalidTransition, "settle_hold": ("settled",)},
    "settled": {"place_hold": InvalidTransition, "settle_hold": HoldAlreadySettled},
    "returned": {"place_hold": InvalidTransition, "settle_hold": HoldAlreadySettled},
}


def _violation(approve: Cell, file: Cell, waive: Cell) -> Row:
    return {
        "decide_case": InvalidTransition,
        "approve_measures": approve,
        "file_appeal": file,
        "waive_appeal": waive,
    }


_VIOLATION: dict[str, Row] = {
    "absent": {
        "decide_case": ("appeal_open", "not_appealable"),
        "approve_measures": UnknownSubject,
        "file_appeal": UnknownSubject,
        "waive_appeal": UnknownSubject,
    },
    "appeal_open": _violation(("appeal_open",), ("under_appeal", "second_appeal_open"), ("waived",)),
    "under_appeal": _violation(("under_appeal",), AppealPending, AppealPending),
    "second_appeal_open": _violation(
        ("second_appeal_open",), ("under_second_appeal", "exhausted"), ("waived",)
    ),
    "under_second_appeal": _violation(("under_second_appeal",), AppealLimitReached, AppealPending),
    "lapsed": _violation(("lapsed", "appeal_open"), AppealWindowClosed, InvalidTransition),
    "exhausted": _violation(("exhausted",), AppealLimitReached, InvalidTransition),
    "waived": _violation(("waived",), AppealWindowClosed, InvalidTransition),
    "not_appealable": _violation(("not_appealable",), NotAppealable, NotAppealable),
    "overturned": _violation(("overturned",), InvalidTransition, InvalidTransition),
}

_APPEAL: dict[str, Row] = {
    "absent": {"file_appeal": ("pending", "failed_no_documents"), "decide_appeal": UnknownSubject},
    "pending": {"file_appeal": InvalidTransition, "decide_appeal": ("granted", "rejected")},
    "granted": {"file_appeal": InvalidTransition, "decide_appeal": InvalidTransition},
    "rejected": {"file_appeal": InvalidTransition, "decide_appeal": InvalidTransition},
    "failed_no_documents": {"file_appeal": InvalidTransition, "decide_appeal": InvalidTransition},
}

TRANSITIONS: Mapping[str, Mapping[str, Row]] = {
    "case": _CASE,
    "investigation": _INVESTIGATION,
    "hold": _HOLD,
    "violation": _VIOLATION,
    "appeal": _APPEAL,
}
"""Subject → its status → command → cell."""

ROLES: Mapping[str, tuple[str, ...]] = {
    "credit_proceeds": ("system",),
    "open_case": ("system", "analyst", "enforcer", "approver"),
    "extend_case": ("system", "analyst", "enforcer", "approver"),
    "place_hold": ("enforcer", "approver"),
    "decide_case": ("enforcer", "approver"),
    "approve_measures": ("approver",),
    "complete_investigation": ("enforcer", "approver"),
    "establish_loss": ("enforcer", "approver"),
    "settle_hold": ("approver",),
    "file_appeal": ("seller",),
    "decide_appeal": ("approver",),
    "waive_appeal": ("seller",),
    "report_overdue": ("system",),
}
"""Command → roles that may give it."""


def allowed_commands(subject: str, status: str) -> tuple[str, ...]:
    """The commands that ``subject`` takes in ``status``."""
    return tuple(command for command, cell in TRANSITIONS[subject][status].items() if isinstance(cell, tuple))
