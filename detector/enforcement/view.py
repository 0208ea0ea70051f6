"""The state as plain data with the names of the enforcement contract, as of any instant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, get_args

from detector.enforcement.book import Book
from detector.enforcement.days import format_instant
from detector.enforcement.events import Event, NoticeSent
from detector.enforcement.ledger import SELLER_ACCOUNTS, balance, total
from detector.enforcement.state import Case, Hold, SellerState, Violation
from detector.enforcement.status import (
    PUBLIC_VIOLATION_STATE,
    MeasureInterval,
    Phase,
    hold_status,
    investigation_status,
    measures_at,
    standing,
    term_ends_at,
    violation_status,
)
from detector.policy.schema import Policy

__all__ = [
    "book_view",
    "case_view",
    "hold_view",
    "market_view",
    "measure_view",
    "measures_view",
    "seller_view",
    "violation_view",
]

Json = dict[str, Any]


def book_view(book: Book, at: datetime) -> Json:
    """The whole state as of ``at``, which is not before the book's latest event; ``refused`` is left out."""
    notices = ((recorded.seller_id, recorded.event) for recorded in book.history)
    return market_view(list(book.sellers.values()), notices, book.policy, at)


def market_view(
    sellers: Collection[SellerState], events: Iterable[tuple[str, Event]], policy: Policy, at: datetime
) -> Json:
    """The state of these sellers as of ``at``; ``events`` (seller id, event) are where notices are found."""
    return {
        "as_of": format_instant(at),
        "policy": {"version": policy.version, "sha256": policy.sha256},
        "sellers": {state.seller_id: seller_view(state, at) for state in sellers},
        "cases": {case.case_id: case_view(case) for state in sellers for case in state.cases.values()},
        "violations": {
            violation.violation_id: violation_view(violation, at)
            for state in sellers
            for violation in state.violations.values()
        },
        "holds": {
            hold.hold_id: hold_view(hold, state.cases[hold.case_id], at)
            for state in sellers
            for hold in state.holds.values()
        },
        "notices": [_notice(seller_id, sent) for seller_id, sent in events if isinstance(sent, NoticeSent)],
        "ledger": _ledger(sellers),
    }


def seller_view(state: SellerState, at: datetime) -> Json:
    """One seller: measures, standing, balances in minor units per currency."""
    stands = standing(state, at)
    return {
        **measures_view(state, at),
        "standing": {"occurrences": stands.occurrences, "points": stands.points},
        "balances": {
            currency: {account: balance(state.accounts, currency, account) for account in SELLER_ACCOUNTS}
            for currency in state.accounts
        },
    }


def measures_view(state: SellerState, at: datetime) -> Json:
    """The seller's measures by phase, in the order of their violations."""
    phases: dict[str, list[Json]] = {f"measures_{phase}": [] for phase in get_args(Phase)}
    for violation in state.violations.values():
        for interval in measures_at(violation, at):
            phases[f"measures_{interval.phase}"].append(measure_view(interval))
    return phases


def measure_view(interval: MeasureInterval) -> Json:
    """A measure as the contract shows it; which of the three lists it belongs to is its ``phase``."""
    return {
        "measure": interval.measure,
        "violation_id": interval.violation_id,
        "from": _instant(interval.starts_at),
        "until": _instant(interval.ends_at),
    }


def _instant(at: datetime | None) -> str | None:
    return None if at is None else format_instant(at)


def case_view(case: Case) -> Json:
    """An investigation as the contract shows it."""
    return {
        "state": "decided" if case.outcome else "open",
        "outcome": case.outcome,
        "investigation": investigation_status(case),
    }


def violation_view(violation: Violation, at: datetime) -> Json:
    """A violation as the contract shows it."""
    return {
        "state": PUBLIC_VIOLATION_STATE[violation_status(violation, at)],
        "severity": violation.severity,
        "occurrence": violation.occurrence,
        "noticed_at": format_instant(violation.noticed_at),
        "appeal_until": _instant(violation.appeal_until),
        "appeals": [
            {"appeal_id": appeal.appeal_id, "stage": appeal.stage, "state": appeal.state}
            for appeal in violation.appeals
        ],
        "needs_reassessment": violation.needs_reassessment and not violation.overturned,
    }


def hold_view(hold: Hold, case: Case, at: datetime) -> Json:
    """A hold as the contract shows it; amounts in minor units."""
    status = hold_status(hold, case, at)
    waits = status == "active" and term_ends_at(hold, case) is None
    return {
        "state": status,
        "term_ends_at": _instant(term_ends_at(hold, case)),
        "waiting_for": ["investigation"] if waits else [],
        "amount_minor": {currency: money.held for currency, money in hold.money.items()},
    }


def _notice(seller_id: str, event: NoticeSent) -> Json:
    return {
        "at": format_instant(event.at),
        "seller_id": seller_id,
        "kind": event.kind,
        "violation_id": event.violation_id,
    }


def _ledger(sellers: Iterable[SellerState]) -> Json:
    sums: Counter[str] = Counter()
    entries = 0
    for state in sellers:
        entries += state.entries
        for currency in state.accounts:
            sums[currency] += total(state.accounts, currency)
    return {"entries": entries, "sum_by_currency": dict(sums)}
