"""Inserting what may be there already, on either database."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Insert, Select, Table, bindparam
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

__all__ = ["insert_new", "upsert"]


def upsert(dialect: str, table: Table, source: Select[Any] | None = None, at_once: int = 1) -> Insert:
    """Insert whole rows; a stored row with the key is replaced.

    The rows come from ``source``, a select of all columns, or as parameters, ``at_once`` rows of them: of one
    row they have the columns' names, of several ``NAME_0``, ``NAME_1`` …
    """
    names = [column.name for column in table.c]
    statement = _insert(dialect, table)
    if at_once > 1:
        rows = range(at_once)
        statement = statement.values([{name: bindparam(f"{name}_{row}") for name in names} for row in rows])
    elif source is None:
        statement = statement.values({name: bindparam(name) for name in names})
    else:
        statement = statement.from_select(names, source)
    key = [column.name for column in table.primary_key]
    rest = {name: statement.excluded[name] for name in names if name not in key}
    kept = {"index_elements": key, "set_": rest}
    chosen: Insert = statement.on_conflict_do_update(**kept) if rest else statement.on_conflict_do_nothing()
    return chosen


def insert_new(connection: Connection, table: Table) -> Any:
    """Insert a row unless its key is there."""
    return _insert(connection.dialect.name, table).on_conflict_do_nothing()


def _insert(dialect: str, table: Table) -> Any:
    """The dialect's own insert: what to do on conflict is not in the SQL standard."""
    return {"sqlite": sqlite_insert, "postgresql": postgresql_insert}[dialect](table)
