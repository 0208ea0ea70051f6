"""From a raw table to a clean one: rules, duplicates and rejects, set-wise.

A table that breaks no rule costs one aggregate query and the query that writes it. Only a table with a
broken rule or a repeated key is looked at row by row, and still inside DuckDB.
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
import numpy as np

from detector.contract import Table
from detector.ingest.checked import (
    checked_sql,
    key_columns,
    key_text,
    label_sql,
    masked_sql,
    rejects_sql,
    text_columns,
    verdict_sql,
)
from detector.ingest.sqltext import ident, idents, literal
from detector.ingest.types import RawTable, TableCount

__all__ = ["clean_table"]

_DROPPED = "ingest_dropped"
_REPEATS = "ingest_repeats"
_REPEATED = "an earlier row has this key and other content; it stays, as a key must be unique"


def clean_table(
    con: duckdb.DuckDBPyConnection, table: Table, raw: RawTable
) -> tuple[TableCount, Mapping[str, int]]:
    """Write the clean ``table`` from ``raw``, add to ``rejects``; return counts and masked per column.

    Rows that break a rule are rejected one by one; duplicates are looked for among the others.
    """
    texts = text_columns(table, raw)
    rows, broken, *cleared = _numbers(con, verdict_sql(table, raw))
    untidy = {name for name, count in zip(texts, cleared, strict=True) if count}
    checked = checked_sql(table, raw, tidy=set(texts) - untidy)
    duplicates = conflicts = 0
    con.execute(f"CREATE OR REPLACE TEMP TABLE {_DROPPED} (_file INTEGER, _row BIGINT)")
    if broken:
        con.execute(f"INSERT INTO {_DROPPED} SELECT _file, _row FROM {checked} WHERE _broken IS NOT NULL")
        for part in raw.parts:
            con.execute(rejects_sql(table, raw, part, _DROPPED))
    if _some_repeat(con, table, checked):
        duplicates, conflicts = _drop_repeats(con, table, raw, checked)
    _write(con, table, checked, _kept(broken > 0, duplicates + conflicts > 0))
    con.execute(f"DROP TABLE {_DROPPED}")
    masked = con.execute(masked_sql(table, raw, untidy)).fetchall() if untidy else []
    kept = rows - broken - conflicts - duplicates
    count = TableCount(rows + raw.unparsable, kept, broken + conflicts + raw.unparsable, duplicates)
    return count, {f"{table.name}.{name}": int(number) for name, number in masked}


def _numbers(con: duckdb.DuckDBPyConnection, sql: str) -> list[int]:
    return [int(value) for value in con.execute(sql).fetchall()[0]]


def _some_repeat(con: duckdb.DuckDBPyConnection, table: Table, checked: str) -> bool:
    """Whether two rows may have one key: numpy sorts millions of hashes faster than the engine counts them.

    A collision, or a broken row's key, only sends the table down the exact path.
    """
    hashes = con.execute(f"SELECT hash({idents(key_columns(table))}) AS key FROM {checked}").fetchnumpy()
    keys = np.sort(np.asarray(hashes["key"]))
    return bool((keys[1:] == keys[:-1]).any())


def _drop_repeats(
    con: duckdb.DuckDBPyConnection, table: Table, raw: RawTable, checked: str
) -> tuple[int, int]:
    """Mark every row but the first of a repeated key; return (exact duplicates, conflicts)."""
    key = idents(key_columns(table))
    hashed = f"hash({key})"
    again = f"SELECT {hashed} FROM {checked} WHERE _broken IS NULL GROUP BY ALL HAVING count(*) > 1"
    content = f"row({idents(table.column_names)})"
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE {_REPEATS} AS SELECT * FROM (SELECT _file, _row, {key}, "
        "row_number() OVER same AS nth, "
        f"{content} IS NOT DISTINCT FROM first_value({content}) OVER same AS exact "
        f"FROM {checked} WHERE _broken IS NULL AND {hashed} IN ({again}) "
        f"WINDOW same AS (PARTITION BY {key} ORDER BY _file, _row)) WHERE nth > 1"
    )
    con.execute(f"INSERT INTO {_DROPPED} SELECT _file, _row FROM {_REPEATS}")
    con.execute(
        f"INSERT INTO rejects SELECT {literal(table.name)}, {label_sql(raw)}, _row, {key_text(table.key)}, "
        f"{literal(', '.join(table.key))}, {literal(_REPEATED)} FROM {_REPEATS} WHERE NOT exact"
    )
    found = _numbers(con, f"SELECT count(*) FILTER (exact), count(*) FILTER (NOT exact) FROM {_REPEATS}")
    con.execute(f"DROP TABLE {_REPEATS}")
    return found[0], found[1]


def _kept(broken: bool, repeated: bool) -> str:
    """What follows FROM to keep the good rows; a rule is asked again more cheaply than a list of rows."""
    if repeated:
        return f" ANTI JOIN {_DROPPED} USING (_file, _row)"
    return " WHERE _broken IS NULL" if broken else ""


def _write(con: duckdb.DuckDBPyConnection, table: Table, checked: str, kept: str) -> None:
    """Write the clean table, orders in canonical order with their rank."""
    rows = f"SELECT {idents(table.column_names)} FROM {checked}{kept}"
    if table.name == "orders":
        ranked = "CAST(row_number() OVER () - 1 AS INTEGER) AS o"
        rows = f"SELECT *, {ranked} FROM ({rows} ORDER BY created_at, order_id)"
    con.execute(f"CREATE OR REPLACE TABLE {ident(table.name)} AS {rows}")
