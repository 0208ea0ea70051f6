"""What the last published scan knew, by key: values of snapshot features, verdicts on sellers, rings.

A snapshot is a generation. It is written row by row while the earlier one is in force, takes its place in one
transaction, and the earlier one stays until the next is published, for whoever was just reading it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Double,
    Index,
    Integer,
    Table,
    Text,
    bindparam,
    delete,
    false,
    func,
    insert,
    select,
    update,
)

from detector.store.columns import METADATA, Instant, Json
from detector.store.prepared import Question
from detector.store.snapshot_values import Group, Groups, forget_values

__all__ = [
    "Snapshot",
    "begin",
    "current",
    "forget_stale",
    "put_in_force",
    "ring",
    "ring_of_pairs",
    "seller",
]

Row = Mapping[str, Any]

SNAPSHOTS = Table(
    "snapshots",
    METADATA,
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("in_force", Boolean, nullable=False),
    Column("as_of", Instant, nullable=False),
    Column("published_at", Instant, nullable=False),
    Column(
        "groups", Json, nullable=False
    ),  # [[key columns, feature names], …]; a position is a group's place
    Column("score_shares", Json, nullable=False),  # of the scan's orders, by ``detector.drift`` band
)
SELLERS = Table(
    "snapshot_sellers",
    METADATA,
    Column("generation", Integer, primary_key=True),
    Column("seller_id", Text, primary_key=True),
    Column("score", Double, nullable=False),
    Column("recommendation", Text, nullable=False),
    Column("verdict", Json, nullable=False),
    sqlite_with_rowid=False,
)
RINGS = Table(
    "snapshot_rings",
    METADATA,
    Column("generation", Integer, primary_key=True),
    Column("ring_id", Text, primary_key=True),
    Column("facts", Json, nullable=False),
    sqlite_with_rowid=False,
)
RING_PAIRS = Table(
    "snapshot_ring_pairs",
    METADATA,
    Column("generation", Integer, primary_key=True),
    Column("buyer_id", Text, primary_key=True),
    Column("seller_id", Text, primary_key=True),
    Column("ring_id", Text, nullable=False),
    Column("order_count", Integer, nullable=False),
    Index("ix_snapshot_ring_pairs_ring", "generation", "ring_id"),
    sqlite_with_rowid=False,
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A published scan. ``as_of``: what it knew was known then. ``score_shares``: see ``detector.drift``."""

    generation: int
    as_of: datetime
    published_at: datetime
    groups: Groups
    score_shares: tuple[float, ...]


def current(connection: Connection) -> Snapshot | None:
    """The snapshot in force, None before the first one is published."""
    [found] = _in_force(connection.dialect.name).ask(connection, [()])
    if not found:
        return None
    kept: Snapshot | None = connection.info.get(_PLACE)
    if kept is None or (kept.generation, kept.published_at) != found[0]:
        kept = connection.info[_PLACE] = _read(connection, *found[0])
    return kept


_PLACE = "snapshot"
"""Where a connection keeps the latest snapshot that it has read; a published one does not change."""


@cache
def _in_force(dialect: str) -> Question:
    statement = select(SNAPSHOTS.c.generation, SNAPSHOTS.c.published_at).where(SNAPSHOTS.c.in_force)
    return Question(dialect, statement, ())


def _read(connection: Connection, generation: int, published_at: datetime) -> Snapshot:
    columns = (SNAPSHOTS.c.as_of, SNAPSHOTS.c.groups, SNAPSHOTS.c.score_shares)
    as_of, groups, shares = connection.execute(
        select(*columns).where(SNAPSHOTS.c.generation == generation)
    ).one()
    found = (Group(place, tuple(key), tuple(names)) for place, (key, names) in enumerate(groups))
    return Snapshot(generation, as_of, published_at, Groups(generation, found), tuple(shares))


def ring_of_pairs(connection: Connection, snapshot: Snapshot, orders: Sequence[Row]) -> list[str | None]:
    """The ring of each order's buyer and seller, None where they are in none."""
    asked = [(snapshot.generation, row["buyer_id"], row["seller_id"]) for row in orders]
    found = _pair_lookup(connection.dialect.name).ask(connection, asked)
    return [rows[0][0] if rows else None for rows in found]


@cache
def _pair_lookup(dialect: str) -> Question:
    names = ("generation", "buyer_id", "seller_id")
    same = (RING_PAIRS.c[name] == bindparam(name) for name in names)
    return Question(dialect, select(RING_PAIRS.c.ring_id).where(*same), names)


def seller(connection: Connection, snapshot: Snapshot, seller_id: str) -> Row | None:
    """The verdict on a seller: a row of ``sellers.parquet`` of the data contract."""
    this = (SELLERS.c.generation == snapshot.generation) & (SELLERS.c.seller_id == seller_id)
    return connection.scalar(select(SELLERS.c.verdict).where(this))


def ring(connection: Connection, snapshot: Snapshot, ring_id: str) -> tuple[Row, list[Row]] | None:
    """A ring, a row of ``rings.parquet``, and its pairs: buyer_id, seller_id, order_count."""
    this = (RINGS.c.generation == snapshot.generation) & (RINGS.c.ring_id == ring_id)
    facts = connection.scalar(select(RINGS.c.facts).where(this))
    if facts is None:
        return None
    mine = (RING_PAIRS.c.generation == snapshot.generation) & (RING_PAIRS.c.ring_id == ring_id)
    columns = (RING_PAIRS.c.buyer_id, RING_PAIRS.c.seller_id, RING_PAIRS.c.order_count)
    pairs = connection.execute(select(*columns).where(mine).order_by(*columns))
    return facts, [dict(row) for row in pairs.mappings()]


def begin(
    connection: Connection,
    as_of: datetime,
    now: datetime,
    groups: Iterable[tuple[Any, Any]],
    score_shares: Sequence[float],
) -> int:
    """Open a new generation, not in force; its number."""
    latest = connection.scalar(select(func.max(SNAPSHOTS.c.generation))) or 0
    row = {"generation": latest + 1, "in_force": False, "as_of": as_of, "published_at": now}
    told = {"groups": [[list(key), list(names)] for key, names in groups], "score_shares": list(score_shares)}
    connection.execute(insert(SNAPSHOTS).values(**row, **told))
    return latest + 1


def put_in_force(connection: Connection, generation: int) -> None:
    """From this transaction on the generation answers, and no other."""
    connection.execute(update(SNAPSHOTS).values(in_force=SNAPSHOTS.c.generation == generation))


def forget_stale(connection: Connection) -> None:
    """Drop the generations that are not in force: superseded, or left by a publication that failed."""
    stale = connection.scalars(select(SNAPSHOTS.c.generation).where(SNAPSHOTS.c.in_force == false())).all()
    for generation in stale:
        connection.execute(forget_values(generation))
        for table in (SELLERS, RINGS, RING_PAIRS, SNAPSHOTS):
            connection.execute(delete(table).where(table.c.generation == generation))
