"""Deciding on withheld proceeds: placing, losses, settlement, giving back (policy §4).

Money moves only by a command, so every ledger entry has one as its cause.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from detector.enforcement.commands import EstablishLoss, LossClaim, PlaceHold, SettleHold
from detector.enforcement.draft import Draft
from detector.enforcement.events import (
    HoldPlaced,
    HoldReturned,
    HoldSettled,
    LossEstablished,
    LossOwed,
    LossPaid,
)
from detector.enforcement.guard import check_case, check_hold
from detector.enforcement.ledger import CONFISCATED, HELD, PAYABLE, PLATFORM, Entry, balance, compensated_to
from detector.enforcement.refusals import InsufficientFunds
from detector.enforcement.state import Hold, HoldMoney
from detector.enforcement.status import hold_status, term_ends_at
from detector.enforcement.transitions import CONFISCATE

__all__ = ["establish_loss", "place_hold", "restore", "settle_hold", "violation_of"]


def violation_of(draft: Draft, case_id: str) -> str | None:
    """Id of the violation that the case was decided as, None when there is none."""
    found = (v.violation_id for v in draft.state.violations.values() if v.case_id == case_id)
    return next(found, None)


def place_hold(draft: Draft, command: PlaceHold) -> None:
    check_case(draft.state, command.case_id, command.type)
    check_hold(draft.state, command.hold_id, command.type, draft.now)
    amounts = _amounts_to_hold(draft, command)
    holds = draft.policy.holds
    draft.add(
        HoldPlaced(
            at=draft.now,
            hold_id=command.hold_id,
            case_id=command.case_id,
            takes_all=command.scope == "all",
            term=holds.hold_term,
            days_until=draft.day_end(holds.days),
        )
    )
    for currency, amount in amounts.items():
        cause = f"place_hold {command.hold_id}"
        draft.move(Entry(currency, amount, PAYABLE, HELD, cause, command.hold_id))
    draft.notify("hold", violation_of(draft, command.case_id))


def _amounts_to_hold(draft: Draft, command: PlaceHold) -> Mapping[str, int]:
    accounts = draft.state.accounts
    if command.scope == "all":
        return {currency: balance(accounts, currency, PAYABLE) for currency in sorted(accounts)}
    wanted = {command.scope.currency: command.scope.amount_minor}
    available = {currency: balance(accounts, currency, PAYABLE) for currency in wanted}
    _refuse_shortfall("seller", draft.state.seller_id, "payable", available, wanted, command.type)
    return wanted


def _refuse_shortfall(
    subject: str,
    subject_id: str,
    account: str,
    available: Mapping[str, int],
    wanted: Mapping[str, int],
    command: str,
) -> None:
    short = {c: wanted[c] - available[c] for c in sorted(wanted) if wanted[c] > available[c]}
    if short:
        raise InsufficientFunds(
            subject, subject_id, account, {c: available[c] for c in short}, short, command
        )


def establish_loss(draft: Draft, command: EstablishLoss) -> None:
    """Take the losses on record; what can be paid now, because a hold's term has ended, is paid now."""
    check_case(draft.state, command.case_id, command.type)
    _refuse_uncovered(draft, command)
    losses = tuple(LossOwed(claim.to, claim.currency, claim.amount_minor) for claim in command.losses)
    draft.add(LossEstablished(at=draft.now, case_id=command.case_id, losses=losses))
    case = draft.state.cases[command.case_id]
    ended = [
        hold.hold_id
        for hold in draft.state.holds_of(command.case_id)
        if hold_status(hold, case, draft.now) == "releasable"
    ]
    for hold_id in ended:
        _pay_losses(draft, hold_id, f"establish_loss {command.case_id}")


def _refuse_uncovered(draft: Draft, command: EstablishLoss) -> None:
    """What is owed, the losses established before included, may not exceed what is held for the case."""
    case = draft.state.cases[command.case_id]
    wanted = Counter(_by_currency(command.losses))
    for loss in case.losses:
        if loss.currency in wanted:
            wanted[loss.currency] += loss.open_minor
    held = Counter[str]()
    for hold in draft.state.holds_of(command.case_id):
        held.update({currency: money.held for currency, money in hold.money.items()})
    available = {currency: held[currency] for currency in wanted}
    _refuse_shortfall("case", command.case_id, "held", available, wanted, command.type)


def _by_currency(losses: Iterable[LossClaim]) -> Mapping[str, int]:
    totals = Counter[str]()
    for loss in losses:
        totals[loss.currency] += loss.amount_minor
    return totals


def settle_hold(draft: Draft, command: SettleHold) -> None:
    check_hold(draft.state, command.hold_id, command.type, draft.now)
    hold = draft.state.holds[command.hold_id]
    if command.remainder == "confiscate":
        check_case(draft.state, hold.case_id, CONFISCATE)
    term = term_ends_at(hold, draft.state.cases[hold.case_id])
    assert term is not None  # what is releasable has one
    cause = f"settle_hold {command.hold_id}"
    _pay_losses(draft, command.hold_id, cause)
    target = CONFISCATED if command.remainder == "confiscate" else PAYABLE
    for currency, money in _money(draft, command.hold_id).items():
        draft.move(Entry(currency, money.held, HELD, target, cause, command.hold_id))
    draft.add(
        HoldSettled(at=draft.now, hold_id=command.hold_id, remainder=command.remainder, term_ends_at=term)
    )
    draft.notify("hold", violation_of(draft, hold.case_id))


def _money(draft: Draft, hold_id: str) -> Mapping[str, HoldMoney]:
    return draft.state.holds[hold_id].money


def _pay_losses(draft: Draft, hold_id: str, cause: str) -> None:
    """Pay the case's open losses, oldest first, as far as this hold's money goes."""
    case_id = draft.state.holds[hold_id].case_id
    for number, loss in enumerate(draft.state.cases[case_id].losses):
        held = _money(draft, hold_id).get(loss.currency, HoldMoney()).held
        amount = min(loss.open_minor, held)
        if amount:
            target = compensated_to(loss.to)
            draft.move(Entry(loss.currency, amount, HELD, target, cause, hold_id))
            draft.add(LossPaid(at=draft.now, case_id=case_id, loss=number, amount_minor=amount))


def restore(draft: Draft, case_id: str, cause: str) -> bool:
    """Give all money of the case's holds back; the platform makes good what was paid out of it.

    Returns whether there was a hold to give back from.
    """
    owed = [hold for hold in draft.state.holds_of(case_id) if hold.ended is None or _took(hold)]
    for hold in owed:
        for currency, money in hold.money.items():
            back = ((HELD, money.held), (CONFISCATED, money.confiscated), (PLATFORM, money.compensated))
            for source, amount in back:
                draft.move(Entry(currency, amount, source, PAYABLE, cause, hold.hold_id))
        term = term_ends_at(hold, draft.state.cases[case_id])
        draft.add(HoldReturned(at=draft.now, hold_id=hold.hold_id, term_ends_at=term))
    return bool(owed)


def _took(hold: Hold) -> bool:
    return any(money.confiscated or money.compensated for money in hold.money.values())
