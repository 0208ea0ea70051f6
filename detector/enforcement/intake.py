"""Taking a command in: what holds for it in the market as a whole, before and after ``decide``.

Pure, like the rest: whoever keeps the sellers (``book`` in memory, the desk in a database) looks up what
``Known`` asks for, and records what comes back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from detector.enforcement.codec import content_of
from detector.enforcement.commands import Command
from detector.enforcement.decide import decide
from detector.enforcement.events import Event
from detector.enforcement.guard import check_role
from detector.enforcement.refusals import (
    IdempotencyConflict,
    InvalidTransition,
    Refusal,
    RoleNotAllowed,
    TimeWentBack,
    UnknownSubject,
)
from detector.enforcement.routing import created_by, subject_of
from detector.enforcement.state import SellerState
from detector.policy.schema import Policy

__all__ = ["Answered", "Known", "take_in"]


@dataclass(frozen=True, slots=True)
class Answered:
    """A command that was accepted: its content (see ``content_of``) and the events it caused."""

    content: str
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What there is to know when a command comes in.

    Attributes
    ----------
    answered
        The command accepted earlier under the same key, None when the key is free.
    latest
        Instant before which no command is taken any more.
    state
        The seller whom the addressed subject belongs to; None when the subject does not exist.
    owner_of_new_id
        Id of the seller who has what the command would make, None when its id is free.
    actor_is_seller
        Whether the actor's id is that of a seller in the books.
    unknown_document
        The first document that the command names and the seller has not brought, None when there is none;
        where no documents are kept, nobody can tell.
    """

    answered: Answered | None
    latest: datetime
    state: SellerState | None
    owner_of_new_id: str | None
    actor_is_seller: bool
    unknown_document: str | None = None


def take_in(command: Command, known: Known, policy: Policy) -> tuple[Event, ...] | Refusal:
    """The events that the command causes, or the refusal.

    A command whose key has been taken with the same content gets the events of the first time again; they
    are in the books already (``known.answered`` is there) and are not to be recorded once more.
    """
    try:
        return _take_in(command, known, policy)
    except Refusal as refusal:
        return refusal


def _take_in(command: Command, known: Known, policy: Policy) -> tuple[Event, ...] | Refusal:
    if known.answered:
        if known.answered.content != content_of(command):
            raise IdempotencyConflict(command.key, command.type)
        return known.answered.events
    if command.at < known.latest:
        raise TimeWentBack(command.at, known.latest)
    check_role(command)
    subject = subject_of(command)
    if subject is None:
        return ()
    if known.state is None:
        raise UnknownSubject(*subject, command.type)
    _refuse_other_seller(command, known, known.state.seller_id)
    if known.unknown_document is not None:
        raise UnknownSubject("document", known.unknown_document, command.type)
    answer = decide(known.state, command, policy, command.at)
    if not isinstance(answer, Refusal):
        _refuse_taken_id(command, known, known.state.seller_id)
    return answer


def _refuse_other_seller(command: Command, known: Known, seller_id: str) -> None:
    """A seller acts for itself only; an id that is no seller's is one of its staff."""
    actor = command.actor
    if actor.role == "seller" and actor.id != seller_id and known.actor_is_seller:
        raise RoleNotAllowed(actor.id, "another seller", command.type, (f"seller {seller_id}",))


def _refuse_taken_id(command: Command, known: Known, seller_id: str) -> None:
    """Ids are unique in the whole market; within one seller ``decide`` has checked it."""
    created = created_by(command)
    if created and known.owner_of_new_id not in (None, seller_id):
        raise InvalidTransition(*created, "taken", command.type, ("a new id",))
