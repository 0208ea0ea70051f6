"""Contract tables made by a mapping file from the raw files of a foreign export."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import duckdb
import pycountry

from detector.contract import Table
from detector.errors import InputError
from detector.ingest.checks import ISO_INSTANT
from detector.ingest.csvfile import CsvTarget, load_csv, read_header
from detector.ingest.files import FoundFile, folder_prefixes, sha256_of
from detector.ingest.parquetfile import parquet_rows, scan_parquet
from detector.ingest.rejects import add_unparsable
from detector.ingest.sqltext import ident, literal, literals
from detector.ingest.types import Loaded, RawPart, RawTable, SourceFile, TableCount, no_rows, require_columns
from detector.mapping import Mapping, describe_sql_error
from detector.money import currency_exponent

__all__ = ["MappedSource"]

_UTC_TEXT = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True, slots=True)
class _Engine:
    """A folder's own DuckDB, and how the folder's results are named in rejects."""

    con: duckdb.DuckDBPyConnection
    label: str


class MappedSource:
    """The tables of a mapping over one folder or more.

    Each folder is read in a DuckDB instance of its own that reaches nothing outside the folder. It has one
    thread: only so does a SELECT without ORDER BY give its rows in the same order in every run.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, mapping: Mapping, folders: Sequence[Path]) -> None:
        self._con = con
        self._mapping = mapping
        self._one_at_a_time = Lock()
        self.files: tuple[SourceFile, ...] = ()
        self.counts: dict[str, TableCount] = dict.fromkeys(mapping.sources, TableCount())
        self.notes: tuple[str, ...] = ()
        prefixes = folder_prefixes(folders)
        self._engines = [self._open(*pair) for pair in zip(folders, prefixes, strict=True)]

    def load(self, table: Table, con: duckdb.DuckDBPyConnection) -> Loaded:
        """Run the table's SELECT in every folder."""
        if table.name not in self._mapping.tables:
            return no_rows(table)
        with self._one_at_a_time:
            selects = [self._select(con, table, *numbered) for numbered in enumerate(self._engines)]
        have = {name for _, names in selects for name in names}
        raw = RawTable(
            table.name,
            tuple(engine.label for engine in self._engines),
            tuple(part for part, _ in selects),
            tuple(_temp_table(table, number) for number in range(len(selects))),
            ignored=tuple(sorted(have - set(table.column_names))),
        )
        return Loaded(raw, frozenset(have & set(table.column_names)), (), ())

    def close(self) -> None:
        """Let go of the raw files' rows."""
        for engine in self._engines:
            engine.con.close()

    def _open(self, folder: Path, prefix: str) -> _Engine:
        if not folder.is_dir():
            raise InputError(f"{folder} is not a folder; give the folder that holds the export")
        folder = folder.resolve()  # the engine compares real paths
        engine = duckdb.connect(config={"threads": 1, "python_enable_replacements": False})
        try:
            self._fill(engine, folder, prefix)
        except BaseException:
            engine.close()
            raise
        return _Engine(engine, prefix + self._mapping.name)

    def _fill(self, engine: duckdb.DuckDBPyConnection, folder: Path, prefix: str) -> None:
        """Load the sources, add the functions, then shut the door to everything else."""
        engine.execute(f"SET TimeZone = {literal(self._mapping.settings.timezone)}")
        for name, pattern in self._mapping.sources.items():
            paths = sorted(path for path in folder.glob(pattern) if path.is_file())
            if not paths:
                raise InputError(
                    f"mapping {self._mapping.name}: source {name}: no file {pattern} in {folder}"
                )
            files = [FoundFile(path, prefix + path.relative_to(folder).as_posix()) for path in paths]
            try:
                self._add_source(engine, name, files)
            except duckdb.Error as error:
                where = f"mapping {self._mapping.name}: source {name}"
                raise InputError(f"{where}: {describe_sql_error(error)}") from None
        for macro in _macros():
            engine.execute(macro)
        engine.execute(f"SET allowed_directories = [{literal(str(folder))}]")
        engine.execute("SET enable_external_access = false")
        engine.execute("SET lock_configuration = true")

    def _add_source(self, engine: duckdb.DuckDBPyConnection, name: str, files: Sequence[FoundFile]) -> None:
        if all(file.is_parquet for file in files):
            engine.execute(f"CREATE VIEW {ident(name)} AS FROM {scan_parquet(files)}")
            sizes = [(parquet_rows(engine, file), 0) for file in files]
        else:
            sizes = list(self._load_csvs(engine, name, files))
        for file, (rows, broken) in zip(files, sizes, strict=True):
            self.files += (SourceFile(name, file.label, sha256_of(file.path), rows),)
            old = self.counts[name]
            self.counts[name] = TableCount(
                old.rows_in + rows, old.rows_kept + rows - broken, old.rows_rejected + broken
            )

    def _load_csvs(
        self, engine: duckdb.DuckDBPyConnection, name: str, files: Sequence[FoundFile]
    ) -> Iterator[tuple[int, int]]:
        """Load CSV files into one table of text; give (rows, lines that cannot be parsed) per file."""
        if any(file.is_parquet for file in files):
            raise InputError(
                f"mapping {self._mapping.name}: source {name} mixes CSV and Parquet; name two sources"
            )
        headers = [read_header(file) for file in files]
        columns = list(dict.fromkeys(column for header in headers for column in header))
        if not columns:
            raise InputError(f"mapping {self._mapping.name}: source {name}: {files[0].label} is empty")
        typed = "".join(f", {ident(column)} VARCHAR" for column in columns)
        engine.execute(f"CREATE TABLE {ident('_' + name)} (_file INTEGER, _row BIGINT{typed})")
        engine.execute(
            f"CREATE VIEW {ident(name)} AS SELECT * EXCLUDE (_file, _row) FROM {ident('_' + name)}"
        )
        for number, (file, header) in enumerate(zip(files, headers, strict=True)):
            if not header:
                self.notes += (f"{file.label} is empty: read as no rows of {name}",)
                yield 0, 0
                continue
            loaded, broken = load_csv(file, header, CsvTarget(engine, "_" + name, number, header))
            add_unparsable(self._con, name, file.label, broken)
            yield loaded + len(broken), len(broken)

    def _select(
        self, con: duckdb.DuckDBPyConnection, table: Table, number: int, engine: _Engine
    ) -> tuple[RawPart, list[str]]:
        sql = self._mapping.tables[table.name]
        into = _temp_table(table, number)
        try:
            types = {name: str(kind) for name, kind, *_ in engine.con.execute(f"DESCRIBE {sql}").fetchall()}
            require_columns(table, f"mapping {engine.label}", types)
            rows = engine.con.sql(f"SELECT {_projection(table, types)} FROM ({sql})").to_arrow_reader()
            con.register("ingest_mapped", rows)
            con.execute(
                f"CREATE OR REPLACE TEMP TABLE {ident(into)} AS SELECT CAST({number} AS INTEGER) AS _file, "
                "row_number() OVER () AS _row, * FROM ingest_mapped"
            )
        except duckdb.Error as error:
            where = f"mapping {self._mapping.name}: table {table.name}"
            raise InputError(f"{where}: {describe_sql_error(error)}") from None
        con.unregister("ingest_mapped")
        described = con.execute(f"DESCRIBE {ident(into)}").fetchall()
        kept = {name: str(kind) for name, kind, *_ in described if name not in ("_file", "_row")}
        return RawPart(ident(into), kept), list(types)


