"""The commands: what people and systems ask for. Names and fields are those of the enforcement contract.

Frozen dataclasses. The ``Annotated`` constraints are what ``parse`` checks at the edge; the core trusts
them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Annotated, ClassVar, Literal

import pycountry
from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from detector.contract import CLAUSE_IDS
from detector.enforcement.days import parse_instant
from detector.enforcement.refusals import InvalidCommand
from detector.policy.enforcement import Clause, Severity

__all__ = [
    "COMMANDS",
    "Actor",
    "ApproveMeasures",
    "Command",
    "CompleteInvestigation",
    "CreditProceeds",
    "DecideAppeal",
    "DecideCase",
    "EstablishLoss",
    "ExtendCase",
    "FileAppeal",
    "LossClaim",
    "Money",
    "OpenCase",
    "PlaceHold",
    "ReportOverdue",
    "Role",
    "SettleHold",
    "WaiveAppeal",
]

MAX_AMOUNT = 2**63 - 1
"""The largest amount of one command, in minor units: what a database integer holds."""


@cache
def _currencies() -> frozenset[str]:
    return frozenset(currency.alpha_3 for currency in pycountry.currencies)


def _known_currency(code: str) -> str:
    if code not in _currencies():
        raise ValueError(f"{code!r} should be an ISO 4217 currency code such as 'USD'")
    return code


def _clause_code(clause: object) -> object:
    """A clause may be named by its code or by its id in policy §2.1."""
    ids = {clause_id: code for code, clause_id in CLAUSE_IDS.items()}
    return ids.get(clause, clause) if isinstance(clause, str) else clause


def _all_or_money(scope: object) -> object:
    if scope != "all" and not isinstance(scope, Mapping):
        raise ValueError("it should be 'all' or an object with currency and amount_minor")
    return scope


def _storable(reference: dict[str, object]) -> dict[str, object]:
    try:
        json.dumps(reference, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("it should be Unicode text throughout, without half characters") from None
    return reference


Instant = Annotated[datetime, BeforeValidator(parse_instant)]
MAX_ID_CHARS = 200
"""The longest id: three of four bytes a character still fit into one index entry of a database."""
Words = Annotated[str, StringConstraints(strict=True, pattern=r"^[^\x00]+$")]
Id = Annotated[Words, StringConstraints(max_length=MAX_ID_CHARS)]
Currency = Annotated[str, AfterValidator(_known_currency)]
Amount = Annotated[int, Field(strict=True, gt=0, le=MAX_AMOUNT)]
Count = Annotated[int, Field(strict=True, ge=0, le=MAX_AMOUNT)]
Share = Annotated[float, Field(strict=True, ge=0, le=1)]
ClauseName = Annotated[Clause, BeforeValidator(_clause_code)]
Payee = Annotated[str, StringConstraints(strict=True, pattern=r"^(platform|(buyer|third_party):[\s\S]+)$")]
Reference = Annotated[dict[str, object], AfterValidator(_storable)]
Role = Literal["system", "analyst", "enforcer", "approver", "seller"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who sends a command. For a seller, ``id`` is the seller's or one of its staff."""

    id: Id
    role: Role


@dataclass(frozen=True, slots=True)
class Money:
    """A positive amount in the minor unit of ``currency``."""

    currency: Currency
    amount_minor: Amount


@dataclass(frozen=True, slots=True)
class LossClaim:
    """A loss and to whom it is owed: ``platform``, ``buyer:ID`` or ``third_party:ID``."""

    to: Payee
    currency: Currency
    amount_minor: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What every command carries.

    Attributes
    ----------
    at
        When it is given (UTC).
    key
        Idempotency key, unique to the request.
    actor
        Who gives it.
    """

    type: ClassVar[str] = ""

    at: Instant
    key: Id
    actor: Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditProceeds(Command):
    """Settlement of an order's proceeds to the seller."""

    type: ClassVar[str] = "credit_proceeds"

    seller_id: Id
    order_id: Id
    currency: Currency
    amount_minor: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCase(Command):
    """Start of an investigation, with what the evidence says so far."""

    type: ClassVar[str] = "open_case"

    case_id: Id
    seller_id: Id
    clauses: tuple[ClauseName, ...]
    order_ids: tuple[Id, ...]
    fake_order_count: Count
    fake_order_share: Share
    fake_gmv_minor: dict[Currency, Count]
    source: Literal["scan", "report", "manual"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendCase(Command):
    """More evidence for an open case: clauses and orders are added, the numbers are those of the whole."""

    type: ClassVar[str] = "extend_case"

    case_id: Id
    clauses: tuple[ClauseName, ...]
    order_ids: tuple[Id, ...]
    fake_order_count: Count
    fake_order_share: Share
    fake_gmv_minor: dict[Currency, Count]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceHold(Command):
    """Withhold proceeds: all of them, also those still to come, or one amount."""

    type: ClassVar[str] = "place_hold"

    hold_id: Id
    case_id: Id
    scope: Annotated[Literal["all"] | Money, BeforeValidator(_all_or_money)]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideCase(Command):
    """Close a case. ``violation_id`` is required for a violation; ``severity`` None: the policy's."""

    type: ClassVar[str] = "decide_case"

    case_id: Id
    outcome: Literal["violation", "no_violation", "victim"]
    severity: Severity | None = None
    violation_id: Id | None = None

    def __post_init__(self) -> None:
        if self.outcome == "violation" and self.violation_id is None:
            raise InvalidCommand(self.type, "violation_id", "it should be given for a violation")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproveMeasures(Command):
    """A second person lets the proposed measures start."""

    type: ClassVar[str] = "approve_measures"

    violation_id: Id


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteInvestigation(Command):
    """The platform has completed its investigation (policy §4 b)."""

    type: ClassVar[str] = "complete_investigation"

    case_id: Id


@dataclass(frozen=True, slots=True, kw_only=True)
class EstablishLoss(Command):
    """Losses that are to be paid out of what is held for the case."""

    type: ClassVar[str] = "establish_loss"

    case_id: Id
    losses: Annotated[tuple[LossClaim, ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleHold(Command):
    """End a hold whose term is over: losses first, then the remainder."""

    type: ClassVar[str] = "settle_hold"

    hold_id: Id
    remainder: Literal["return", "confiscate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAppeal(Command):
    """The seller contests a violation. ``documents`` are references or descriptions; none fails at once."""

    type: ClassVar[str] = "file_appeal"

    appeal_id: Id
    violation_id: Id
    documents: tuple[Words | Reference, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideAppeal(Command):
    """The answer to an appeal."""

    type: ClassVar[str] = "decide_appeal"

    appeal_id: Id
    outcome: Literal["granted", "rejected"]
    reason: Words


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiveAppeal(Command):
    """The seller gives up the right to appeal."""

    type: ClassVar[str] = "waive_appeal"

    violation_id: Id


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOverdue(Command):
    """Nothing happens; it marks that time has come this far."""

    type: ClassVar[str] = "report_overdue"


COMMANDS: dict[str, type[Command]] = {
    command.type: command
    for command in (
        CreditProceeds,
        OpenCase,
        ExtendCase,
        PlaceHold,
        DecideCase,
        ApproveMeasures,
        CompleteInvestigation,
        EstablishLoss,
        SettleHold,
        FileAppeal,
        DecideAppeal,
        WaiveAppeal,
        ReportOverdue,
    )
}
"""Command type → class, in the contract's order."""
