"""Why a command is refused: one class per reason, the ids as attributes.

The message says what the subject is, what cannot be done, and what is allowed instead. A refusal changes
nothing. The names are those of the enforcement contract.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from detector.enforcement.days import format_instant
from detector.errors import TrueTradeError

__all__ = [
    "REFUSALS",
    "AppealLimitReached",
    "AppealPending",
    "AppealWindowClosed",
    "HoldAlreadySettled",
    "HoldTermNotEnded",
    "IdempotencyConflict",
    "InsufficientFunds",
    "InvalidCommand",
    "InvalidTransition",
    "NotAppealable",
    "Refusal",
    "RoleNotAllowed",
    "SameActor",
    "TimeWentBack",
    "UnknownSubject",
]


class Refusal(TrueTradeError):
    """Root of all refusals. ``str()`` is the message."""

    @property
    def name(self) -> str:
        """The error name of the contract."""
        return type(self).__name__


@dataclass(eq=False)
class AppealWindowClosed(Refusal):
    """The appeal comes when no window is open. ``closed_at`` is the first closed instant, None: waived."""

    violation_id: str
    closed_at: datetime | None

    def __str__(self) -> str:
        since = f"closed since {format_instant(self.closed_at)}" if self.closed_at else "closed by waiver"
        return f"the appeal window of violation {self.violation_id} is {since}; cannot appeal. Allowed: none."


@dataclass(eq=False)
class AppealLimitReached(Refusal):
    """Both appeals of the violation have been filed."""

    violation_id: str
    limit: int

    def __str__(self) -> str:
        return f"violation {self.violation_id} has had {self.limit} appeals; cannot appeal. Allowed: none."


@dataclass(eq=False)
class AppealPending(Refusal):
    """An appeal is waiting for its decision."""

    violation_id: str
    appeal_id: str
    command: str

    def __str__(self) -> str:
        return (
            f"violation {self.violation_id} is under appeal {self.appeal_id}; cannot {self.command}. "
            f"Allowed: wait for its decision."
        )


@dataclass(eq=False)
class NotAppealable(Refusal):
    """The policy lists this violation among those that cannot be appealed."""

    violation_id: str
    command: str

    def __str__(self) -> str:
        return f"violation {self.violation_id} is not appealable; cannot {self.command}. Allowed: none."


@dataclass(eq=False)
class SameActor(Refusal):
    """Four eyes: the actor decided the case and may not also do this."""

    actor_id: str
    case_id: str
    command: str

    def __str__(self) -> str:
        return (
            f"actor {self.actor_id} decided case {self.case_id}; cannot {self.command}. "
            f"Allowed: another approver."
        )


@dataclass(eq=False)
class RoleNotAllowed(Refusal):
    """The actor's role may not give this command."""

    actor_id: str
    role: str
    command: str
    allowed: tuple[str, ...]

    def __str__(self) -> str:
        allowed = ", ".join(self.allowed)
        return f"actor {self.actor_id} is {self.role}; cannot {self.command}. Allowed: {allowed}."


@dataclass(eq=False)
class InsufficientFunds(Refusal):
    """Not enough money. ``shortfall_minor``: currency → what is missing."""

    subject: str
    subject_id: str
    account: str
    available_minor: Mapping[str, int]
    shortfall_minor: Mapping[str, int]
    command: str

    def __str__(self) -> str:
        has = ", ".join(f"{currency} {amount}" for currency, amount in self.available_minor.items())
        short = ", ".join(f"{currency} {amount}" for currency, amount in self.shortfall_minor.items())
        return (
            f"{self.subject} {self.subject_id} has {has} {self.account} (minor units); "
            f"cannot {self.command}: short of {short}. Allowed: up to what is {self.account}."
        )


@dataclass(eq=False)
class HoldTermNotEnded(Refusal):
    """The hold may not be settled yet. ``term_ends_at`` None: not while the investigation runs."""

    hold_id: str
    term_ends_at: datetime | None

    def __str__(self) -> str:
        if self.term_ends_at is None:
            next_step = "complete_investigation"
        else:
            next_step = f"settle_hold from {format_instant(self.term_ends_at)}"
        return f"hold {self.hold_id} is active; cannot settle_hold. Allowed: {next_step}."


@dataclass(eq=False)
class HoldAlreadySettled(Refusal):
    """The hold has been settled or returned."""

    hold_id: str
    state: str

    def __str__(self) -> str:
        return f"hold {self.hold_id} is {self.state}; cannot settle_hold. Allowed: none."


@dataclass(eq=False)
class UnknownSubject(Refusal):
    """The command names something that does not exist."""

    subject: str
    subject_id: str
    command: str

    def __str__(self) -> str:
        subject = f"{self.subject} {self.subject_id}"
        return f"{subject} does not exist; cannot {self.command}. Allowed: an existing {self.subject}."


@dataclass(eq=False)
class InvalidTransition(Refusal):
    """The subject's state does not allow the command."""

    subject: str
    subject_id: str
    state: str
    command: str
    allowed: tuple[str, ...]

    def __str__(self) -> str:
        allowed = ", ".join(self.allowed) or "none"
        return f"{self.subject} {self.subject_id} is {self.state}; cannot {self.command}. Allowed: {allowed}."


@dataclass(eq=False)
class IdempotencyConflict(Refusal):
    """The key has been used for a command with other content."""

    key: str
    command: str

    def __str__(self) -> str:
        return (
            f"key {self.key} was used for another command; cannot {self.command}. "
            f"Allowed: the same content, or a new key."
        )


@dataclass(eq=False)
class TimeWentBack(Refusal):
    """The command's time lies before that of a command already taken."""

    at: datetime
    latest: datetime

    def __str__(self) -> str:
        return (
            f"time is {format_instant(self.latest)}; cannot take a command at {format_instant(self.at)}. "
            f"Allowed: at or after that time."
        )


@dataclass(eq=False)
class InvalidCommand(Refusal):
    """The command is malformed. ``field`` is the dotted path, empty for the command as a whole."""

    command: str
    field: str
    problem: str

    def __str__(self) -> str:
        where = f"field {self.field} of {self.command}" if self.field else self.command
        return f"{where}: {self.problem}"


REFUSALS: tuple[type[Refusal], ...] = (
    AppealWindowClosed,
    AppealLimitReached,
    AppealPending,
    NotAppealable,
    SameActor,
    RoleNotAllowed,
    InsufficientFunds,
    HoldTermNotEnded,
    HoldAlreadySettled,
    UnknownSubject,
    InvalidTransition,
    IdempotencyConflict,
    TimeWentBack,
    InvalidCommand,
)
"""Every refusal, in the contract's order."""
