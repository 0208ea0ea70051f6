"""Takes commands in one transaction each: events, projections, messages and the audit entry, or a refusal.

What a command does is decided by ``detector.enforcement`` alone; here it is looked up and written down. When
two writers meet, one of them starts anew: the unique keys of the store see to it that none gets lost.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError

from detector.desk.announcing import announce
from detector.enforcement.codec import content_of
from detector.enforcement.commands import Actor, Command, FileAppeal
from detector.enforcement.days import EARLIEST, end_of_day, format_instant
from detector.enforcement.events import CaseDecided, CaseExtended, CaseOpened, Event
from detector.enforcement.evolve import fold
from detector.enforcement.intake import Known, take_in
from detector.enforcement.ladder import expected_harm
from detector.enforcement.parse import parse_command
from detector.enforcement.refusals import Refusal
from detector.enforcement.routing import Subject, created_by, subject_of
from detector.enforcement.state import SellerState
from detector.enforcement.view import market_view
from detector.policy.schema import Policy
from detector.store import audit, case_files
from detector.store.appeal_documents import named_in
from detector.store.database import one_moment
from detector.store.documents import first_unknown
from detector.store.events import (
    Stored,
    Stream,
    StreamMoved,
    append,
    events_of_type,
    is_seller,
    load_stream,
    state_as_of,
)
from detector.store.projections import owner_of, project

__all__ = ["Desk", "Receipt"]

T = TypeVar("T")
_ATTEMPTS = 20
_CLOCK_SKEW = timedelta(seconds=5)
"""Clocks of several servers differ; a command that seems to lie so little before the seller's last event is
taken at that event's time."""
_CONFLICTS = ("40001", "40P01")
"""SQLSTATE of a serialization failure and of a deadlock."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """An accepted command.

    Attributes
    ----------
    command
        As it was taken; ``at`` is the time of its events.
    seller_id
        Whom it concerned, None for a time marker.
    events
        What it caused.
    repeated
        The key had been taken before with the same content: nothing happened a second time.
    """

    command: Command
    seller_id: str | None
    events: tuple[Event, ...]
    repeated: bool


class Desk:
    """Enforcement over a database. Thread-safe: it keeps nothing but the engine and the policy."""

    def __init__(self, engine: Engine, policy: Policy) -> None:
        self.engine = engine
        self.policy = policy

    def submit(self, command: Command) -> Receipt | Refusal:
        """Take a command in, or refuse it; either is in the audit log when this returns."""
        return self.transact(lambda connection, lock: self.submit_in(connection, command, lock=lock))

    def submit_data(
        self, kind: str, fields: Mapping[str, Any], *, key: str, actor: Actor, now: datetime
    ) -> Receipt | Refusal:
        """``submit`` for a command whose own fields are not known to be well-formed."""
        common = {"type": kind, "key": key, "at": format_instant(now), "actor": asdict(actor)}
        try:
            command = parse_command({**fields, **common})
        except Refusal as refusal:
            entry = audit.Entry(now, actor.id, actor.role, kind, key, json.dumps(fields), *_why(refusal))
            self.transact(lambda connection, lock: audit.record(connection, entry))
            return refusal
        return self.submit(command)

    def transact(self, work: Callable[[Connection, bool], T]) -> T:
        """Run ``work`` in a transaction; anew when another writer came in between, now with locks."""
        for attempt in range(_ATTEMPTS):
            try:
                with self.engine.begin() as connection:
                    return work(connection, attempt > 0)
            except (StreamMoved, DBAPIError) as error:
                if not _is_conflict(error) or attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def submit_in(self, connection: Connection, command: Command, *, lock: bool) -> Receipt | Refusal:
        """``submit`` within the caller's transaction.

        The stream is read before the key is looked up: who took the same key meanwhile has then either been
        seen, or has moved the stream, which is noticed when events are appended.
        """
        subject = subject_of(command)
        seller_id = _owner(connection, subject) if subject else None
        stream = load_stream(connection, seller_id, lock=lock) if seller_id is not None else None
        command = _on_time(command, stream)
        known = _known(connection, command, stream)
        answer = take_in(command, known, self.policy)
        if isinstance(answer, Refusal):
            audit.record(connection, _entry(command, why=_why(answer)))
            return answer
        if known.answered is None:
            self._write_down(connection, command, stream, answer)
        return Receipt(command, seller_id, answer, known.answered is not None)

    def _write_down(
        self, connection: Connection, command: Command, stream: Stream | None, events: tuple[Event, ...]
    ) -> None:
        stored: list[Stored] = []
        if stream and events:
            stored = append(connection, stream, command.key, events)
            after = fold(stream.state, events)
            project(connection, stream.state, after, self.policy.enforcement.appeals.reminder_days)
            self._keep_file(connection, after, events)
            announce(connection, after, stored[0].sequence, events, self.policy)
        audit.record(connection, _entry(command, events=stored))

    def _keep_file(self, connection: Connection, state: SellerState, events: tuple[Event, ...]) -> None:
        """Every case has a file; what people know better of its priority comes with evidence. A decided case
        is due no more."""
        enforcement = self.policy.enforcement
        for event in events:
            if isinstance(event, CaseOpened):
                due_at = end_of_day(event.at, enforcement.cases.due_days, self.policy.zone)
                priority = expected_harm(state.cases[event.case_id], enforcement.severity)
                case_files.open_file(
                    connection, event.case_id, state.seller_id, priority=priority, hint=None, due_at=due_at
                )
            elif isinstance(event, CaseExtended):
                priority = expected_harm(state.cases[event.case_id], enforcement.severity)
                case_files.weigh(connection, event.case_id, priority=priority)
            elif isinstance(event, CaseDecided):
                case_files.remind_no_more(connection, event.case_id)

    def state(self, seller_id: str, as_of: datetime) -> SellerState:
        """The seller's state when everything up to and including ``as_of`` had happened."""
        with one_moment(self.engine) as connection:
            return state_as_of(connection, seller_id, as_of)

    def view(self, seller_id: str, as_of: datetime) -> dict[str, Any]:
        """The seller's state as of an instant, with the names of the enforcement contract."""
        with one_moment(self.engine) as connection:
            state = state_as_of(connection, seller_id, as_of)
            sent = [
                one.event for one in events_of_type(connection, seller_id, "notice_sent") if one.at <= as_of
            ]
        return market_view([state], [(seller_id, notice) for notice in sent], self.policy, as_of)


