"""Reading one CSV file as text, losing nothing.

A well-formed file is read by DuckDB. A file in which DuckDB finds a line it cannot parse is read again
by Python's csv module, slower, because only then is it certain which data row each line is: the broken
lines are returned with their row number, the others are loaded.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from detector.errors import InputError
from detector.ingest.sqltext import ident, literal

__all__ = ["CsvLoad", "load_csv", "read_header"]

_CHUNK_ROWS = 50_000
_MAX_RECORD_LINES = 10_000
csv.field_size_limit(16 * 1024 * 1024)
CsvLoad = tuple[int, list[tuple[int, str]]]
"""Rows loaded, and (1-based data row, what is wrong) of the rows that cannot be parsed."""


def _open(path: Path) -> io.TextIOWrapper:
    open_text = gzip.open if path.suffix == ".gz" else open
    return open_text(path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline="")


def read_header(path: Path, label: str) -> tuple[str, ...]:
    """The column names of the file, trimmed; empty when the file holds nothing.

    Raises InputError when the file is not text in UTF-8, is no gzip file, or names a column twice.
    """
    try:
        with _open(path) as stream:
            names = tuple(name.strip() for name in next(csv.reader(stream), []))
    except (OSError, EOFError, csv.Error) as error:
        raise InputError(f"{label} cannot be read: {error}") from None
    if any("\x00" in name or not name.isprintable() for name in names):
        raise InputError(f"{label} has a header that is not UTF-8 text; write the file as UTF-8")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{label} names column {twice[0]} twice; each column must have its own name")
    return names if any(names) else ()


def load_csv(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    header: Sequence[str],
    into: str,
    file: int,
    columns: Sequence[str],
) -> CsvLoad:
    """Append ``columns`` of the file to table ``into`` with ``_file`` and ``_row``."""
    try:
        return _load_fast(con, path, header, into, file, columns), []
    except duckdb.Error:
        return _load_careful(con, path, header, into, file, columns)


def _load_fast(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    header: Sequence[str],
    into: str,
    file: int,
    columns: Sequence[str],
) -> int:
    types = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(len(header)))
    picked = "".join(f", c{header.index(name)}" for name in columns)
    loaded = con.execute(
        f"INSERT INTO {ident(into)} (_file, _row{''.join(', ' + ident(name) for name in columns)}) "
        f"SELECT {file}, row_number() OVER (){picked} FROM read_csv({literal(str(path))}, header=true, "
        f"auto_detect=false, strict_mode=true, delim=',', quote='\"', escape='\"', nullstr='', "
        f"allow_quoted_nulls=true, hive_partitioning=false, columns={{{types}}})"
    ).fetchone()
    return int(loaded[0]) if loaded else 0


def _load_careful(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    header: Sequence[str],
    into: str,
    file: int,
    columns: Sequence[str],
) -> CsvLoad:
    wanted = [header.index(name) for name in columns]
    broken: list[tuple[int, str]] = []
    loaded = 0
    rows: list[tuple[int, list[str]]] = []

    def flush() -> None:
        nonlocal loaded
        arrays = [pa.array([row for row, _ in rows], pa.int64())]
        arrays += [pa.array([record[i] for _, record in rows], pa.string()) for i in wanted]
        chunk = pa.table(arrays, names=["_row", *columns])
        con.register("ingest_chunk", chunk)
        con.execute(f"INSERT INTO {ident(into)} BY NAME SELECT {file} AS _file, * FROM ingest_chunk")
        con.unregister("ingest_chunk")
        loaded += len(rows)
        rows.clear()

    with _open(path) as stream:
        for row, (record, wrong) in enumerate(_records(stream, len(header)), start=1):
            if wrong:
                broken.append((row, wrong))
                continue
            rows.append((row, record))
            if len(rows) == _CHUNK_ROWS:
                flush()
    flush()
    return loaded, broken


def _records(stream: io.TextIOWrapper, width: int) -> Iterator[tuple[list[str], str | None]]:
    """Every data record with what is wrong with it.

    A stray quote can swallow the lines after it; so of a record with broken quotes only the first line is
    given up, and reading goes on with the next line.
    """
    lines = _Lines(stream)
    reader = csv.reader(lines, strict=True)
    next(reader, None)
    while True:
        lines.taken.clear()
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error:
            lines.push_back(lines.taken[1:])
            reader = csv.reader(lines, strict=True)
            yield (
                [],
                "the line has a quote that is not closed; quote the whole field and double quotes inside it",
            )
            continue
        if record:
            yield record, _wrong(record, width)


def _wrong(record: list[str], width: int) -> str | None:
    if len(record) != width:
        fields = "1 field" if len(record) == 1 else f"{len(record)} fields"
        return f"the line has {fields}; the header has {width}"
    try:
        "".join(record).encode()
    except UnicodeEncodeError:
        return "the line is not UTF-8 text; write the file as UTF-8"
    return None


class _Lines:
    """Lines of a stream that remembers what the current record took, and takes lines back."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        self._stream = stream
        self._again: list[str] = []
        self.taken: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if len(self.taken) > _MAX_RECORD_LINES:
            raise csv.Error("the record never ends")
        line = self._again.pop() if self._again else next(self._stream)
        self.taken.append(line)
        return line

    def push_back(self, lines: list[str]) -> None:
        self._again.extend(reversed(lines))
        self.taken.clear()
