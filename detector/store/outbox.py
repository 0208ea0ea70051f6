"""The transactional outbox: what other systems are to learn, written in the transaction that makes it true.

``append`` puts a message on the queue of every endpoint that wants its kind. A dispatcher leases the oldest
undelivered message of each seller per endpoint, sends it, and marks it; whoever dies in between leaves a
lease that runs out, so a message is sent at least once, always under the same id, and a seller's messages
reach an endpoint in the order in which they were appended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    Row,
    Select,
    Table,
    Text,
    and_,
    delete,
    func,
    insert,
    null,
    or_,
    select,
    text,
    update,
)

from detector.errors import TrueTradeError
from detector.store.columns import METADATA, Instant, Json

__all__ = [
    "SELLERS_BY_EMAIL",
    "Delivery",
    "Endpoint",
    "Message",
    "NewMessage",
    "UnknownEndpoint",
    "UnknownMessage",
    "active_endpoints",
    "add_endpoint",
    "append",
    "append_all",
    "dead_letters",
    "is_due",
    "lease",
    "mark_delivered",
    "mark_failed",
    "message_id_of",
    "messages_of",
    "remove_endpoint",
    "replay",
    "replay_range",
]

SELLERS_BY_EMAIL = "mailto:"
"""The URL of the endpoint that means: every seller, at the address on record."""

MESSAGES = Table(
    "outbox",
    METADATA,
    Column("position", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("message_id", Text, nullable=False, unique=True),
    Column("seller_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("payload", Json, nullable=False),
    Column("at", Instant, nullable=False),
    Index(None, "seller_id", "position"),
    Index(None, "at"),
    sqlite_autoincrement=True,
)

ENDPOINTS = Table(
    "outbox_endpoints",
    METADATA,
    Column("endpoint_id", Text, primary_key=True),
    Column("url", Text, nullable=False),
    Column("secret", Text),
    Column("kinds", Json, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
)

DELIVERIES = Table(
    "outbox_deliveries",
    METADATA,
    Column("endpoint_id", Text, ForeignKey("outbox_endpoints.endpoint_id"), primary_key=True),
    Column("position", BigInteger, ForeignKey("outbox.position"), primary_key=True, autoincrement=False),
    Column("seller_id", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", Instant, nullable=False),
    Column("leased_until", Instant),
    Column("delivered_at", Instant),
    Column("dead_at", Instant),
    Column("last_error", Text),
)
_PENDING = and_(DELIVERIES.c.delivered_at.is_(None), DELIVERIES.c.dead_at.is_(None))
Index(
    "ix_outbox_deliveries_pending",
    DELIVERIES.c.endpoint_id,
    DELIVERIES.c.seller_id,
    DELIVERIES.c.position,
    postgresql_where=text("delivered_at IS NULL AND dead_at IS NULL"),
    sqlite_where=text("delivered_at IS NULL AND dead_at IS NULL"),
)


class UnknownMessage(TrueTradeError):
    """The outbox has no such message, or it was never meant for that endpoint."""


class UnknownEndpoint(TrueTradeError):
    """There is no active endpoint with this id."""


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message for the outbox. ``kind`` is dotted, as in ``notice.violation``; ``at``: when it came true."""

    message_id: str
    seller_id: str
    kind: str
    payload: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class Message(NewMessage):
    """A message at its place in the outbox."""

    position: int


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Who is told. ``kinds``: kinds or their first words (``notice`` is every notice); empty: everything."""

    endpoint_id: str
    url: str
    secret: str | None
    kinds: tuple[str, ...]

    def wants(self, kind: str) -> bool:
        """Whether messages of ``kind`` go to this endpoint."""
        return not self.kinds or any(kind == known or kind.startswith(f"{known}.") for known in self.kinds)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message on its way to an endpoint. ``attempts``: how many have failed so far."""

    endpoint_id: str
    message: Message
    attempts: int
    leased_until: datetime | None
    dead_at: datetime | None
    last_error: str | None


def message_id_of(*parts: object) -> str:
    """The id of the message about ``parts``: the same parts, the same id, so nothing is announced twice.

    >>> message_id_of("S1", 3, "notice.hold")
    'msg_d7df1f0081f25a4cadcac9582ffa5040'
    """
    return f"msg_{uuid5(NAMESPACE_URL, 'truetrade:' + repr(parts)).hex}"


def append(
    connection: Connection,
    *,
    message_id: str,
    seller_id: str,
    kind: str,
    payload: Mapping[str, Any],
    at: datetime,
) -> bool:
    """Put a message into the outbox, in the caller's transaction; False when its id is there already."""
    return append_all(connection, [NewMessage(message_id, seller_id, kind, payload, at)]) == 1


