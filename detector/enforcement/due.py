"""What time alone brings: the instants at which something of a seller ends, matures, closes or is near.

Nothing has to happen then, for the state at an instant is a function of both; but somebody may have to be
told. Pure, like the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from detector.enforcement.days import EARLIEST
from detector.enforcement.state import SellerState, Violation
from detector.enforcement.status import measures_at, term_ends_at, violation_status

__all__ = ["OPEN_WINDOW", "Due", "DueKind", "due_items"]

DueKind = Literal["seller.measures", "violation.final", "hold.releasable", "notice.reminder"]
OPEN_WINDOW = ("appeal_open", "second_appeal_open")
"""Statuses in which time alone makes a violation final."""


@dataclass(frozen=True, slots=True)
class Due:
    """At ``at`` this comes true of ``subject_id``: the seller, a violation, or a hold.

    ``seller.measures``: a measure begins or ends; ``violation.final``: the window to appeal closes;
    ``hold.releasable``: the hold's term is over; ``notice.reminder``: the window closes soon.
    """

    kind: DueKind
    subject_id: str
    at: datetime


def due_items(state: SellerState, reminder_days: int) -> frozenset[Due]:
    """Everything that time brings or has brought, as the state stands."""
    measures = (Due("seller.measures", state.seller_id, at) for at in _changes_of_measures(state))
    windows = (due for violation in state.violations.values() for due in _windows(violation, reminder_days))
    return frozenset((*measures, *windows, *_holds(state)))


def _changes_of_measures(state: SellerState) -> Iterator[datetime]:
    for violation in state.violations.values():
        for interval in measures_at(violation, EARLIEST):
            if interval.ends_at is not None:
                yield interval.ends_at
            elif interval.starts_at is not None and interval.starts_at == violation.appeal_until:
                yield interval.starts_at


def _windows(violation: Violation, reminder_days: int) -> Iterator[Due]:
    closes_at = violation.appeal_until
    if closes_at is not None and violation_status(violation, EARLIEST) in OPEN_WINDOW:
        yield Due("violation.final", violation.violation_id, closes_at)
        yield Due("notice.reminder", violation.violation_id, closes_at - timedelta(days=reminder_days))


def _holds(state: SellerState) -> Iterator[Due]:
    for hold in state.holds.values():
        term = term_ends_at(hold, state.cases[hold.case_id])
        if term is not None and not hold.ended:
            yield Due("hold.releasable", hold.hold_id, term)
