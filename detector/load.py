"""Bulk loading: a folder of history into the store, through the same checks as a scan."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any

import duckdb
from sqlalchemy import Connection, Engine, Index, Table, select, text
from sqlalchemy import column as sql_column
from sqlalchemy import table as sql_table

from detector import contract
from detector.ingest import Ingested, ingest
from detector.job import connect
from detector.pseudonym import IDENTITY_COLUMNS, Veil
from detector.store.facts import FACTS, ROW_DIGEST, orders_written, report
from detector.store.inserting import upsert
from features.online import MARKET_COLUMNS

__all__ = ["load"]

_BLOCK = 20_000
"""Rows that are in Python's hands at one time."""
_AT_ONCE = 40
"""Rows of one statement of SQLite: one by one they cost half as much again."""

Progress = Callable[[str, int], None]


def load(
    engine: Engine, folder: Path, veil: Veil, *, mapping: Path | None = None, progress: Progress | None = None
) -> tuple[dict[str, int], int]:
    """Store every clean row of ``folder``; a stored row with the same key is replaced. All of it or nothing.

    Returns
    -------
    dict, int
        Rows stored per table, and rows that were rejected as ``ingest`` rejects them.

    Raises
    ------
    InputError
        The folder cannot be read.
    """
    with connect() as con:
        ingested = ingest(folder, con, mapping=mapping)
        with engine.begin() as connection:
            indexes = [index for table in FACTS.values() for index in table.indexes]
            _drop(connection, indexes)
            for name, table in contract.INPUT_TABLES.items():
                _copy(connection, con, table, veil)
                if progress:
                    progress(name, ingested.counts[name].rows_kept)
            for index in indexes:
                index.create(connection)
            report(connection, _told(con))
            orders_written(connection)
    stored = {name: ingested.counts[name].rows_kept for name in contract.INPUT_TABLES}
    return stored, _rejected(ingested)


def _rejected(ingested: Ingested) -> int:
    return sum(count.rows_rejected for count in ingested.counts.values())


def _drop(connection: Connection, indexes: Iterable[Index]) -> None:
    """Indexes are built once at the end: ten times faster than row by row."""
    for index in indexes:
        index.drop(connection)


def _told(con: duckdb.DuckDBPyConnection) -> set[str]:
    told = set()
    for name in MARKET_COLUMNS:
        table, column = name.split(".")
        if con.execute(f"SELECT 1 FROM {table} WHERE {column} IS NOT NULL LIMIT 1").fetchall():
            told.add(name)
    return told


def _copy(connection: Connection, con: duckdb.DuckDBPyConnection, table: contract.Table, veil: Veil) -> None:
    rows = _rows(con, table, veil)
    if connection.dialect.name == "postgresql":
        _copy_in(connection, table.name, rows)
    else:
        one, several = (_statement(connection, FACTS[table.name], count) for count in (1, _AT_ONCE))
        with closing(_cursor(connection)) as cursor:
            while block := list(islice(rows, _AT_ONCE)):
                if len(block) == _AT_ONCE:
                    cursor.execute(several, list(chain.from_iterable(block)))
                else:
                    cursor.executemany(one, block)


def _statement(connection: Connection, table: Table, rows: int) -> str:
    """Stores so many rows, whose values come one after the other."""
    statement = upsert(connection.dialect.name, table, at_once=rows).compile(dialect=connection.dialect)
    names = [column.name for column in table.c]
    several = [f"{name}_{row}" for row in range(rows) for name in names]
    assert statement.positiontup == (names if rows == 1 else several)
    return str(statement)


def _copy_in(connection: Connection, name: str, rows: Iterator[Sequence[Any]]) -> None:
    """PostgreSQL's own bulk path, into a table beside and over from there."""
    connection.execute(text(f"CREATE TEMP TABLE incoming (LIKE {name}) ON COMMIT DROP"))
    with closing(_cursor(connection)) as cursor, cursor.copy("COPY incoming FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    incoming = sql_table("incoming", *(sql_column(column.name) for column in FACTS[name].c))
    connection.execute(upsert(connection.dialect.name, FACTS[name], select(incoming)))
    connection.execute(text("DROP TABLE incoming"))


def _cursor(connection: Connection) -> Any:
    return connection.connection.cursor()


def _rows(con: duckdb.DuckDBPyConnection, table: contract.Table, veil: Veil) -> Iterator[Sequence[Any]]:
    """The clean rows as the database's drivers take them, in the order of the table's columns.

    They come sorted by key: appending to a B-tree costs less than filling it at random.
    """
    stored = FACTS[table.name]
    key = ", ".join(column.name for column in stored.primary_key)
    found = con.sql(f"SELECT {', '.join(_expressions(table))} FROM {table.name} ORDER BY {key}")
    for block in found.to_arrow_reader(_BLOCK):
        columns = {name: column.to_pylist() for name, column in zip(block.schema.names, block, strict=True)}
        for name, kind in _kinds(table).items():
            kinds = columns[kind] if kind in columns else repeat(kind)
            columns[name] = veil.veiled_all(kinds, columns[name])
        yield from zip(*columns.values(), strict=True)


def _expressions(table: contract.Table) -> list[str]:
    """Every stored column; the digest's is all that the row says."""
    instants = {column.name for column in table.columns if column.kind == "timestamp"}
    names = [column.name for column in FACTS[table.name].c]
    told = {name: f"epoch_us({name})" for name in instants} | {ROW_DIGEST: f"{table.name}::VARCHAR"}
    return [f"{told.get(name, name)} AS {name}" for name in names]


def _kinds(table: contract.Table) -> dict[str, str]:
    """Column to be veiled → the kind of its values, or the column that names it."""
    if table.name == "account_identifiers":
        return {"identifier_value": "identifier_kind"}
    return IDENTITY_COLUMNS.get(table.name, {}) | ({} if table.key else {ROW_DIGEST: "row"})
