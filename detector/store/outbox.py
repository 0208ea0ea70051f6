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

from sqlalchemy import (
    ARRAY,
    BigInteger,
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
    literal,
    null,
    or_,
    select,
    text,
    update,
)

from detector.errors import TrueTradeError
from detector.store.columns import METADATA, Instant
from detector.store.endpoints import ENDPOINTS, active_endpoints, require_endpoint
from detector.store.inserting import insert_new
from detector.store.messages import MESSAGES, Message, NewMessage, message_of

__all__ = [
    "DELIVERIES",
    "Delivery",
    "UnknownMessage",
    "append",
    "dead_letters",
    "is_due",
    "lease",
    "mark_delivered",
    "mark_failed",
    "remove_endpoint",
    "replay",
    "replay_range",
]

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


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message on its way to an endpoint. ``attempts``: how many have failed so far."""

    endpoint_id: str
    message: Message
    attempts: int
    leased_until: datetime | None
    dead_at: datetime | None
    last_error: str | None


def append(connection: Connection, messages: Sequence[NewMessage]) -> int:
    """Put up to some thousand messages into the outbox, in their order and in the caller's transaction; those
    whose id is there already are left out. How many were put in.

    On PostgreSQL their sellers are locked until the commit, in the order of their ids, so that a seller's
    positions are in the order of the commits.
    """
    if not messages:
        return 0
    if connection.dialect.name == "postgresql":
        _lock_sellers(connection, sorted({message.seller_id for message in messages}))
    rows = [{name: getattr(message, name) for name in NewMessage.__slots__} for message in messages]
    put_in = insert_new(connection, MESSAGES).returning(MESSAGES.c.message_id, MESSAGES.c.position)
    position = {row.message_id: row.position for row in connection.execute(put_in, rows)}
    _enqueue(connection, messages, position)
    return len(position)


def _lock_sellers(connection: Connection, seller_ids: Sequence[str]) -> None:
    seller = func.unnest(literal(seller_ids, ARRAY(Text))).column_valued("seller")
    lock = func.pg_advisory_xact_lock(func.hashtextextended("outbox:" + seller, 0))
    connection.execute(select(lock))


def _enqueue(connection: Connection, messages: Sequence[NewMessage], position: Mapping[str, int]) -> None:
    """Put the messages that have a position on the queue of every endpoint that wants them."""
    columns = (MESSAGES.c.position, MESSAGES.c.seller_id, literal(0), MESSAGES.c.at)
    into = ("endpoint_id", "position", "seller_id", "attempts", "next_attempt_at")
    for endpoint in active_endpoints(connection):
        wanted = [
            position[message.message_id]
            for message in messages
            if message.message_id in position and endpoint.wants(message.kind)
        ]
        queued = select(literal(endpoint.endpoint_id), *columns).where(MESSAGES.c.position.in_(wanted))
        connection.execute(insert(DELIVERIES).from_select(into, queued))


def remove_endpoint(connection: Connection, endpoint_id: str) -> None:
    """Tell this endpoint nothing any more; what was delivered to it, or died, stays on record."""
    require_endpoint(connection, endpoint_id)
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
    endpoint = require_endpoint(connection, endpoint_id)
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
        row.endpoint_id, message_of(row), row.attempts, row.leased_until, row.dead_at, row.last_error
    )
