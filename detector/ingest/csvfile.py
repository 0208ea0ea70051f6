"""Reading one CSV file as text, losing nothing.

A well-formed file is read by DuckDB. A file in which DuckDB finds a line it cannot parse is read again
by Python's csv module, slower, because only then is it certain which data row each line is: the broken
lines are returned with their row number, the others are loaded.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from detector.errors import InputError
from detector.ingest.files import FoundFile
from detector.ingest.sqltext import ident, literal

__all__ = ["CsvTarget", "load_csv", "read_header"]

_CHUNK_ROWS = 50_000
_MAX_RECORD_LINES = 10_000
csv.field_size_limit(16 * 1024 * 1024)  # the default of 128 KiB would refuse a long review
Broken = list[tuple[int, str]]
"""(1-based data row, what is wrong) of the rows that cannot be parsed."""


@dataclass(frozen=True, slots=True)
class CsvTarget:
    """Where a file's rows go: ``columns`` of the table ``into``, with ``_file`` = ``number`` and ``_row``."""

    con: duckdb.DuckDBPyConnection
    into: str
    number: int
    columns: Sequence[str]


def _open(path: Path) -> io.TextIOWrapper:
    open_text = gzip.open if path.suffix == ".gz" else open
    return open_text(path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline="")


def read_header(file: FoundFile) -> tuple[str, ...]:
    """The column names, trimmed, ``column3`` for a nameless third; nothing when the file holds nothing.

    Raises InputError when the file is not text in UTF-8, is no gzip file, or names a column twice.
    """
    try:
        with _open(file.path) as stream:
            names = [name.strip() for name in next(csv.reader(stream), [])]
    except (OSError, EOFError, zlib.error, csv.Error) as error:
        raise InputError(f"{file.label} cannot be read: {error}") from None
    if not all(name.isprintable() for name in names):
        raise InputError(f"{file.label} has a header that is not UTF-8 text; write the file as UTF-8")
    named = tuple(name or f"column{number}" for number, name in enumerate(names, start=1))
    folded = [name.casefold() for name in named]  # SQL does not tell ID from id
    twice = [name for number, name in enumerate(named) if folded[number] in folded[:number]]
    if twice:
        raise InputError(f"{file.label} names column {twice[0]} twice; each column must have its own name")
    return named if any(names) else ()


def load_csv(file: FoundFile, header: Sequence[str], target: CsvTarget) -> tuple[int, Broken]:
    """Append the file to the target; return rows loaded, and the rows that cannot be parsed.

    Raises InputError when the file cannot be read to its end.
    """
    try:
        return _load_fast(file.path, header, target), []
    except (duckdb.InvalidInputException, duckdb.IOException):
        pass  # some line is broken: find out which
    try:
        return _load_careful(file.path, header, target)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{file.label} cannot be read: {error}") from None


def _load_fast(path: Path, header: Sequence[str], target: CsvTarget) -> int:
    types = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(header)))
    picked = "".join(f", c{header.index(name)}" for name in target.columns)
    names = "".join(f", {ident(name)}" for name in target.columns)
    loaded = target.con.execute(
        f"INSERT INTO {ident(target.into)} (_file, _row{names}) "
        f"SELECT {target.number}, row_number() OVER (){picked} "
        f"FROM read_csv({literal(str(path))}, header=true, "
        "auto_detect=false, strict_mode=true, delim=',', quote='\"', escape='\"', nullstr='', "
        f"allow_quoted_nulls=true, hive_partitioning=false, columns={{{types}}})"
    ).fetchall()
    return int(loaded[0][0])


def _load_careful(path: Path, header: Sequence[str], target: CsvTarget) -> tuple[int, Broken]:
    wanted = [header.index(name) for name in target.columns]
    broken: Broken = []
    rows: list[list[object]] = []
    loaded = 0
    with _open(path) as stream:
        for row, (record, wrong) in enumerate(_records(stream, len(header)), start=1):
            if wrong:
                broken.append((row, wrong))
                continue
            rows.append([row, *(record[place] or None for place in wanted)])
            loaded += 1
            if len(rows) == _CHUNK_ROWS:
                _append(target, rows)
                rows = []
    _append(target, rows)
    return loaded, broken


def _append(target: CsvTarget, rows: Sequence[Sequence[object]]) -> None:
    columns = list(zip(*rows, strict=True)) or [()] * (len(target.columns) + 1)
    arrays = [pa.array(columns[0], pa.int64()), *(pa.array(values, pa.string()) for values in columns[1:])]
    target.con.register("ingest_chunk", pa.table(arrays, names=["_row", *target.columns]))
    target.con.execute(
        f"INSERT INTO {ident(target.into)} BY NAME SELECT {target.number} AS _file, * FROM ingest_chunk"
    )
    target.con.unregister("ingest_chunk")


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
