"""What has happened, in the order it happened: the only thing that is stored and the source of all state.

Events carry resolved facts (instants, measures, points), so folding them needs neither the policy nor a
clock. ``at`` is the UTC instant of the command that caused them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from detector.enforcement.ledger import Entry
from detector.policy.enforcement import Severity

__all__ = [
    "AppealFailed",
    "AppealFiled",
    "AppealGranted",
    "AppealRejected",
    "AppealWaived",
    "CaseDecided",
    "CaseExtended",
    "CaseOpened",
    "Event",
    "HoldPlaced",
    "HoldReturned",
    "HoldSettled",
    "HoldTerm",
    "InvestigationCompleted",
    "LossEstablished",
    "LossOwed",
    "LossPaid",
    "MeasureSet",
    "MeasuresApproved",
    "MeasuresResumed",
    "MeasuresSuspended",
    "MoneyMoved",
    "NoticeKind",
    "NoticeSent",
    "Outcome",
    "ReassessmentFlagged",
    "ViolationFound",
]

Outcome = Literal["violation", "no_violation", "victim"]
HoldTerm = Literal["later_of", "earlier_of", "fixed"]
NoticeKind = Literal["violation", "hold", "appeal_result", "restoration"]


@dataclass(frozen=True, slots=True)
class MeasureSet:
    """One measure as the ladder chose it.

    ``starts_at`` None: proposed, waits for approval. ``ends_at`` is the first instant after its last day;
    None: until cancelled, or not started. ``days`` None: no end.
    """

    measure: str
    days: int | None
    after_appeals: bool
    revokes_rights: bool
    starts_at: datetime | None
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class LossOwed:
    """A loss as it was claimed; unlike a claim it is not checked again when it is read back."""

    to: str
    currency: str
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Root of all events."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseOpened(Event):
    case_id: str
    clauses: tuple[str, ...]
    order_ids: tuple[str, ...]
    fake_order_count: int
    fake_order_share: float
    fake_gmv_minor: Mapping[str, int]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseExtended(Event):
    """``clauses`` and ``order_ids`` are what was added; the numbers are those of all evidence so far."""

    case_id: str
    clauses: tuple[str, ...]
    order_ids: tuple[str, ...]
    fake_order_count: int
    fake_order_share: float
    fake_gmv_minor: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class InvestigationCompleted(Event):
    case_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseDecided(Event):
    case_id: str
    outcome: Outcome
    decided_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ViolationFound(Event):
    """A case ended in a violation.

    ``counts_until`` / ``points_until``: first instants at which it no longer counts as an occurrence, and
    its points no longer stand. ``raised_by``: the earlier violations that lifted its step on the ladder.
    ``appeal_until``: first closed instant of the first window, None when not appealable.
    ``rights_revoked_until``: end of the hold term's calendar days when the notice revokes rights.
    """

    violation_id: str
    case_id: str
    severity: Severity
    occurrence: int
    points: int
    counts_until: datetime
    points_until: datetime
    raised_by: tuple[str, ...]
    measures: tuple[MeasureSet, ...]
    appeal_until: datetime | None
    rights_revoked_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuresApproved(Event):
    """All measures of the violation after approval; the windows as in ``ViolationFound``."""

    violation_id: str
    approved_by: str
    measures: tuple[MeasureSet, ...]
    appeal_until: datetime | None
    rights_revoked_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuresSuspended(Event):
    violation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuresResumed(Event):
    violation_id: str
    measures: tuple[MeasureSet, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldPlaced(Event):
    """``takes_all``: scope ``all``. ``days_until``: end of the calendar days counted from the hold itself."""

    hold_id: str
    case_id: str
    takes_all: bool
    term: HoldTerm
    days_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldSettled(Event):
    hold_id: str
    remainder: Literal["return", "confiscate"]
    term_ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldReturned(Event):
    """All money of the hold is the seller's again. ``term_ends_at`` as it stood then."""

    hold_id: str
    term_ends_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LossEstablished(Event):
    case_id: str
    losses: tuple[LossOwed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LossPaid(Event):
    """Part or all of the case's loss number ``loss`` (from 0, in the order established) has been paid."""

    case_id: str
    loss: int
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyMoved(Event):
    entry: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class AppealFiled(Event):
    appeal_id: str
    violation_id: str
    stage: int
    documents: tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AppealFailed(Event):
    """No documents: failed as it was filed. ``next_until``: end of the second window, None: none."""

    appeal_id: str
    next_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppealRejected(Event):
    appeal_id: str
    decided_by: str
    reason: str
    next_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppealGranted(Event):
    """The violation is overturned: its measures are cancelled."""

    appeal_id: str
    decided_by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AppealWaived(Event):
    violation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReassessmentFlagged(Event):
    """``violation_id`` stood higher on the ladder because of ``overturned_id``, which is no more."""

    violation_id: str
    overturned_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeSent(Event):
    kind: NoticeKind
    violation_id: str | None
