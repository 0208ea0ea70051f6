"""What is true of a seller at an instant. Pure functions of state and time: nothing has to run for a window
to close, a measure to end or a hold to mature."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from detector.enforcement.events import MeasureSet
from detector.enforcement.state import Case, Hold, SellerState, Violation

__all__ = [
    "FINAL",
    "PUBLIC_VIOLATION_STATE",
    "MeasureInterval",
    "Phase",
    "Standing",
    "case_status",
    "final_since",
    "hold_status",
    "investigation_status",
    "measures_at",
    "standing",
    "term_ends_at",
    "violation_status",
]

FINAL = ("lapsed", "exhausted", "waived", "not_appealable")
"""The four ways in which a violation is final: the window closed, both appeals failed, the seller gave up
the right, the policy gives none."""

PUBLIC_VIOLATION_STATE = {
    "appeal_open": "appeal_open",
    "under_appeal": "under_appeal",
    "second_appeal_open": "second_appeal_open",
    "under_second_appeal": "under_appeal",
    **dict.fromkeys(FINAL, "final"),
    "overturned": "overturned",
}
"""Status of the transition table → state of the contract."""

Phase = Literal["in_force", "scheduled", "proposed"]


@dataclass(frozen=True, slots=True)
class MeasureInterval:
    """A measure at an instant: in force since ``starts_at``; scheduled from then (None: after the pending
    appeal); or proposed (None). ``ends_at``: first instant after it, None: until cancelled."""

    phase: Phase
    measure: str
    violation_id: str
    starts_at: datetime | None
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class Standing:
    """Upheld violations that count, and unexpired points of upheld violations."""

    occurrences: int
    points: int


def case_status(case: Case | None) -> str:
    """absent, open, violation, no_violation, victim, or overturned."""
    if case is None:
        return "absent"
    return "overturned" if case.overturned else case.outcome or "open"


def investigation_status(case: Case | None) -> str:
    """absent, running or completed."""
    if case is None:
        return "absent"
    return "completed" if case.completed_at else "running"


def term_ends_at(hold: Hold, case: Case) -> datetime | None:
    """First instant at which the hold's term is over (policy §4); None while that is not known.

    (a) is the end of the calendar days after the notice that revoked rights, without one after the hold;
    (b) the completion of the investigation.
    """
    if hold.ended:
        return hold.ended_term
    days_until = case.days_until or hold.days_until
    if hold.term == "fixed":
        return days_until
    if hold.term == "earlier_of":
        return min(days_until, case.completed_at or days_until)
    return max(days_until, case.completed_at) if case.completed_at else None


def hold_status(hold: Hold | None, case: Case | None, at: datetime) -> str:
    """absent, active, releasable, settled or returned."""
    if hold is None or case is None:
        return "absent"
    if hold.ended:
        return hold.ended
    term = term_ends_at(hold, case)
    return "releasable" if term is not None and at >= term else "active"


def violation_status(violation: Violation | None, at: datetime) -> str:
    """A status of the transition table; ``PUBLIC_VIOLATION_STATE`` gives the contract's word for it."""
    if violation is None:
        return "absent"
    if violation.overturned:
        return "overturned"
    if not violation.appealable:
        return "not_appealable"
    if violation.waived:
        return "waived"
    if violation.appeals and violation.appeals[-1].state == "pending":
        return "under_appeal" if len(violation.appeals) == 1 else "under_second_appeal"
    if violation.appeal_until is None:
        return "exhausted"
    if at >= violation.appeal_until:
        return "lapsed"
    return "second_appeal_open" if violation.appeals else "appeal_open"


def final_since(violation: Violation, at: datetime) -> datetime | None:
    """Since when no appeal is possible any more; None while one is."""
    status = violation_status(violation, at)
    if status == "lapsed":
        return violation.appeal_until
    if status == "not_appealable":
        return violation.noticed_at
    return violation.closed_at if status in FINAL else None


def measures_at(violation: Violation, at: datetime) -> Iterator[MeasureInterval]:
    """The violation's measures that are in force, scheduled or proposed at ``at``, in the ladder's order."""
    if violation.overturned:
        return
    for chosen in violation.measures:
        interval = _interval(violation, chosen, at)
        if interval.ends_at is None or at < interval.ends_at:
            yield interval


def _interval(violation: Violation, chosen: MeasureSet, at: datetime) -> MeasureInterval:
    phase, since, until = _course(violation, chosen, at)
    return MeasureInterval(phase, chosen.measure, violation.violation_id, since, until)


def _course(
    violation: Violation, chosen: MeasureSet, at: datetime
) -> tuple[Phase, datetime | None, datetime | None]:
    """Phase, beginning and end."""
    if chosen.starts_at is None:
        return "proposed", None, None
    if chosen.after_appeals:
        final = final_since(violation, at)
        if final is None:
            return "scheduled", violation.appeal_until, None
        return "in_force", max(chosen.starts_at, final), None
    rests = violation.suspended_at
    if rests and (chosen.ends_at is None or rests < chosen.ends_at):
        return "scheduled", None, None
    return "in_force", chosen.starts_at, chosen.ends_at


def standing(state: SellerState, at: datetime) -> Standing:
    """The seller's standing at ``at``."""
    upheld = [violation for violation in state.violations.values() if not violation.overturned]
    return Standing(
        occurrences=sum(at < violation.counts_until for violation in upheld),
        points=sum(violation.points for violation in upheld if at < violation.points_until),
    )
