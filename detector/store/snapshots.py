"""What the last published scan knew, by key: values of snapshot features, verdicts on sellers, rings.

A snapshot is a generation. It is written row by row while the earlier one is in force, takes its place in one
transaction, and the earlier one stays until the next is published, for whoever was just reading it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
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
    Select,
    Table,
    Text,
    and_,
    bindparam,
    false,
    func,
    insert,
    select,
    update,
)

from detector.store.columns import METADATA, Instant, Json
from detector.store.lookups import json_rows
from detector.store.vectors import unpack

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
    """A published scan. ``as_of``: what it knew was known then."""

    generation: int
    as_of: datetime
    published_at: datetime
    groups: tuple[Group, ...]


def current(connection: Connection) -> Snapshot | None:
    """The snapshot in force, None before the first one is published."""
    row = connection.execute(_IN_FORCE).first()
    if row is None:
        return None
    groups = (Group(number, tuple(key), tuple(names)) for number, (key, names) in enumerate(row.groups))
    return Snapshot(row.generation, row.as_of, row.published_at, tuple(groups))


_IN_FORCE = select(SNAPSHOTS).where(SNAPSHOTS.c.in_force)


def key_text(parts: Sequence[str]) -> str:
    """The values of a group's key columns as one text.

    >>> key_text(["a b", "c"])
    '["a b","c"]'
    """
    return _compact(parts)


_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


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
    asked = [
        {"i": i, "n": group.number, "k": key_text([row[part] for part in group.key])}
        for i, row in enumerate(keys)
        for group in snapshot.groups
        if all(row.get(part) is not None for part in group.key)
    ]
    tables = [np.full((len(group.names), len(keys)), np.nan) for group in snapshot.groups]
    parameters = {"generation_": snapshot.generation, "rows": json.dumps(asked)}
    for i, number, data in connection.execute(_lookup(connection.dialect.name), parameters):
        tables[number][:, i] = unpack(data)
    return {
        name: row
        for group, table in zip(snapshot.groups, tables, strict=True)
        for name, row in zip(group.names, table, strict=True)
    }


@cache
def _lookup(dialect: str) -> Select[Any]:
    asked = json_rows(dialect, "asked", "rows", {"i": Integer, "n": Integer, "k": Text})
    same = and_(
        VALUES.c.generation == bindparam("generation_"),
        VALUES.c.number == asked.c.n,
        VALUES.c.key == asked.c.k,
    )
    return select(asked.c.i, asked.c.n, VALUES.c.data).select_from(asked.join(VALUES, same))


def ring_of_pairs(connection: Connection, snapshot: Snapshot, orders: Sequence[Row]) -> list[str | None]:
    """The ring of each order's buyer and seller, None where they are in none."""
    asked = [{"i": i, "b": row["buyer_id"], "s": row["seller_id"]} for i, row in enumerate(orders)]
    parameters = {"generation_": snapshot.generation, "rows": json.dumps(asked)}
    rings: list[str | None] = [None] * len(orders)
    for i, ring_id in connection.execute(_pair_lookup(connection.dialect.name), parameters):
        rings[i] = ring_id
    return rings


@cache
def _pair_lookup(dialect: str) -> Select[Any]:
    asked = json_rows(dialect, "asked", "rows", {"i": Integer, "b": Text, "s": Text})
    same = and_(
        RING_PAIRS.c.generation == bindparam("generation_"),
        RING_PAIRS.c.buyer_id == asked.c.b,
        RING_PAIRS.c.seller_id == asked.c.s,
    )
    return select(asked.c.i, RING_PAIRS.c.ring_id).select_from(asked.join(RING_PAIRS, same))


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


def begin(connection: Connection, as_of: datetime, now: datetime, groups: Iterable[tuple[Any, Any]]) -> int:
    """Open a new generation, not in force; its number."""
    latest = connection.scalar(select(func.max(SNAPSHOTS.c.generation))) or 0
    row = {"generation": latest + 1, "in_force": False, "as_of": as_of, "published_at": now}
    connection.execute(
        insert(SNAPSHOTS).values(**row, groups=[[list(key), list(names)] for key, names in groups])
    )
    return latest + 1


def put_in_force(connection: Connection, generation: int) -> None:
    """From this transaction on the generation answers, and no other."""
    connection.execute(update(SNAPSHOTS).values(in_force=SNAPSHOTS.c.generation == generation))


def stale(connection: Connection) -> list[int]:
    """Generations that are not in force: superseded, or left by a publication that failed."""
    return list(connection.scalars(select(SNAPSHOTS.c.generation).where(SNAPSHOTS.c.in_force == false())))