def append_all(connection: Connection, messages: Sequence[NewMessage]) -> int:
    """Put up to some thousand messages into the outbox, in their order; those whose id is there already are
    left out. How many were put in.

    On PostgreSQL their sellers are locked until the commit, in the order of their ids, so that a seller's
    positions are in the order of the commits.
    """
    if connection.dialect.name == "postgresql":
        for seller_id in sorted({message.seller_id for message in messages}):
            key = func.hashtextextended("outbox:" + seller_id, 0)
            connection.execute(select(func.pg_advisory_xact_lock(key)))
    ids = [message.message_id for message in messages]
    known = set(connection.scalars(select(MESSAGES.c.message_id).where(MESSAGES.c.message_id.in_(ids))))
    fresh = [message for message in messages if message.message_id not in known]
    if fresh:
        columns = ("message_id", "seller_id", "kind", "payload", "at")
        rows = [{name: getattr(message, name) for name in columns} for message in fresh]
        connection.execute(insert(MESSAGES), rows)
        _deliver(connection, fresh)
    return len(fresh)


def _deliver(connection: Connection, messages: Sequence[NewMessage]) -> None:
    """Put the messages on the queue of every endpoint that wants them."""
    endpoints = active_endpoints(connection)
    wanted = [
        (message, endpoint) for message in messages for endpoint in endpoints if endpoint.wants(message.kind)
    ]
    if not wanted:
        return
    ids = [message.message_id for message, _ in wanted]
    query = select(MESSAGES.c.message_id, MESSAGES.c.position).where(MESSAGES.c.message_id.in_(ids))
    position = {row.message_id: row.position for row in connection.execute(query)}
    rows = [
        {
            "endpoint_id": endpoint.endpoint_id,
            "position": position[message.message_id],
            "seller_id": message.seller_id,
            "attempts": 0,
            "next_attempt_at": message.at,
        }
        for message, endpoint in wanted
    ]
    connection.execute(insert(DELIVERIES), rows)


def messages_of(
    connection: Connection, seller_id: str, kind: str, *, after: int = 0, limit: int = 100
) -> list[Message]:
    """The seller's messages of ``kind`` (or whose first word it is) behind position ``after``, in order."""
    query = (
        select(MESSAGES)
        .where(MESSAGES.c.seller_id == seller_id, MESSAGES.c.position > after)
        .where(or_(MESSAGES.c.kind == kind, MESSAGES.c.kind.startswith(f"{kind}.", autoescape=True)))
        .order_by(MESSAGES.c.position)
        .limit(limit)
    )
    return [_message(row) for row in connection.execute(query)]


def add_endpoint(
    connection: Connection,
    *,
    endpoint_id: str,
    url: str,
    secret: str | None,
    kinds: Sequence[str],
    now: datetime,
) -> Endpoint:
    """A new endpoint; it learns what is appended from now on (``replay_range`` brings the past)."""
    row = {"endpoint_id": endpoint_id, "url": url, "secret": secret, "kinds": list(kinds)}
    connection.execute(insert(ENDPOINTS).values(**row, active=True, created_at=now))
    return Endpoint(endpoint_id, url, secret, tuple(kinds))


def active_endpoints(connection: Connection) -> list[Endpoint]:
    """Every endpoint that is told things, oldest first."""
    columns = (ENDPOINTS.c.endpoint_id, ENDPOINTS.c.url, ENDPOINTS.c.secret, ENDPOINTS.c.kinds)
    query = select(*columns).where(ENDPOINTS.c.active).order_by(ENDPOINTS.c.created_at, columns[0])
    return [Endpoint(row[0], row[1], row[2], tuple(row[3])) for row in connection.execute(query)]


def remove_endpoint(connection: Connection, endpoint_id: str) -> None:
    """Tell this endpoint nothing any more; what was delivered to it, or died, stays on record."""
    _require_endpoint(connection, endpoint_id)
    connection.execute(delete(DELIVERIES).where(DELIVERIES.c.endpoint_id == endpoint_id, _PENDING))
    connection.execute(update(ENDPOINTS).where(ENDPOINTS.c.endpoint_id == endpoint_id).values(active=False))


def is_due(connection: Connection, endpoint_id: str, now: datetime) -> bool:
    """Whether ``lease`` would give anything; it needs no lock, so that waiting disturbs no writer."""
    return connection.execute(_due(endpoint_id, now).limit(1)).first() is not None


def lease(
    connection: Connection, endpoint_id: str, now: datetime, until: datetime, limit: int
) -> list[Delivery]:
    """Take up to ``limit`` due messages for the endpoint: of each seller the oldest undelivered one only.

    Nobody else gets them before ``until``. Other dispatchers' rows are passed over, not waited for.
    """
    query = _due(endpoint_id, now).order_by(DELIVERIES.c.position).limit(limit)
    rows = connection.execute(query.with_for_update(skip_locked=True, of=DELIVERIES))
    taken = [_delivery(row) for row in rows]
    positions = [delivery.message.position for delivery in taken]
    connection.execute(
        update(DELIVERIES)
        .where(DELIVERIES.c.endpoint_id == endpoint_id, DELIVERIES.c.position.in_(positions))
        .values(leased_until=until)
    )
    return [replace(delivery, leased_until=until) for delivery in taken]


