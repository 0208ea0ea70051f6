"""The event streams of enforcement: one per seller, append-only, guarded by optimistic concurrency.

A writer reads a stream, decides, and appends behind the sequence it read; who comes second is told so
(``StreamMoved``, or the database's own refusal of a second event at the same place) and starts anew. The
stored state is a cache: without it, or with one of another form, the events are folded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Row,
    Table,
    Text,
    case,
    insert,
    select,
    update,
)

from detector.enforcement.codec import (
    event_type,
    read_event,
    read_state,
    state_form,
    write_event,
    write_state,
)
from detector.enforcement.days import EARLIEST
from detector.enforcement.events import Event
from detector.enforcement.evolve import evolve, fold
from detector.enforcement.state import SellerState
from detector.errors import TrueTradeError
from detector.store.columns import METADATA, Instant, by_bytes

__all__ = [
    "CACHE_EVERY",
    "EVENTS",
    "STREAMS",
    "Stored",
    "Stream",
    "StreamMoved",
    "all_events",
    "append",
    "cache_of",
    "event_row",
    "events_of_type",
    "followed",
    "is_seller",
    "load_stream",
    "load_streams",
    "new_stream",
    "read_events",
    "state_as_of",
]

STREAMS = Table(
    "enforcement_sellers",
    METADATA,
    Column("seller_id", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("latest", Instant, nullable=False),
    Column("state", Text),
    Column("state_form", Text),
    Column("state_sequence", BigInteger),
    Column("state_at", Instant),
)

EVENTS = Table(
    "enforcement_events",
    METADATA,
    Column("seller_id", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("key", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("data", Text, nullable=False),
    sqlite_with_rowid=False,
)

CACHE_EVERY = 8
"""Events after which the state is stored anew. To read a state costs a fifth of folding ten events, to write it
a twentieth."""


class StreamMoved(TrueTradeError):
    """Another writer has appended to a seller's stream since it was read; read it again."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A seller's stream as it was read.

    ``sequence`` is that of the last event and ``cached`` that of the last one in the stored state; 0: none.
    """

    state: SellerState
    sequence: int
    latest: datetime
    cached: int = 0


@dataclass(frozen=True, slots=True)
class Stored:
    """A row of ``EVENTS``: ``data`` is the event's JSON text, ``key`` that of the command that caused it.

    The fields are in the order of the columns.
    """

    seller_id: str
    sequence: int
    key: str
    type: str
    at: datetime
    data: str

    @property
    def event(self) -> Event:
        return read_event(self.type, self.data)


def load_stream(connection: Connection, seller_id: str, *, lock: bool = False) -> Stream:
    """The seller's stream; an empty one for a seller not seen before. See ``load_streams``."""
    return load_streams(connection, [seller_id], lock=lock)[seller_id]


def load_streams(
    connection: Connection, seller_ids: Sequence[str], *, lock: bool = False
) -> Mapping[str, Stream]:
    """The streams of up to a few hundred sellers.

    With ``lock`` nobody else appends to them until the transaction ends (on PostgreSQL; a transaction on
    SQLite that writes is alone anyway).

    Raises
    ------
    StreamMoved
        Somebody appended between the two queries.
    """
    query = select(STREAMS).where(STREAMS.c.seller_id.in_(seller_ids)).order_by(STREAMS.c.seller_id)
    streams = {seller_id: new_stream(seller_id) for seller_id in seller_ids}
    ends = {}
    for head in connection.execute(query.with_for_update() if lock else query):
        streams[head.seller_id], ends[head.seller_id] = _cached(head), head
    for seller_id, later in groupby(_after_caches(connection, list(ends)), attrgetter("seller_id")):
        streams[seller_id] = followed(streams[seller_id], later)
    for seller_id, head in ends.items():
        if streams[seller_id].sequence != head.sequence:
            raise StreamMoved(f"the stream of seller {seller_id} moved while it was read; read it again")
    return streams


def new_stream(seller_id: str) -> Stream:
    """The stream of a seller of whom nothing has happened."""
    return Stream(SellerState(seller_id), 0, EARLIEST)


def _cached(head: Row[tuple[object, ...]]) -> Stream:
    """The stream up to its stored state, from the beginning when there is none that can be read."""
    if head.state_form != state_form():
        return new_stream(head.seller_id)
    return Stream(read_state(head.state), head.state_sequence, head.state_at, head.state_sequence)


def followed(stream: Stream, later: Iterable[Stored]) -> Stream:
    """The stream with the events that came later, of which there is at least one."""
    state = stream.state
    for stored in later:
        state = evolve(state, stored.event)
    return Stream(state, stored.sequence, stored.at, stream.cached)


