"""From the files of one table to a raw relation: Parquet is scanned where it lies, CSV is loaded as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from detector.contract import Table
from detector.errors import InputError
from detector.ingest.csvfile import load_csv, read_header
from detector.ingest.files import FoundFile, sha256_of
from detector.ingest.sqltext import ident, literal, literals
from detector.ingest.types import RawPart, RawTable, SourceFile

__all__ = ["Loaded", "add_unparsable", "load_table", "no_rows"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """One table's raw relation, the columns its files have, and its files."""

    raw: RawTable
    present: frozenset[str]
    files: tuple[SourceFile, ...]
    notes: tuple[str, ...]


def load_table(con: duckdb.DuckDBPyConnection, table: Table, found: Sequence[FoundFile]) -> Loaded:
    """Make the files of ``table`` readable as one raw relation.

    Raises InputError when a file cannot be read, or lacks a required column.
    """
    labels = tuple(file.label for file in found)
    columns: dict[int, dict[str, str]] = {}
    for number, file in enumerate(found):
        columns[number] = _columns(con, file)
        _require(table, file.label, columns[number])
    parts = _parquet_parts(con, table, found, columns)
    rows = {
        number: _parquet_rows(con, file) if columns[number] and file.is_parquet else 0
        for number, file in enumerate(found)
    }
    part, unparsable = _load_csvs(con, table, found, columns, rows)
    have = {name for names in columns.values() for name in names}
    raw = RawTable(
        table.name,
        labels,
        (*parts, *((part,) if part else ())),
        (_csv_table(table),) if part else (),
        unparsable,
        tuple(sorted(have - set(table.column_names))),
    )
    files = tuple(
        SourceFile(table.name, file.label, sha256_of(file.path), rows[number])
        for number, file in enumerate(found)
    )
    empty = tuple(
        f"{file.label} is empty: read as no rows of {table.name}"
        for n, file in enumerate(found)
        if not columns[n]
    )
    return Loaded(raw, frozenset(have & set(table.column_names)), files, empty)


def no_rows(table: Table) -> Loaded:
    """A table that is not there."""
    return Loaded(RawTable(table.name, (), ()), frozenset(), (), ())


def _columns(con: duckdb.DuckDBPyConnection, file: FoundFile) -> dict[str, str]:
    """Column name → DuckDB type; nothing for an empty file."""
    if file.path.stat().st_size == 0:
        return {}
    if not file.is_parquet:
        return dict.fromkeys(read_header(file.path, file.label), "VARCHAR")
    try:
        rows = con.execute(f"DESCRIBE SELECT * FROM {_scan([file])}").fetchall()
    except duckdb.Error as error:
        raise InputError(f"{file.label} cannot be read as Parquet: {_one_line(error)}") from None
    return {name: sql_type for name, sql_type, *_ in rows}


def _one_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def _scan(files: Sequence[FoundFile]) -> str:
    return f"read_parquet([{literals(str(file.path) for file in files)}], hive_partitioning=false)"


def _parquet_rows(con: duckdb.DuckDBPyConnection, file: FoundFile) -> int:
    row = con.execute(f"SELECT num_rows FROM parquet_file_metadata({literal(str(file.path))})").fetchone()
    return int(row[0]) if row else 0


def _require(table: Table, label: str, columns: dict[str, str]) -> None:
    missing = [column.name for column in table.columns if column.required and column.name not in columns]
    if not missing or (not columns and table.name != "orders"):
        return
    if not columns:
        raise InputError(
            f"{label} is empty; table {table.name} needs at least the columns {', '.join(missing)}"
        )
    raise InputError(
        f"table {table.name}: {label} has no column {missing[0]}, which is required; "
        f"columns found: {', '.join(columns)}"
    )


def _parquet_parts(
    con: duckdb.DuckDBPyConnection,
    table: Table,
    found: Sequence[FoundFile],
    columns: dict[int, dict[str, str]],
) -> list[RawPart]:
    """One part per distinct schema, so that a day written with other types is still converted as it is."""
    groups: dict[tuple[tuple[str, str], ...], list[int]] = {}
    for number, file in enumerate(found):
        if file.is_parquet and columns[number]:
            types = tuple(
                (name, columns[number][name]) for name in table.column_names if name in columns[number]
            )
            groups.setdefault(types, []).append(number)
    parts = []
    for types, numbers in groups.items():
        index = f"CAST([{', '.join(map(str, numbers))}][CAST(file_index AS BIGINT) + 1] AS INTEGER)"
        names = "".join(f", {ident(name)}" for name, _ in types)
        scan = _scan([found[number] for number in numbers])
        relation = f"(SELECT {index} AS _file, file_row_number + 1 AS _row{names} FROM {scan})"
        parts.append(RawPart(relation, dict(types)))
    return parts


def _csv_table(table: Table) -> str:
    return f"ingest_raw_{table.name}"


def _load_csvs(
    con: duckdb.DuckDBPyConnection,
    table: Table,
    found: Sequence[FoundFile],
    columns: dict[int, dict[str, str]],
    rows: dict[int, int],
) -> tuple[RawPart | None, int]:
    numbers = [number for number, file in enumerate(found) if columns[number] and not file.is_parquet]
    if not numbers:
        return None, 0
    names = [name for name in table.column_names if any(name in columns[number] for number in numbers)]
    into = _csv_table(table)
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE {ident(into)} (_file INTEGER, _row BIGINT"
        + "".join(f", {ident(name)} VARCHAR" for name in names)
        + ")"
    )
    unparsable = 0
    for number in numbers:
        here = [name for name in names if name in columns[number]]
        loaded, broken = load_csv(con, found[number].path, tuple(columns[number]), into, number, here)
        add_unparsable(con, table.name, found[number].label, broken)
        rows[number] = loaded + len(broken)
        unparsable += len(broken)
    return RawPart(ident(into), dict.fromkeys(names, "VARCHAR")), unparsable


def add_unparsable(
    con: duckdb.DuckDBPyConnection, table: str, label: str, broken: Sequence[tuple[int, str]]
) -> None:
    """Add lines that cannot be parsed to ``rejects``; they have neither key nor column."""
    if not broken:
        return
    lines = pa.table({"r": [row for row, _ in broken], "why": [why for _, why in broken]})
    con.register("ingest_broken", lines)
    con.execute(
        f"INSERT INTO rejects SELECT {literal(table)}, {literal(label)}, r, NULL, NULL, why "
        "FROM ingest_broken"
    )
    con.unregister("ingest_broken")