def _temp_table(table: Table, number: int) -> str:
    return f"ingest_raw_{table.name}_{number}"


def _projection(table: Table, types: dict[str, str]) -> str:
    """The contract columns of the SELECT; times without an offset are read in the mapping's time zone."""
    values = []
    for column in table.columns:
        if column.name not in types:
            continue
        name, value = ident(column.name), ident(column.name)
        if column.kind == "timestamp" and types[column.name] == "VARCHAR":
            instant = f"TRY_CAST({name} AS TIMESTAMP WITH TIME ZONE)"
            utc = f"strftime(timezone('UTC', {instant}), {literal(_UTC_TEXT)})"
            iso = f"regexp_full_match(trim({name}), {literal(ISO_INSTANT)})"
            value = f"CASE WHEN {iso} THEN coalesce({utc}, {name}) ELSE {name} END"
        elif column.kind == "timestamp" and types[column.name].startswith("TIMESTAMP"):
            value = f"CAST({name} AS TIMESTAMP WITH TIME ZONE)"
        values.append(f"{value} AS {name}")
    return ", ".join(values)


def _macros() -> tuple[str, str]:
    """``instant`` and ``minor``, as detector.mapping describes them."""
    local = "CAST(try_strptime(given, format) AS TIMESTAMP WITH TIME ZONE)"
    instant = f"coalesce(strftime(timezone('UTC', {local}), {literal(_UTC_TEXT)}), given)"
    scaled = f"TRY_CAST(amount AS DECIMAL(28, 10)) * CAST({_factor('currency')} AS DECIMAL(5, 0))"
    whole = f"CAST(CAST({scaled} AS HUGEINT) AS VARCHAR)"
    minor = f"CASE WHEN {scaled} = trunc({scaled}) THEN {whole} ELSE CAST(amount AS VARCHAR) END"
    return (
        f"CREATE MACRO instant(given, format) AS {instant}",
        f"CREATE MACRO minor(amount, currency) AS {minor}",
    )


def _factor(currency: str) -> str:
    """Minor units per unit of the currency."""
    codes: defaultdict[int, list[str]] = defaultdict(list)
    for code in sorted(entry.alpha_3 for entry in pycountry.currencies):
        codes[currency_exponent(code)].append(code)
    unusual = (
        f"WHEN {currency} IN ({literals(codes[digits])}) THEN {10**digits}"
        for digits in sorted(codes)
        if digits != 2
    )
    return f"CASE {' '.join(unusual)} ELSE 100 END"
