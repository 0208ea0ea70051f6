"""Statements made once and run many times by the driver alone: SQLAlchemy's work per row costs more than theirs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Delete,
    Insert,
    Select,
    any_,
    bindparam,
    func,
)
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError

from detector.store.columns import json_text

__all__ = ["Prepared", "Question", "among", "driver", "failed", "listed"]

_DIALECTS: dict[str, Dialect] = {
    "sqlite": SQLiteDialect_pysqlite(json_serializer=json_text),
    "postgresql": PGDialect_psycopg(paramstyle="format", json_serializer=json_text),
}
"""As ``detector.store.database`` connects them, with parameters by position."""

_DOUBLE = 701
"""PostgreSQL's number of its double: of all columns only those of decimals and doubles are read by number."""


def driver(connection: Connection) -> Any:
    """The driver's own connection, inside the transaction of ``connection``."""
    if not connection.in_transaction():
        connection.begin()
    return connection.connection.driver_connection


def failed(connection: Connection, statement: str, error: Exception) -> Exception:
    """The driver's error as SQLAlchemy would have raised it; another stays as it is."""
    dbapi: Any = connection.dialect.dbapi
    if not isinstance(error, dbapi.Error):
        return error
    known: Exception = DBAPIError.instance(statement, None, error, dbapi.Error, dialect=connection.dialect)
    return known


class Prepared:
    """A statement whose parameters are named; it answers nothing."""

    def __init__(self, dialect: str, statement: Insert | Delete) -> None:
        spoken = _DIALECTS[dialect]
        compiled = statement.compile(dialect=spoken)
        assert compiled.positiontup is not None  # both dialects count their parameters
        self._text, self._names = str(compiled), tuple(compiled.positiontup)
        kept = (compiled.binds[name].type.dialect_impl(spoken).bind_processor(spoken) for name in self._names)
        self._kept: list[Callable[[Any], Any] | None] = list(kept)

    def run(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run it for each row, which has a value for each parameter; without rows nothing happens."""
        self.run_tuples(connection, self._parameters(rows))

    def run_tuples(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
        """Run it for rows of the driver's own values, in the order of the statement's columns."""
        if rows:
            try:
                driver(connection).cursor().executemany(self._text, rows)
            except Exception as error:
                raise failed(connection, self._text, error) from error

    def _parameters(self, rows: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
        columns = [
            [row[name] for row in rows]
            if keep is None
            else [None if row[name] is None else keep(row[name]) for row in rows]
            for name, keep in zip(self._names, self._kept, strict=True)
        ]
        return list(zip(*columns, strict=True))


class Question:
    """A select that is asked for many keys at once: one answer, a list of rows, for each.

    Parameters
    ----------
    names
        Its parameters in the order in which they are given.
    """

    def __init__(self, dialect: str, statement: Select[*tuple[Any, ...]], names: Sequence[str]) -> None:
        spoken = _DIALECTS[dialect]
        compiled = statement.compile(dialect=spoken)
        assert compiled.positiontup == list(names), compiled.positiontup
        self._text = str(compiled)
        types = [column.type.dialect_impl(spoken) for column in statement.selected_columns]
        reads = [kind.result_processor(spoken, _DOUBLE) for kind in types]
        self._read = [(at, read) for at, read in enumerate(reads) if read is not None]

    def ask(self, connection: Connection, keys: Sequence[tuple[Any, ...]]) -> list[list[tuple[Any, ...]]]:
        """The rows that answer each of ``keys``, which are the driver's own values."""
        if not keys:
            return []
        own = driver(connection)
        try:
            if connection.dialect.name == "postgresql":
                found = _pipelined(own.cursor(), self._text, keys)
            else:
                execute, text = own.execute, self._text
                found = [execute(text, key).fetchall() for key in keys]
        except Exception as error:
            raise failed(connection, self._text, error) from error
        return [[self._row(row) for row in rows] for rows in found] if self._read else found

    def _row(self, row: Sequence[Any]) -> tuple[Any, ...]:
        values = list(row)
        for at, read in self._read:
            values[at] = read(values[at])
        return tuple(values)


def _pipelined(cursor: Any, text: str, keys: Sequence[tuple[Any, ...]]) -> list[list[tuple[Any, ...]]]:
    """All keys in one journey to the server."""
    cursor.executemany(text, keys, returning=True)
    found = [cursor.fetchall()]
    while cursor.nextset():
        found.append(cursor.fetchall())
    return found


def among(dialect: str, column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """``column`` is one of many values, all of which are the parameter ``name``, as ``listed`` gives them.
    Of a value that is listed twice a row is found twice.

    One question for all: a database's work per question costs more than its work per row.
    """
    if dialect == "postgresql":
        return column == any_(bindparam(name, type_=ARRAY(column.type)))
    each = func.json_each(bindparam(name)).table_valued("value")
    return column == each.c.value  # joined: as a list of IN it would be sorted first


def listed(connection: Connection, values: Sequence[Any]) -> Any:
    """Texts or whole numbers as the one parameter of ``among``."""
    return values if connection.dialect.name == "postgresql" else json_text(values)
