"""The contract's tables from folders: Parquet is scanned where it lies, CSV is loaded as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from detector.contract import INPUT_TABLES, Table
from detector.errors import InputError
from detector.ingest.csvfile import CsvTarget, load_csv, read_header
from detector.ingest.files import FoundFile, find_tables, folder_prefixes, sha256_of
from detector.ingest.parquetfile import parquet_columns, parquet_rows, scan_parquet
from detector.ingest.rejects import add_unparsable
from detector.ingest.sqltext import ident
from detector.ingest.types import Loaded, RawPart, RawTable, SourceFile, TableCount, no_rows, require_columns

__all__ = ["FolderSource"]


@dataclass(frozen=True, slots=True)
class _Opened:
    """A file, its number among the table's files, and its columns: none where the file is empty."""

    number: int
    file: FoundFile
    types: Mapping[str, str]


class FolderSource:
    """The tables of one folder, or of several whose rows are put together in that order."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._found: dict[str, list[FoundFile]] = {}
        self.files: tuple[SourceFile, ...] = ()
        self.counts: dict[str, TableCount] = {}
        self.notes: tuple[str, ...] = ()
        for folder, prefix in zip(folders, folder_prefixes(folders), strict=True):
            tables, notes = find_tables(folder, INPUT_TABLES, prefix)
            for name, files in tables.items():
                self._found.setdefault(name, []).extend(files)
            self.notes += tuple(notes)
            if not self._found.get("orders"):
                forms = "orders.parquet, orders.csv, orders.csv.gz or orders/"
                raise InputError(f"{folder} has no table orders, the one that is required; give {forms}")

    def load(self, table: Table, con: duckdb.DuckDBPyConnection) -> Loaded:
        """Make the table's files readable as one raw relation."""
        files = self._found.get(table.name, [])
        opened = [_Opened(number, file, _columns(con, file)) for number, file in enumerate(files)]
        full = [one for one in opened if one.types]
        if not full:
            if table.name == "orders":
                raise InputError(f"{files[0].label} is empty; orders needs a header and the required columns")
            return no_rows(table, *_listed(table, opened, {}))
        for one in full:
            require_columns(table, one.file.label, one.types)
        rows = {one.number: parquet_rows(con, one.file) for one in full if one.file.is_parquet}
        parts = _parquet_parts(table, [one for one in full if one.file.is_parquet])
        csvs = [one for one in full if not one.file.is_parquet]
        into = f"ingest_raw_{table.name}"
        unparsable = 0
        if csvs:
            part, unparsable = _load_csvs(con, table, csvs, into, rows)
            parts.append(part)
        have = {name for one in full for name in one.types}
        ignored = tuple(sorted(have - set(table.column_names)))
        labels = tuple(file.label for file in files)
        raw = RawTable(table.name, labels, tuple(parts), (into,) if csvs else (), unparsable, ignored)
        return Loaded(raw, frozenset(have & set(table.column_names)), *_listed(table, opened, rows))


def _columns(con: duckdb.DuckDBPyConnection, file: FoundFile) -> Mapping[str, str]:
    if file.path.stat().st_size == 0:
        return {}
    if file.is_parquet:
        return parquet_columns(con, file)
    return dict.fromkeys(read_header(file), "VARCHAR")


def _load_csvs(
    con: duckdb.DuckDBPyConnection, table: Table, csvs: Sequence[_Opened], into: str, rows: dict[int, int]
) -> tuple[RawPart, int]:
    """Load CSV files into the temp table ``into``; note rows per file, count the unparsable ones."""
    names = [name for name in table.column_names if any(name in one.types for one in csvs)]
    typed = "".join(f", {ident(name)} VARCHAR" for name in names)
    con.execute(f"CREATE OR REPLACE TEMP TABLE {ident(into)} (_file INTEGER, _row BIGINT{typed})")
    unparsable = 0
    for one in csvs:
        here = [name for name in names if name in one.types]
        target = CsvTarget(con, into, one.number, here)
        loaded, broken = load_csv(one.file, tuple(one.types), target)
        add_unparsable(con, table.name, one.file.label, broken)
        rows[one.number] = loaded + len(broken)
        unparsable += len(broken)
    return RawPart(ident(into), dict.fromkeys(names, "VARCHAR")), unparsable


def _parquet_parts(table: Table, opened: Sequence[_Opened]) -> list[RawPart]:
    """One part per distinct schema, so that a day written with other types is converted as it is."""
    groups: dict[tuple[tuple[str, str], ...], list[_Opened]] = {}
    for one in opened:
        types = tuple((name, one.types[name]) for name in table.column_names if name in one.types)
        groups.setdefault(types, []).append(one)
    parts = []
    for types, group in groups.items():
        numbers = ", ".join(str(one.number) for one in group)
        index = f"CAST([{numbers}][CAST(file_index AS BIGINT) + 1] AS INTEGER)"
        names = "".join(f", {ident(name)}" for name, _ in types)
        scan = scan_parquet([one.file for one in group])
        relation = f"(SELECT {index} AS _file, file_row_number + 1 AS _row{names} FROM {scan})"
        parts.append(RawPart(relation, dict(types)))
    return parts


def _listed(
    table: Table, opened: Sequence[_Opened], rows: Mapping[int, int]
) -> tuple[tuple[SourceFile, ...], tuple[str, ...]]:
    """The table's files for the manifest, and a note on each empty one."""
    files = (
        SourceFile(table.name, one.file.label, sha256_of(one.file.path), rows.get(one.number, 0))
        for one in opened
    )
    return tuple(files), tuple(
        f"{one.file.label} is empty: read as no rows" for one in opened if not one.types
    )