def _is_conflict(error: Exception) -> bool:
    if isinstance(error, StreamMoved | IntegrityError):
        return True
    return getattr(getattr(error, "orig", None), "sqlstate", None) in _CONFLICTS


def _owner(connection: Connection, subject: Subject) -> str | None:
    kind, subject_id = subject
    return subject_id if kind == "seller" else owner_of(connection, subject)


def _on_time(command: Command, stream: Stream | None) -> Command:
    if stream and stream.latest - _CLOCK_SKEW <= command.at < stream.latest:
        return replace(command, at=stream.latest)
    return command


def _known(connection: Connection, command: Command, stream: Stream | None) -> Known:
    created = created_by(command)
    return Known(
        answered=audit.answered(connection, command.key),
        latest=stream.latest if stream else EARLIEST,
        state=stream.state if stream else None,
        owner_of_new_id=_owner(connection, created) if created else None,
        actor_is_seller=command.actor.role == "seller" and is_seller(connection, command.actor.id),
        unknown_document=_unknown_document(connection, command, stream),
    )


def _unknown_document(connection: Connection, command: Command, stream: Stream | None) -> str | None:
    if not isinstance(command, FileAppeal) or stream is None:
        return None
    return first_unknown(connection, stream.state.seller_id, named_in(command.documents or ()))


def _why(refusal: Refusal) -> tuple[str, str]:
    return refusal.name, str(refusal).encode(errors="backslashreplace").decode()


def _entry(
    command: Command, *, why: tuple[str, str] | None = None, events: Sequence[Stored] = ()
) -> audit.Entry:
    actor = command.actor
    error, detail = why or (None, None)
    kind, content = command.type, content_of(command)
    return audit.Entry(command.at, actor.id, actor.role, kind, command.key, content, error, detail, events)
