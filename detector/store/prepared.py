"""Statements made once and run for many rows by the driver alone: SQLAlchemy's work per row costs more than theirs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Delete, Insert
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import Dialect

__all__ = ["Prepared"]

_DIALECTS: dict[str, Dialect] = {
    "sqlite": SQLiteDialect_pysqlite(),
    "postgresql": PGDialect_psycopg(paramstyle="format"),  # type: ignore[no-untyped-call]
}
"""As ``detector.store.database`` connects them, with parameters by position."""


class Prepared:
    """A statement whose parameters are named; it answers nothing."""

    def __init__(self, dialect: str, statement: Insert | Delete) -> None:
        spoken = _DIALECTS[dialect]
        compiled = statement.compile(dialect=spoken)
        assert compiled.positiontup is not None  # both dialects count their parameters
        self._text, self._names = str(compiled), tuple(compiled.positiontup)
        self._kept: list[Callable[[Any], Any] | None] = [
            compiled.binds[name].type.dialect_impl(spoken).bind_processor(spoken) for name in self._names
        ]

    def run(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run it for each row, which has a value for each parameter; without rows nothing happens."""
        if rows:
            connection.exec_driver_sql(self._text, self._parameters(rows))

    def _parameters(self, rows: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
        columns = [
            [row[name] for row in rows] if keep is None else [keep(row[name]) for row in rows]
            for name, keep in zip(self._names, self._kept, strict=True)
        ]
        return list(zip(*columns, strict=True))
