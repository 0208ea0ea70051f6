"""What other systems are to learn: messages, in the order in which they came true."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Index, Integer, Row, Table, Text, or_, select

from detector.store.columns import METADATA, Instant, Json

__all__ = ["MESSAGES", "Message", "NewMessage", "message_id_of", "message_of", "messages_of"]

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


def message_id_of(*parts: object) -> str:
    """The id of the message about ``parts``: the same parts, the same id, so nothing is announced twice.

    >>> message_id_of("S1", 3, "notice.hold")
    'msg_d9f1fd9c17fc7a2a0da35eb6a372d6db'
    """
    return f"msg_{sha256(repr(parts).encode()).hexdigest()[:32]}"


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
    return [message_of(row) for row in connection.execute(query)]


def message_of(row: Row[Any]) -> Message:
    """The message of a row of ``MESSAGES``."""
    return Message(row.message_id, row.seller_id, row.kind, row.payload, row.at, row.position)
