"""Mapping files: for each contract table a SELECT over the raw files of a foreign export.

.. code-block:: toml

    [settings]
    timezone = "America/Sao_Paulo"      # of times without an offset; UTC when left out

    [sources]                           # name in SQL = file, or pattern, in the input folder
    items = "order_items*.csv.gz"

    [tables]                            # contract table = one SELECT (DuckDB's SQL)
    orders = "SELECT order_id, minor(price, 'BRL') AS total_minor, … FROM items"

CSV sources come as text, one VARCHAR per column. Two functions help to reach the contract's forms; what
they cannot read they hand on unchanged, so that the row is rejected with its own words as the reason:

* ``instant(text, format)``: a local time such as ``10/2/2017 10:56`` (strptime format, or a list of
  formats) as a UTC instant. ISO 8601 times need no function.
* ``minor(amount, currency)``: a decimal amount in minor units of the currency, exactly.

The SELECT may read nothing but the sources and files in the input folder.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import duckdb
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from detector.contract import INPUT_TABLES
from detector.errors import InputError

__all__ = ["Mapping", "describe_sql_error", "read_mapping"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MappingSettings(_Part):
    """``[settings]``."""

    timezone: str = "UTC"

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"{name!r} is no time zone; give a name such as America/Sao_Paulo") from None
        return name


class Mapping(_Part):
    """A mapping file, read and checked; ``name`` is the file's name."""

    name: str
    settings: MappingSettings = MappingSettings()
    sources: dict[str, str] = Field(min_length=1)
    tables: dict[str, str] = Field(min_length=1)

    @field_validator("sources")
    @classmethod
    def _inside(cls, sources: dict[str, str]) -> dict[str, str]:
        for name, pattern in sources.items():
            if not name.isidentifier():
                raise ValueError(f"{name!r} cannot name a source; use letters, digits and _")
            if name in INPUT_TABLES:
                raise ValueError(f"{name} is a contract table; call the source otherwise, such as {name}_raw")
            if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
                raise ValueError(f"{name} is {pattern!r}; a source must lie in the input folder")
        return sources

    @field_validator("tables")
    @classmethod
    def _contract(cls, tables: dict[str, str]) -> dict[str, str]:
        for name in tables:
            if name not in INPUT_TABLES:
                raise ValueError(
                    f"{name} is no table of the data contract; tables: {', '.join(INPUT_TABLES)}"
                )
        if "orders" not in tables:
            raise ValueError("orders is missing; it is the one table that is required")
        return {name: _one_select(name, sql) for name, sql in tables.items()}


def _one_select(table: str, sql: str) -> str:
    try:
        kinds = [statement.type for statement in duckdb.extract_statements(sql)]
    except duckdb.Error as error:
        raise ValueError(f"{table}: {describe_sql_error(error)}") from None
    if kinds != [duckdb.StatementType.SELECT]:
        raise ValueError(f"{table}: it must be one SELECT statement and nothing else")
    return sql.strip().removesuffix(";")


def describe_sql_error(error: duckdb.Error) -> str:
    """DuckDB's message on one line, with the line of the SELECT that it is about."""
    text = str(error)
    place = re.search(r"\nLINE (\d+):", text)
    message = " ".join(text[: place.start() if place else None].split())
    return f"{message} (line {place.group(1)} of the SELECT)" if place else message


def read_mapping(path: Path) -> Mapping:
    """Read a mapping file; raises InputError that names file, place and what would be right."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        return Mapping.model_validate({"name": path.name, **content})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"mapping {path} cannot be read: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"mapping {path}: [{where}] {first['msg'].removeprefix('Value error, ')}") from None
