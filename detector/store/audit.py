"""The audit log: every command, refused ones too, in one hash chain over the whole market.

Each entry's hash covers its fields, the hash of the entry before it, and the hashes of the events it caused,
so an entry or event that is altered, removed or put elsewhere is found and named. Whoever can write the
whole database could make a chain of his own: note down the head that ``truetrade audit verify`` prints.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    Row,
    Table,
    Text,
    insert,
    select,
    update,
)
from sqlalchemy import text as sql

from detector.enforcement.intake import Answered
from detector.store.columns import METADATA, Instant, by_bytes, to_micros
from detector.store.events import Stored, all_events, read_events

__all__ = ["ENTRIES", "HEAD", "Entry", "Head", "answered", "head", "record", "verify"]

ENTRIES = Table(
    "audit_entries",
    METADATA,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("actor_id", Text, nullable=False),
    Column("actor_role", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("accepted", Boolean, nullable=False),
    Column("error", Text),
    Column("detail", Text),
    Column("seller_id", Text),
    Column("first_sequence", BigInteger),
    Column("event_hashes", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Index(None, "seller_id", "first_sequence"),
)
Index(
    "uq_audit_entries_accepted_key",
    ENTRIES.c.key,
    unique=True,
    sqlite_where=sql("accepted"),
    postgresql_where=sql("accepted"),
)

HEAD = Table(
    "audit_head",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
)
"""One row: the last entry. Who appends locks it until the commit, so the chain has no fork."""

_START = "0" * 64


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be recorded.

    ``content`` is the command as canonical JSON; ``error`` and ``detail`` are those of the refusal, None
    when it was accepted; ``events`` are what it caused.
    """

    at: datetime
    actor_id: str
    actor_role: str
    kind: str
    key: str
    content: str
    error: str | None = None
    detail: str | None = None
    events: Sequence[Stored] = ()


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry's number, 0 when there is none, and its hash."""

    number: int
    hash: str


def record(connection: Connection, entry: Entry) -> Head:
    """Append ``entry``; nobody else appends before the transaction ends, so do it last."""
    last = head(connection, lock=True)
    first = entry.events[0] if entry.events else None
    row = {
        "number": last.number + 1,
        "at": entry.at,
        "actor_id": entry.actor_id,
        "actor_role": entry.actor_role,
        "kind": entry.kind,
        "key": entry.key,
        "content": entry.content,
        "accepted": entry.error is None,
        "error": entry.error,
        "detail": entry.detail,
        "seller_id": first.seller_id if first else None,
        "first_sequence": first.sequence if first else None,
        "event_hashes": json.dumps([_event_hash(stored) for stored in entry.events]),
    }
    row["hash"] = _entry_hash(row, last.hash)
    connection.execute(insert(ENTRIES).values(row))
    connection.execute(update(HEAD).values(number=row["number"], hash=row["hash"]))
    return Head(last.number + 1, str(row["hash"]))


def head(connection: Connection, *, lock: bool = False) -> Head:
    """The last entry of the chain."""
    query = select(HEAD.c.number, HEAD.c.hash)
    found = connection.execute(query.with_for_update() if lock else query).one()
    return Head(found.number, found.hash)


def _entry_hash(row: dict[str, Any], previous: str) -> str:
    fields = {name: row[name] for name in row if name != "hash"} | {"at": to_micros(row["at"])}
    return _digest(previous + json.dumps(fields, sort_keys=True, separators=(",", ":")))


def _event_hash(stored: Stored) -> str:
    fields = [stored.seller_id, stored.sequence, stored.key, stored.type, to_micros(stored.at), stored.data]
    return _digest(json.dumps(fields, separators=(",", ":")))


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def answered(connection: Connection, key: str) -> Answered | None:
    """What was accepted under ``key``, None when the key is free."""
    query = select(ENTRIES).where(ENTRIES.c.key == key, ENTRIES.c.accepted)
    entry = connection.execute(query).first()
    if entry is None:
        return None
    count = len(json.loads(entry.event_hashes))
    events = read_events(connection, entry.seller_id, entry.first_sequence, count) if count else ()
    return Answered(entry.content, events)


def verify(connection: Connection) -> Iterator[str]:
    """What is wrong, one sentence for each thing found; nothing when all is as it was written."""
    yield from _verify_chain(connection)
    yield from _verify_events(connection)


def _verify_chain(connection: Connection) -> Iterator[str]:
    last = Head(0, _START)
    for row in _entries(connection, ENTRIES.c.number):
        for missing in range(last.number + 1, row.number):
            yield f"audit entry {missing} is missing"
        follows = row.number == last.number + 1
        if follows and _entry_hash(dict(row._mapping), last.hash) != row.hash:
            yield f"audit entry {row.number} was altered, or stands where another was written"
        last = Head(row.number, row.hash)
    end = head(connection)
    for missing in range(last.number + 1, end.number + 1):
        yield f"audit entry {missing} is missing"
    if (last.number == end.number and last.hash != end.hash) or last.number > end.number:
        yield f"audit entry {last.number} is not the one that the head of the chain names ({end.number})"


def _verify_events(connection: Connection) -> Iterator[str]:
    """Every event against the hash that its command's entry holds: one pass over both, side by side."""
    expected = _expected(connection)
    wanted = next(expected, None)
    for stored in all_events(connection):
        place = (stored.seller_id, stored.sequence)
        while wanted and wanted[0] < place:
            yield _missing(wanted)
            wanted = next(expected, None)
        if wanted is None or wanted[0] != place:
            yield f"event {stored.sequence} of seller {stored.seller_id} was not written by any command"
            continue
        if wanted[1] != _event_hash(stored):
            yield f"event {stored.sequence} of seller {stored.seller_id} was altered (audit entry {wanted[2]})"
        wanted = next(expected, None)
    while wanted:
        yield _missing(wanted)
        wanted = next(expected, None)


Expected = tuple[tuple[str, int], str, int]
"""Seller and sequence, hash, number of the audit entry."""


def _expected(connection: Connection) -> Iterator[Expected]:
    entries = _entries(connection, by_bytes(connection, ENTRIES.c.seller_id), ENTRIES.c.first_sequence)
    for row in entries:
        for offset, digest in enumerate(json.loads(row.event_hashes)):
            yield (row.seller_id, row.first_sequence + offset), digest, row.number


def _missing(wanted: Expected) -> str:
    (seller_id, sequence), _, number = wanted
    return f"event {sequence} of seller {seller_id} is missing (audit entry {number})"


def _entries(connection: Connection, *order: ColumnElement[Any]) -> Iterator[Row[Any]]:
    query = select(ENTRIES).order_by(*order)
    return iter(connection.execute(query, execution_options={"yield_per": 5000}))
