"""Double-entry, append-only ledger: integers in minor units, one currency per entry.

Every entry takes an amount from one account and puts it into another, so the accounts of a currency always
sum to zero. Nothing is ever changed: a release, a payment or a reversal is a new entry.

Accounts of a seller: ``payable`` (owed to the seller), ``held`` (withheld), ``confiscated``, and
``compensated/PAYEE`` (paid out of what was held, with PAYEE ``platform``, ``buyer:ID`` or
``third_party:ID``); these are never negative. Contra accounts: ``settlement`` (where proceeds come from) and
``platform`` (what the platform pays out of its own pocket).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

__all__ = [
    "COMPENSATED",
    "CONFISCATED",
    "HELD",
    "PAYABLE",
    "PLATFORM",
    "SELLER_ACCOUNTS",
    "SETTLEMENT",
    "Accounts",
    "Entry",
    "StatementLine",
    "balance",
    "compensated_to",
    "post",
    "statement",
    "total",
]

PAYABLE = "payable"
HELD = "held"
CONFISCATED = "confiscated"
COMPENSATED = "compensated"
SETTLEMENT = "settlement"
PLATFORM = "platform"
SELLER_ACCOUNTS = (PAYABLE, HELD, CONFISCATED, COMPENSATED)

Accounts = Mapping[str, Mapping[str, int]]
"""Currency → account → balance in minor units."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One balanced entry: ``amount_minor`` (> 0) of ``currency`` from ``source`` to ``target``.

    ``cause`` names what moved the money, as in ``settle_hold H1``; ``hold_id`` is the hold whose money it
    is, None for a plain settlement.
    """

    currency: str
    amount_minor: int
    source: str
    target: str
    cause: str
    hold_id: str | None = None


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One line of a seller's statement: an entry, its time, and the seller's balances after it."""

    at: datetime
    entry: Entry
    payable_minor: int
    held_minor: int
    confiscated_minor: int
    compensated_minor: int


def compensated_to(payee: str) -> str:
    """The account that shows what was paid to ``payee``."""
    return f"{COMPENSATED}/{payee}"


def post(accounts: Accounts, entry: Entry) -> Accounts:
    """The accounts after ``entry``."""
    changed = dict(accounts.get(entry.currency, {}))
    changed[entry.source] = changed.get(entry.source, 0) - entry.amount_minor
    changed[entry.target] = changed.get(entry.target, 0) + entry.amount_minor
    return {**accounts, entry.currency: changed}


def balance(accounts: Accounts, currency: str, account: str) -> int:
    """Balance of an account, its sub-accounts included, in minor units."""
    return sum(
        amount
        for name, amount in accounts.get(currency, {}).items()
        if name == account or name.startswith(f"{account}/")
    )


def total(accounts: Accounts, currency: str) -> int:
    """Sum over all accounts of ``currency``: zero, always."""
    return sum(accounts.get(currency, {}).values())


def statement(entries: Iterable[tuple[datetime, Entry]], currency: str) -> tuple[StatementLine, ...]:
    """A seller's statement in one currency: every entry in order, its cause, and the running balances."""
    accounts: Accounts = {}
    lines = []
    for at, entry in entries:
        if entry.currency == currency:
            accounts = post(accounts, entry)
            balances = (balance(accounts, currency, account) for account in SELLER_ACCOUNTS)
            lines.append(StatementLine(at, entry, *balances))
    return tuple(lines)
