"""Column types that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic_core import to_json
from sqlalchemy import JSON, BigInteger, ColumnElement, Connection, MetaData
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

__all__ = ["METADATA", "Instant", "Json", "by_bytes", "from_micros", "json_text", "to_micros"]

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    }
)
"""Every table of the store; constraints are named alike on every database."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(instant: datetime) -> int:
    """Microseconds since 1970 UTC; a time without an offset is read as UTC.

    >>> to_micros(datetime(1970, 1, 1, 0, 0, 1))
    1000000
    """
    return ((instant if instant.tzinfo else instant.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The UTC instant of ``to_micros``."""
    return _EPOCH + micros * _MICROSECOND


class Instant(TypeDecorator[datetime]):
    """A UTC instant, stored as integer microseconds: exact, sortable and subtracted alike everywhere."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_micros(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        return None if value is None else from_micros(value)


Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""A JSON document."""


def json_text(value: Any) -> str:
    """How a JSON document is written.

    >>> json_text({"a": [1, None, "ü"]})
    '{"a":[1,null,"ü"]}'
    """
    return to_json(value).decode()


def by_bytes(connection: Connection, column: ColumnElement[str]) -> ColumnElement[str]:
    """``column`` to be sorted as Python sorts text, whatever the database's language."""
    return column.collate("C") if connection.dialect.name == "postgresql" else column
