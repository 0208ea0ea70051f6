"""A seller's state: what the events add up to. Frozen; statuses that depend on time are in ``status``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from detector.enforcement.events import HoldTerm, MeasureSet, Outcome
from detector.enforcement.ledger import Accounts
from detector.policy.enforcement import Severity

__all__ = ["Appeal", "AppealState", "Case", "Hold", "HoldMoney", "Loss", "SellerState", "Violation"]

AppealState = Literal["pending", "granted", "rejected", "failed_no_documents"]


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss owed to ``to`` and how much of it has been paid, in minor units."""

    to: str
    currency: str
    amount_minor: int
    paid_minor: int = 0

    @property
    def open_minor(self) -> int:
        return self.amount_minor - self.paid_minor


@dataclass(frozen=True, slots=True)
class Case:
    """An investigation of ``order_ids``.

    ``completed_at``: when the platform completed it. ``days_until``: end of the hold term's calendar days
    after the first notice that revoked rights, None while there was none. ``overturned``: its violation
    was, on appeal.
    """

    case_id: str
    opened_at: datetime
    source: str
    clauses: tuple[str, ...]
    order_ids: tuple[str, ...]
    fake_order_count: int
    fake_order_share: float
    fake_gmv_minor: Mapping[str, int]
    outcome: Outcome | None = None
    decided_at: datetime | None = None
    decided_by: str | None = None
    completed_at: datetime | None = None
    days_until: datetime | None = None
    overturned: bool = False
    losses: tuple[Loss, ...] = ()


@dataclass(frozen=True, slots=True)
class Appeal:
    """An appeal of ``stage`` 1 or 2; ``decided_by`` is None when it failed as it was filed."""

    appeal_id: str
    stage: int
    state: AppealState
    filed_at: datetime
    documents: tuple[object, ...]
    decided_at: datetime | None = None
    decided_by: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Violation:
    """A case decided as a violation, with its measures and appeals.

    ``appeal_until``: first closed instant of the window that is or was last open; None when there is none
    (not appealable, under appeal, closed by decision or waiver). ``closed_at``: when the last decision or
    a waiver closed it for good. ``suspended_at``: its measures rest since then, until the appeal's end.
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
    noticed_at: datetime
    appealable: bool
    appeal_until: datetime | None
    appeals: tuple[Appeal, ...] = ()
    waived: bool = False
    overturned: bool = False
    closed_at: datetime | None = None
    suspended_at: datetime | None = None
    needs_reassessment: bool = False


@dataclass(frozen=True, slots=True)
class HoldMoney:
    """Where the money of one hold is, in minor units of one currency."""

    held: int = 0
    confiscated: int = 0
    compensated: int = 0


@dataclass(frozen=True, slots=True)
class Hold:
    """Withheld proceeds. ``ended`` with the term's end as it then stood once settled or returned."""

    hold_id: str
    case_id: str
    placed_at: datetime
    takes_all: bool
    term: HoldTerm
    days_until: datetime
    money: Mapping[str, HoldMoney] = field(default_factory=dict)
    ended: Literal["settled", "returned"] | None = None
    ended_term: datetime | None = None


@dataclass(frozen=True, slots=True)
class SellerState:
    """Everything about one seller; folds from that seller's events alone.

    The mappings keep the order in which things happened. ``entries`` counts ledger entries; the entries
    themselves, like the notices, are in the events.
    """

    seller_id: str
    cases: Mapping[str, Case] = field(default_factory=dict)
    violations: Mapping[str, Violation] = field(default_factory=dict)
    holds: Mapping[str, Hold] = field(default_factory=dict)
    appeal_of: Mapping[str, str] = field(default_factory=dict)
    accounts: Accounts = field(default_factory=dict)
    entries: int = 0

    def appeal(self, appeal_id: str) -> Appeal:
        """The appeal with this id (KeyError when unknown)."""
        appeals = self.violations[self.appeal_of[appeal_id]].appeals
        return next(appeal for appeal in appeals if appeal.appeal_id == appeal_id)

    def holds_of(self, case_id: str) -> tuple[Hold, ...]:
        """The case's holds in the order they were placed."""
        return tuple(hold for hold in self.holds.values() if hold.case_id == case_id)
