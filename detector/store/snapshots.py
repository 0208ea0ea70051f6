"""What the last published scan knew, by key: values of snapshot features, verdicts on sellers, rings.

A snapshot is a generation. It is written row by row while the earlier one is in force, takes its place in one
transaction, and the earlier one stays until the next is published, for whoever was just reading it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Double,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    bindparam,
    cast,
    false,
    func,
    insert,
    select,
    update,
)

from detector.store.columns import METADATA, Instant, Json, json_text
from detector.store.prepared import Question
from detector.store.vectors import packed, unpacked

__all__ = [
    "Snapshot",
    "begin",
    "current",
    "key_text",
    "put_in_force",
    "ring",
    "ring_of_pairs",
    "seller",
    "stale",
    "values",
]

Floats = NDArray[np.float64]
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
    ),  # [[key columns, feature names], …]; a position is a group's number
    Column("score_shares", Json, nullable=False),  # of the scan's orders, by ``detector.drift`` band
)
VALUES = Table(
    "snapshot_values",
    METADATA,
    Column("generation", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("data", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
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
PARTS = (VALUES, SELLERS, RINGS, RING_PAIRS)
"""Tables whose rows belong to a generation."""


@dataclass(frozen=True, slots=True)
class Group:
    """Features that are found by the same key columns."""

    number: int
    key: tuple[str, ...]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A published scan. ``as_of``: what it knew was known then. ``score_shares``: see ``detector.drift``."""

    generation: int
    as_of: datetime
    published_at: datetime
    groups: tuple[Group, ...]
    score_shares: tuple[float, ...]


def current(connection: Connection) -> Snapshot | None:
    """The snapshot in force, None before the first one is published."""
    for row in _in_force(connection.dialect.name).ask(connection, [()])[0]:
        return _snapshot(*row)
    return None


@cache
def _in_force(dialect: str) -> Question:
    plain = (SNAPSHOTS.c.generation, SNAPSHOTS.c.as_of, SNAPSHOTS.c.published_at)
    documents = (cast(SNAPSHOTS.c[name], Text) for name in ("groups", "score_shares"))
    return Question(dialect, select(*plain, *documents).where(SNAPSHOTS.c.in_force), ())


@lru_cache(maxsize=2)
def _snapshot(
    generation: int, as_of: datetime, published_at: datetime, groups: str, score_shares: str
) -> Snapshot:
    found = (
        Group(number, tuple(key), tuple(names)) for number, (key, names) in enumerate(json.loads(groups))
    )
    return Snapshot(generation, as_of, published_at, tuple(found), tuple(json.loads(score_shares)))


def key_text(parts: Sequence[str]) -> str:
    """The values of a group's key columns as one text.

    >>> key_text(["a b", "c"])
    '["a b","c"]'
    """
    return json_text(parts)


def values(connection: Connection, snapshot: Snapshot, keys: Sequence[Row]) -> dict[str, Floats]:
    """The snapshot's values for some orders.

    Parameters
    ----------
    keys
        One row per order with the groups' key columns; where one is null, the group's features are.

    Returns
    -------
    dict of float64 arrays, shape (orders,)
        Feature name → values, NaN where the snapshot knows none.
    """
    texts = [_key_texts(group.key, keys) for group in snapshot.groups]
    wanted = {
        (group.number, text)
        for group, column in zip(snapshot.groups, texts, strict=True)
        for text in column
        if text is not None
    }
    data = _data(connection, snapshot, wanted)
    found: dict[str, Floats] = {}
    for group, column in zip(snapshot.groups, texts, strict=True):
        width = len(group.names)
        unknown = _nulls(width)
        rows = [data.get((group.number, text)) or unknown if text else unknown for text in column]
        found.update(zip(group.names, unpacked(rows, width).T, strict=True))
    return found


@cache
def _nulls(width: int) -> bytes:
    """The packed row of ``width`` numbers nobody knows."""
    return packed(np.full((1, width), np.nan))[0]


_Data = dict[tuple[int, str], bytes | None]
"""A group's number and a key → the packed values, None where there are none."""

MOST_KEPT = 100_000
"""Keys whose values stay in memory; a generation in force does not change. Beyond, all are read again."""


def _data(connection: Connection, snapshot: Snapshot, wanted: Collection[tuple[int, str]]) -> _Data:
    generation: int | None
    kept: _Data
    generation, kept = connection.info.get("snapshot_values", (None, {}))
    if generation != snapshot.generation or len(kept) + len(wanted) > MOST_KEPT:
        kept = {}
        connection.info["snapshot_values"] = (snapshot.generation, kept)
    missing = [key for key in wanted if key not in kept]
    asked = [(snapshot.generation, *key) for key in missing]
    answers = _lookup(connection.dialect.name).ask(connection, asked)
    kept.update((key, rows[0][0] if rows else None) for key, rows in zip(missing, answers, strict=True))
    return kept


def _key_texts(key: Sequence[str], rows: Sequence[Row]) -> list[str | None]:
    """The text of each order's key, None where a part of it is null."""
    parts: list[list[Any]] = [[row.get(part) for part in key] for row in rows]
    return [None if None in found else key_text(found) for found in parts]


@cache
def _lookup(dialect: str) -> Question:
    names = ("generation", "number", "key")
    return Question(
        dialect, select(VALUES.c.data).where(*(VALUES.c[name] == bindparam(name) for name in names)), names
    )


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


def stale(connection: Connection) -> list[int]:
    """Generations that are not in force: superseded, or left by a publication that failed."""
    return list(connection.scalars(select(SNAPSHOTS.c.generation).where(SNAPSHOTS.c.in_force == false())))
