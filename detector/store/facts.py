"""The facts: one database table per table of the data contract, identity values veiled as they enter.

A row that comes again under its key replaces the stored one: an order is told again whenever its state
changes, a correction is the same row with other content, and what comes twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from secrets import randbits
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    Index,
    Table,
    Text,
    bindparam,
    delete,
    select,
)
from sqlalchemy.types import TypeEngine

from detector import contract
from detector.pseudonym import IDENTITY_COLUMNS, Veil
from detector.store.columns import METADATA, Instant
from detector.store.inserting import insert_new, upsert
from detector.store.prepared import Prepared, Question
from features.velocity import AGGREGATES

__all__ = [
    "FACTS",
    "ORDER_WRITES",
    "REPORTED",
    "ROW_DIGEST",
    "WINDOW_INDEXES",
    "Row",
    "forget_items",
    "orders_token",
    "orders_written",
    "put",
    "report",
    "reported",
    "veiled",
]

Row = Mapping[str, Any]

ROW_DIGEST = "row_digest"
"""Key of a table whose rows have none: the digest of all that the row says."""

_TYPES: dict[contract.Kind, type[TypeEngine[Any]]] = {
    "string": Text,
    "currency": Text,
    "country": Text,
    "timestamp": Instant,
    "int": BigInteger,
    "float": Double,
    "bool": Boolean,
}


def key_of(table: contract.Table) -> tuple[str, ...]:
    """The columns that make a stored row unique."""
    return table.key or (ROW_DIGEST,)


def _table(table: contract.Table) -> Table:
    key = key_of(table)
    digest = [] if table.key else [Column(ROW_DIGEST, Text, primary_key=True)]
    columns = [
        Column(column.name, _TYPES[column.kind], primary_key=column.name in key, nullable=not column.required)
        for column in table.columns
    ]
    # rows of a key of several columns are looked up by its first ones: they lie in its order
    return Table(table.name, METADATA, *digest, *columns, sqlite_with_rowid=len(key) == 1)


FACTS: dict[str, Table] = {name: _table(table) for name, table in contract.INPUT_TABLES.items()}
"""Contract table name → database table, with the contract's columns."""

Index("ix_shipments_order_id", FACTS["shipments"].c.order_id)
Index("ix_reviews_order_id", FACTS["reviews"].c.order_id)


def _window_indexes() -> list[Index]:
    """One covering index per key of the trailing windows: the key, the time, all that its aggregates read.

    On SQLite windows are looked up in memory (``detector.store.orders_in_memory``).
    """
    orders = FACTS["orders"]
    read: dict[tuple[str, ...], set[str]] = {}
    for aggregate in AGGREGATES:
        money = {"currency"} if aggregate.function == "sum" else set()
        read.setdefault(aggregate.key, set()).update(money, {aggregate.column} if aggregate.column else ())
    return [
        Index(
            f"ix_orders_window_{'_'.join(key)}",
            *(orders.c[name] for name in (*key, "created_at", *sorted(columns - set(key)))),
        ).ddl_if(dialect="postgresql")
        for key, columns in read.items()
    ]


WINDOW_INDEXES = _window_indexes()

ORDER_WRITES = Table(
    "order_writes",
    METADATA,
    Column("place", BigInteger, primary_key=True, autoincrement=False),
    Column("token", BigInteger, nullable=False),
)
"""One row on SQLite, another number after every write of orders; on PostgreSQL writers would wait for it."""

REPORTED = Table("reported", METADATA, Column("fact", Text, primary_key=True))
"""What the market has ever told: a column that nobody fills is unknown, one that is empty here is not."""


def reported(connection: Connection) -> set[str]:
    """The facts (``table.column``, or ``table``) that the market has told at least once."""
    return {fact for (fact,) in _reported(connection.dialect.name).ask(connection, [()])[0]}


@cache
def _reported(dialect: str) -> Question:
    return Question(dialect, select(REPORTED.c.fact), ())


def report(connection: Connection, facts: Iterable[str]) -> None:
    """Note that the market tells of these."""
    rows = [{"fact": fact} for fact in sorted(facts)]
    if rows:
        connection.execute(insert_new(connection, REPORTED), rows)


_EMPTY = {name: dict.fromkeys(table.column_names) for name, table in contract.INPUT_TABLES.items()}


def veiled(veil: Veil, table: str, row: Row) -> dict[str, Any]:
    """The row as it is stored: every column of the table, identity values veiled."""
    empty = _EMPTY[table]
    stored: dict[str, Any] = {**empty, **row}
    for name in [name for name in row if name not in empty]:
        del stored[name]
    kinds: Mapping[str, Any] = IDENTITY_COLUMNS.get(table, {})
    if table == "account_identifiers":
        kinds = {"identifier_value": stored["identifier_kind"]}
    for name, kind in kinds.items():
        if stored[name] is not None:
            stored[name] = veil.veiled(kind, stored[name])
    return stored


def put(connection: Connection, table: str, rows: Sequence[Row]) -> None:
    """Store rows as ``veiled`` gives them; of rows with one key the last stays."""
    _replacing(connection.dialect.name, table).run(connection, rows)
    if table == "orders":
        orders_written(connection)


def orders_written(connection: Connection) -> None:
    """Tell whoever holds orders of this file in memory that there are others now."""
    if connection.dialect.name == "sqlite":
        _marking().run(connection, [{"place": 1, "token": randbits(62)}])


@cache
def _marking() -> Prepared:
    return Prepared("sqlite", upsert("sqlite", ORDER_WRITES))


def orders_token(connection: Connection) -> int:
    """A number that is another one after each write of orders; 0 before the first."""
    [found] = _token().ask(connection, [()])
    return int(found[0][0]) if found else 0


@cache
def _token() -> Question:
    return Question("sqlite", select(ORDER_WRITES.c.token), ())


@cache
def _replacing(dialect: str, table: str) -> Prepared:
    return Prepared(dialect, upsert(dialect, FACTS[table]))


def forget_items(connection: Connection, order_ids: Iterable[str]) -> None:
    """Drop the items of those orders: they are told anew."""
    _forgetting(connection.dialect.name).run(connection, [{"of_order": order_id} for order_id in order_ids])


@cache
def _forgetting(dialect: str) -> Prepared:
    items = FACTS["order_items"]
    return Prepared(dialect, delete(items).where(items.c.order_id == bindparam("of_order")))
