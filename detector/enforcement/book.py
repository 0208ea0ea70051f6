"""All sellers together, in memory: routes commands, keeps idempotency keys and the order of time.

The replay and the policy simulation use it; the store does the same with tables and locks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from detector.enforcement.commands import Command
from detector.enforcement.days import EARLIEST
from detector.enforcement.decide import decide
from detector.enforcement.events import Event
from detector.enforcement.evolve import fold
from detector.enforcement.guard import check_role
from detector.enforcement.refusals import (
    IdempotencyConflict,
    InvalidTransition,
    Refusal,
    RoleNotAllowed,
    TimeWentBack,
    UnknownSubject,
)
from detector.enforcement.routing import Subject, created_by, subject_of
from detector.enforcement.state import SellerState
from detector.policy.schema import Policy

__all__ = ["Book", "Recorded"]


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event as it is kept: whose it is and the key of the command that caused it."""

    seller_id: str
    key: str
    event: Event


class Book:
    """The living state: ``submit`` takes commands, the attributes are there to be read.

    Attributes
    ----------
    sellers
        Seller id → state.
    history
        Every event of every seller, in order.
    latest
        Instant of the latest command taken.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.sellers: dict[str, SellerState] = {}
        self.history: list[Recorded] = []
        self.latest = EARLIEST
        self._seller_of: dict[Subject, str] = {}
        self._answers: dict[str, tuple[Command, tuple[Event, ...]]] = {}

    def submit(self, command: Command) -> tuple[Event, ...] | Refusal:
        """The events that the command causes, now part of the book; or a refusal, and nothing changed.

        A command whose key has been taken with the same content (everything but ``at``) gets the events of
        the first time again, and nothing happens a second time.
        """
        content = replace(command, at=EARLIEST)
        if command.key in self._answers:
            known, events = self._answers[command.key]
            return events if known == content else IdempotencyConflict(command.key, command.type)
        try:
            seller_id, answer = self._decide(command)
        except Refusal as refusal:
            return refusal
        if not isinstance(answer, Refusal):
            self._answers[command.key] = (content, answer)
            self._record(command, seller_id, answer)
        return answer

    def advance(self, to: datetime) -> None:
        """Note that time has come this far without a command being taken."""
        self.latest = max(self.latest, to)

    def _decide(self, command: Command) -> tuple[str, tuple[Event, ...] | Refusal]:
        if command.at < self.latest:
            raise TimeWentBack(command.at, self.latest)
        check_role(command)
        subject = subject_of(command)
        if subject is None:
            return "", ()
        seller_id = self._find_seller(command, subject)
        self._refuse_other_seller(command, seller_id)
        state = self.sellers.get(seller_id, SellerState(seller_id))
        answer = decide(state, command, self.policy, command.at)
        if not isinstance(answer, Refusal):
            self._refuse_taken_id(command, seller_id)
        return seller_id, answer

    def _find_seller(self, command: Command, subject: Subject) -> str:
        kind, subject_id = subject
        if kind == "seller":
            return subject_id
        if subject not in self._seller_of:
            raise UnknownSubject(kind, subject_id, command.type)
        return self._seller_of[subject]

    def _refuse_other_seller(self, command: Command, seller_id: str) -> None:
        """A seller acts for itself only; an id that is no seller's is one of its staff."""
        actor = command.actor
        if actor.role == "seller" and actor.id != seller_id and actor.id in self.sellers:
            raise RoleNotAllowed(actor.id, "another seller", command.type, (f"seller {seller_id}",))

    def _refuse_taken_id(self, command: Command, seller_id: str) -> None:
        """Ids are unique in the whole market; within one seller ``decide`` has checked it."""
        created = created_by(command)
        if created and self._seller_of.get(created, seller_id) != seller_id:
            raise InvalidTransition(*created, "taken", command.type, ("a new id",))

    def _record(self, command: Command, seller_id: str, events: tuple[Event, ...]) -> None:
        self.latest = command.at
        created = created_by(command)
        if created:
            self._seller_of[created] = seller_id
        if events:
            before = self.sellers.get(seller_id)
            self.sellers[seller_id] = fold(before or SellerState(seller_id), events)
            self.history.extend(Recorded(seller_id, command.key, event) for event in events)
