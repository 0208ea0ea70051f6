"""All sellers together, in memory: what the replay and the policy simulation keep.

``detector.desk`` keeps the same in a database.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from detector.enforcement.codec import content_of
from detector.enforcement.commands import Command
from detector.enforcement.days import EARLIEST
from detector.enforcement.events import Event
from detector.enforcement.evolve import fold
from detector.enforcement.intake import Answered, Known, take_in
from detector.enforcement.refusals import Refusal
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
        self._answers: dict[str, Answered] = {}

    def submit(self, command: Command) -> tuple[Event, ...] | Refusal:
        """The events that the command causes, now part of the book; or a refusal, and nothing changed.

        A command whose key has been taken with the same content (everything but ``at``) gets the events of
        the first time again, and nothing happens a second time.
        """
        known = self._known(command)
        answer = take_in(command, known, self.policy)
        if not isinstance(answer, Refusal) and known.answered is None:
            self._record(command, known.state, answer)
        return answer

    def advance(self, to: datetime) -> None:
        """Note that time has come this far without a command being taken."""
        self.latest = max(self.latest, to)

    def _known(self, command: Command) -> Known:
        subject, created = subject_of(command), created_by(command)
        seller_id = self._owner(subject) if subject else None
        return Known(
            answered=self._answers.get(command.key),
            latest=self.latest,
            state=self.sellers.get(seller_id, SellerState(seller_id)) if seller_id is not None else None,
            owner_of_new_id=self._owner(created) if created else None,
            actor_is_seller=command.actor.id in self.sellers,
        )

    def _owner(self, subject: Subject) -> str | None:
        kind, subject_id = subject
        return subject_id if kind == "seller" else self._seller_of.get(subject)

    def _record(self, command: Command, before: SellerState | None, events: tuple[Event, ...]) -> None:
        self.latest = command.at
        self._answers[command.key] = Answered(content_of(command), events)
        if before is None:
            return
        created = created_by(command)
        if created:
            self._seller_of[created] = before.seller_id
        if events:
            self.sellers[before.seller_id] = fold(before, events)
            self.history.extend(Recorded(before.seller_id, command.key, event) for event in events)
