"""What ingest hands over, and the raw relations it works on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import duckdb

from detector.contract import Table
from detector.errors import InputError

__all__ = [
    "Ingested",
    "Loaded",
    "RawPart",
    "RawTable",
    "Source",
    "SourceFile",
    "TableCount",
    "no_rows",
    "require_columns",
]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One input file: the table it belongs to (or the mapping source), its path relative to the input
    folder (a file of a further folder: ``FOLDER/path``), SHA-256 in hex, and data rows.
    """

    table: str
    path: str
    sha256: str
    rows: int


@dataclass(frozen=True, slots=True)
class TableCount:
    """``rows_in = rows_kept + rows_rejected + rows_deduplicated``, always."""

    rows_in: int = 0
    rows_kept: int = 0
    rows_rejected: int = 0
    rows_deduplicated: int = 0


@dataclass(frozen=True, slots=True)
class Ingested:
    """The clean input.

    ``con`` holds one table per contract table with all of its columns (``orders`` in canonical order, by
    ``created_at, order_id``, with that rank as ``o``; the others' rows in no order), and
    ``rejects("table", "file", "row", "key", "column", "reason")`` ordered by table, file and row.
    ``counts`` has every contract table, and the sources of a mapping. ``present`` gives the columns that the
    input really has (an empty set: no such table). ``masked`` counts the values per ``table.column`` that
    were masked and became null. ``notes`` are plain sentences for the manifest: empty files, files that are
    no table.
    """

    con: duckdb.DuckDBPyConnection
    files: tuple[SourceFile, ...]
    counts: Mapping[str, TableCount]
    present: Mapping[str, frozenset[str]]
    ignored_columns: Mapping[str, tuple[str, ...]]
    masked: Mapping[str, int]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RawPart:
    """A piece of a table as it stands in the input.

    ``relation`` is SQL that can follow FROM, with ``_file`` (index into the table's files), ``_row``
    (1-based data row within the file) and the columns in ``types`` (name → DuckDB type).
    """

    relation: str
    types: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RawTable:
    """One table before validation: the file labels that ``_file`` points into, its parts, the temp tables
    to drop afterwards, how many lines are in ``rejects`` already, and the columns that are not read.
    """

    name: str
    files: tuple[str, ...]
    parts: tuple[RawPart, ...]
    temp_tables: tuple[str, ...] = ()
    unparsable: int = 0
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Loaded:
    """One table's raw relation, the contract columns that it has, its files, and notes on them."""

    raw: RawTable
    present: frozenset[str]
    files: tuple[SourceFile, ...]
    notes: tuple[str, ...]


class Source(Protocol):
    """Where tables come from: folders, a mapping over folders, or frames.

    ``files``, ``counts`` and ``notes`` are those that belong to no single table.
    """

    files: tuple[SourceFile, ...]
    counts: dict[str, TableCount]
    notes: tuple[str, ...]

    def load(self, table: Table, con: duckdb.DuckDBPyConnection) -> Loaded:
        """The table's raw relation on ``con``; one without parts when the input has no such table.

        Two threads may load two tables at once.
        """


def no_rows(table: Table, files: tuple[SourceFile, ...] = (), notes: tuple[str, ...] = ()) -> Loaded:
    """A table that is not there, or whose files are all empty."""
    return Loaded(RawTable(table.name, (), ()), frozenset(), files, notes)


def require_columns(table: Table, label: str, columns: Mapping[str, str]) -> None:
    """Raise InputError when a required column is missing altogether."""
    missing = [column.name for column in table.columns if column.required and column.name not in columns]
    if missing:
        raise InputError(
            f"table {table.name}: {label} has no column {missing[0]}, which is required; "
            f"columns found: {', '.join(columns)}"
        )