def _after_caches(connection: Connection, seller_ids: Sequence[str]) -> Iterator[Stored]:
    cached = case((STREAMS.c.state_form == state_form(), STREAMS.c.state_sequence), else_=0)
    query = (
        select(EVENTS)
        .join(STREAMS, EVENTS.c.seller_id == STREAMS.c.seller_id)
        .where(STREAMS.c.seller_id.in_(seller_ids), EVENTS.c.sequence > cached)
        .order_by(STREAMS.c.seller_id, EVENTS.c.sequence)
    )
    return (_stored(row) for row in connection.execute(query))


def state_as_of(connection: Connection, seller_id: str, as_of: datetime) -> SellerState:
    """The seller's state when everything up to and including ``as_of`` had happened."""
    head = connection.execute(select(STREAMS).where(STREAMS.c.seller_id == seller_id)).first()
    stream = _cached(head) if head else new_stream(seller_id)
    if stream.latest > as_of:
        stream = new_stream(seller_id)
    later = _of_seller(connection, seller_id, EVENTS.c.sequence > stream.sequence, EVENTS.c.at <= as_of)
    return fold(stream.state, (stored.event for stored in later))


def append(connection: Connection, stream: Stream, key: str, events: Sequence[Event]) -> list[Stored]:
    """Append what the command ``key`` caused (at least one event) behind ``stream``.

    Raises
    ------
    StreamMoved
        The stream is longer than when it was read.
    """
    seller_id = stream.state.seller_id
    stored = [
        Stored(seller_id, sequence, key, event_type(event), event.at, write_event(event))
        for sequence, event in enumerate(events, start=stream.sequence + 1)
    ]
    _advance(connection, stream, fold(stream.state, events), stored[-1])
    connection.execute(insert(EVENTS), [event_row(one) for one in stored])
    return stored


def _advance(connection: Connection, stream: Stream, after: SellerState, last: Stored) -> None:
    values: dict[str, object] = {"sequence": last.sequence, "latest": last.at}
    if last.sequence - stream.cached >= CACHE_EVERY:
        values |= cache_of(after, last.sequence, last.at)
    if not stream.sequence:
        connection.execute(insert(STREAMS).values(seller_id=last.seller_id, **values))
        return
    mine = (STREAMS.c.seller_id == last.seller_id, STREAMS.c.sequence == stream.sequence)
    if connection.execute(update(STREAMS).where(*mine).values(values)).rowcount != 1:
        raise StreamMoved(f"the stream of seller {last.seller_id} is behind {stream.sequence}; read it again")


def cache_of(state: SellerState, sequence: int, at: datetime) -> dict[str, object]:
    """The columns of ``STREAMS`` that keep ``state``, which event ``sequence`` led to."""
    cached = {"state": write_state(state), "state_form": state_form()}
    return {**cached, "state_sequence": sequence, "state_at": at}


def event_row(stored: Stored) -> dict[str, object]:
    """The event as a row of ``EVENTS``."""
    return {column.name: getattr(stored, column.name) for column in EVENTS.c}


def read_events(connection: Connection, seller_id: str, first: int, count: int) -> tuple[Event, ...]:
    """``count`` events of the stream from sequence ``first`` on."""
    places = EVENTS.c.sequence.between(first, first + count - 1)
    return tuple(stored.event for stored in _of_seller(connection, seller_id, places))


def events_of_type(connection: Connection, seller_id: str, kind: str) -> Iterator[Stored]:
    """The seller's events of one type (its stored name), in order."""
    return _of_seller(connection, seller_id, EVENTS.c.type == kind)


def _of_seller(connection: Connection, seller_id: str, *conditions: ColumnElement[bool]) -> Iterator[Stored]:
    query = select(EVENTS).where(EVENTS.c.seller_id == seller_id, *conditions)
    return (_stored(row) for row in connection.execute(query.order_by(EVENTS.c.sequence)))


def all_events(connection: Connection) -> Iterator[Stored]:
    """Every event, seller by seller in the order of their ids, without holding them all in memory."""
    query = select(EVENTS).order_by(by_bytes(connection, EVENTS.c.seller_id), EVENTS.c.sequence)
    rows = connection.execute(query, execution_options={"yield_per": 5000})
    return (_stored(row) for row in rows)


def _stored(row: Row[Any]) -> Stored:
    return Stored(*tuple(row))


def is_seller(connection: Connection, seller_id: str) -> bool:
    """Whether the seller has a stream."""
    query = select(STREAMS.c.seller_id).where(STREAMS.c.seller_id == seller_id)
    return connection.execute(query).first() is not None