def _due(endpoint_id: str, now: datetime) -> Select[Any]:
    """The heads of the sellers' queues are found in one pass over the queue: a search for each message's
    predecessor can become quadratic where the database has no statistics yet."""
    mine = and_(DELIVERIES.c.endpoint_id == endpoint_id, _PENDING)
    heads = select(func.min(DELIVERIES.c.position)).where(mine).group_by(DELIVERIES.c.seller_id)
    return (
        _deliveries()
        .where(mine, DELIVERIES.c.position.in_(heads.correlate(None)))
        .where(DELIVERIES.c.next_attempt_at <= now)
        .where(or_(DELIVERIES.c.leased_until.is_(None), DELIVERIES.c.leased_until <= now))
    )


def mark_delivered(connection: Connection, delivery: Delivery, at: datetime) -> None:
    """The endpoint has taken the message. True also when the lease had run out meanwhile."""
    connection.execute(_this(delivery).values(delivered_at=at, leased_until=null(), last_error=null()))


def mark_failed(
    connection: Connection, delivery: Delivery, error: str, *, retry_at: datetime | None, now: datetime
) -> None:
    """The attempt failed; it is made again at ``retry_at``, or never (None): a dead letter.

    Nothing is recorded when the lease has run out and the message is somebody else's by now.
    """
    values: dict[str, Any] = {"attempts": delivery.attempts + 1, "last_error": error, "leased_until": null()}
    ending = {"dead_at": now} if retry_at is None else {"next_attempt_at": retry_at}
    mine = and_(_PENDING, DELIVERIES.c.leased_until == delivery.leased_until)
    connection.execute(_this(delivery).where(mine).values(**values, **ending))


def dead_letters(connection: Connection) -> list[Delivery]:
    """What could not be delivered and is no longer tried, oldest first."""
    query = _deliveries().where(DELIVERIES.c.dead_at.is_not(None)).order_by(DELIVERIES.c.position)
    return [_delivery(row) for row in connection.execute(query)]


def replay(connection: Connection, message_id: str, now: datetime) -> int:
    """Send a message again to every active endpoint that it was meant for; how many these are.

    It keeps its id and its place: the seller's later messages wait for it.
    """
    position = select(MESSAGES.c.position).where(MESSAGES.c.message_id == message_id).scalar_subquery()
    active = select(ENDPOINTS.c.endpoint_id).where(ENDPOINTS.c.active)
    again = (
        update(DELIVERIES)
        .where(DELIVERIES.c.position == position, DELIVERIES.c.endpoint_id.in_(active))
        .values(_fresh(now))
    )
    count = connection.execute(again).rowcount
    if not count:
        raise UnknownMessage(f"message {message_id} was not meant for any active endpoint; see outbox dead")
    return count


def replay_range(
    connection: Connection, endpoint_id: str, since: datetime, until: datetime, now: datetime
) -> int:
    """Send the endpoint everything it wants from ``since`` to before ``until`` again, or for the first time."""
    endpoint = _require_endpoint(connection, endpoint_id)
    query = select(MESSAGES.c.position, MESSAGES.c.kind, MESSAGES.c.seller_id)
    rows = connection.execute(query.where(MESSAGES.c.at >= since, MESSAGES.c.at < until)).all()
    wanted = [row for row in rows if endpoint.wants(row.kind)]
    mine = DELIVERIES.c.endpoint_id == endpoint_id
    known = set(connection.execute(select(DELIVERIES.c.position).where(mine)).scalars())
    for row in wanted:
        if row.position in known:
            connection.execute(
                update(DELIVERIES).where(mine, DELIVERIES.c.position == row.position).values(_fresh(now))
            )
        else:
            new = {"endpoint_id": endpoint_id, "position": row.position, "seller_id": row.seller_id}
            connection.execute(insert(DELIVERIES).values({**new, **_fresh(now)}))
    return len(wanted)


def _fresh(now: datetime) -> dict[str, Any]:
    ended = dict.fromkeys(("leased_until", "delivered_at", "dead_at", "last_error"), null())
    return {"attempts": 0, "next_attempt_at": now, **ended}


def _require_endpoint(connection: Connection, endpoint_id: str) -> Endpoint:
    for endpoint in active_endpoints(connection):
        if endpoint.endpoint_id == endpoint_id:
            return endpoint
    raise UnknownEndpoint(f"there is no active endpoint {endpoint_id!r}; see outbox endpoints list")


def _this(delivery: Delivery) -> Any:
    return update(DELIVERIES).where(
        DELIVERIES.c.endpoint_id == delivery.endpoint_id, DELIVERIES.c.position == delivery.message.position
    )


def _deliveries() -> Select[Any]:
    return select(
        *(column for column in MESSAGES.c),
        DELIVERIES.c.endpoint_id,
        DELIVERIES.c.attempts,
        DELIVERIES.c.leased_until,
        DELIVERIES.c.dead_at,
        DELIVERIES.c.last_error,
    ).join_from(DELIVERIES, MESSAGES, DELIVERIES.c.position == MESSAGES.c.position)


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        row.endpoint_id, _message(row), row.attempts, row.leased_until, row.dead_at, row.last_error
    )


def _message(row: Row[Any]) -> Message:
    return Message(row.message_id, row.seller_id, row.kind, row.payload, row.at, row.position)
