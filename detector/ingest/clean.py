"""From a raw table to a clean one: rules, duplicates and rejects, set-wise.

A table that breaks no rule costs one aggregate query and the query that writes it. Only a table with a
broken rule or a repeated key is looked at row by row, and still inside DuckDB.
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from detector.contract import Column, Table
from detector.ingest.checks import SQL_TYPES, ColumnSql, column_sql
from detector.ingest.sqltext import ident, idents, literal, literals
from detector.ingest.types import RawPart, RawTable, TableCount

__all__ = ["clean_table", "create_rejects"]

_CHECKED = "ingest_checked"
_DROPPED = "ingest_dropped"


def create_rejects(con: duckdb.DuckDBPyConnection) -> None:
    """Create the empty ``rejects`` table."""
    con.execute(
        'CREATE OR REPLACE TABLE rejects ("table" VARCHAR, "file" VARCHAR, "row" BIGINT, "key" VARCHAR, '
        '"column" VARCHAR, "reason" VARCHAR)'
    )


def clean_table(
    con: duckdb.DuckDBPyConnection, table: Table, raw: RawTable
) -> tuple[TableCount, Mapping[str, int]]:
    """Write the clean ``table`` from ``raw``, add to ``rejects``; return counts and masked per column."""
    con.execute(f"CREATE OR REPLACE TEMP VIEW {_CHECKED} AS {_checked(table, raw)}")
    rows, broken, distinct, *masked = _first(con, _verdict_sql(table, raw))
    con.execute(f"CREATE OR REPLACE TEMP TABLE {_DROPPED} (_file INTEGER, _row BIGINT)")
    duplicates = conflicts = 0
    if broken:
        _reject_broken(con, table, raw)
    if distinct < rows - broken:
        duplicates, conflicts = _drop_repeats(con, table, raw)
    _write(con, table, keep_all=not (broken or duplicates or conflicts))
    con.execute(f"DROP TABLE {_DROPPED}")
    con.execute(f"DROP VIEW {_CHECKED}")
    rejected = broken + conflicts + raw.unparsable
    kept = rows - broken - conflicts - duplicates
    columns = [column.name for column in table.columns if _can_be_masked(column)]
    return TableCount(rows + raw.unparsable, kept, rejected, duplicates), {
        f"{table.name}.{name}": count for name, count in zip(columns, masked, strict=True) if count
    }


def _first(con: duckdb.DuckDBPyConnection, sql: str) -> tuple[int, ...]:
    row = con.execute(sql).fetchone()
    return tuple(int(value) for value in row) if row else ()


def _compiled(table: Table, part: RawPart) -> list[tuple[Column, ColumnSql]]:
    return [
        (column, column_sql(column, part.types[column.name]))
        for column in table.columns
        if column.name in part.types
    ]


def _can_be_masked(column: Column) -> bool:
    return column_sql(column, "VARCHAR").masked is not None


def _checked(table: Table, raw: RawTable) -> str:
    """All parts, typed, with ``_broken``: the number of the first broken rule, null where none is."""
    return " UNION ALL ".join(_checked_part(table, part) for part in raw.parts)


def _checked_part(table: Table, part: RawPart) -> str:
    sqls = {column.name: sql for column, sql in _compiled(table, part)}
    selected = []
    for column in table.columns:
        sql = sqls.get(column.name)
        value = sql.value if sql else f"CAST(NULL AS {SQL_TYPES[column.kind]})"
        selected.append(f"{value} AS {ident(column.name)}")
        if _can_be_masked(column):
            selected.append(
                f"{sql.masked if sql and sql.masked else 'false'} AS {ident('_masked_' + column.name)}"
            )
    rules = [broken for sql in sqls.values() for broken, _ in sql.rules]
    cases = " ".join(f"WHEN {broken} THEN {number}" for number, broken in enumerate(rules))
    selected.append(f"CAST({f'CASE {cases} END' if cases else 'NULL'} AS SMALLINT) AS _broken")
    return f"SELECT _file, _row, {', '.join(selected)} FROM {part.relation}"


def _key_columns(table: Table) -> tuple[str, ...]:
    return table.key or table.column_names


def _verdict_sql(table: Table, raw: RawTable) -> str:
    """One pass over the table: rows, broken rows, distinct keys among the good ones, masked values.

    Keys are counted by a 64-bit hash. A collision only sends the table down the exact path.
    """
    counts = ["count(*)", "count(_broken)"]
    counts.append(f"count(DISTINCT hash({idents(_key_columns(table))})) FILTER (_broken IS NULL)")
    counts += [
        f"count(*) FILTER ({ident('_masked_' + column.name)} AND _broken IS NULL)"
        for column in table.columns
        if _can_be_masked(column)
    ]
    return f"SELECT {', '.join(counts)} FROM {_CHECKED}"


def _reject_broken(con: duckdb.DuckDBPyConnection, table: Table, raw: RawTable) -> None:
    con.execute(f"INSERT INTO {_DROPPED} SELECT _file, _row FROM {_CHECKED} WHERE _broken IS NOT NULL")
    for part in raw.parts:
        con.execute(_rejects_sql(table, raw, part))


def _rejects_sql(table: Table, raw: RawTable, part: RawPart) -> str:
    named = [(column.name, rule) for column, sql in _compiled(table, part) for rule in sql.rules]
    which = "CASE " + " ".join(f"WHEN {rule[0]} THEN {literal(name)}" for name, rule in named) + " END"
    why = "CASE " + " ".join(f"WHEN {rule[0]} THEN {rule[1]}" for name, rule in named) + " END"
    types = {name: sql_type for name, sql_type in part.types.items() if name in table.key}
    return (
        f"INSERT INTO rejects SELECT {literal(table.name)}, {_label(raw)}, _row, {_key_text(types)}, "
        f"{which}, {why} "
        f"FROM {part.relation} SEMI JOIN {_DROPPED} USING (_file, _row)"
    )


def _label(raw: RawTable) -> str:
    return f"[{literals(raw.files)}][_file + 1]"


def _key_text(names: Mapping[str, str]) -> str:
    """The key as text, parts joined by a comma; an identity value stays out of what is written."""
    parts = [f"CAST({ident(name)} AS VARCHAR)" for name in names if name != "identifier_value"]
    return f"concat_ws(', ', {', '.join(parts)})" if parts else "NULL"


def _drop_repeats(con: duckdb.DuckDBPyConnection, table: Table, raw: RawTable) -> tuple[int, int]:
    """Mark every row but the first of a repeated key; return (exact duplicates, conflicts)."""
    key = idents(_key_columns(table))
    hashed = f"hash({key})"
    again = f"SELECT {hashed} FROM {_CHECKED} WHERE _broken IS NULL GROUP BY ALL HAVING count(*) > 1"
    content = f"row({idents(table.column_names)})"
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE ingest_repeats AS SELECT * FROM (SELECT _file, _row, {key}, "
        f"row_number() OVER same AS nth, "
        f"{content} IS NOT DISTINCT FROM first_value({content}) OVER same AS exact "
        f"FROM {_CHECKED} WHERE _broken IS NULL AND {hashed} IN ({again}) "
        f"WINDOW same AS (PARTITION BY {key} ORDER BY _file, _row)) WHERE nth > 1"
    )
    con.execute(f"INSERT INTO {_DROPPED} SELECT _file, _row FROM ingest_repeats")
    reason = literal("another row with this key and different content came first; a key must be unique")
    con.execute(
        f"INSERT INTO rejects SELECT {literal(table.name)}, {_label(raw)}, _row, "
        f"{_key_text(dict.fromkeys(table.key, ''))}, {literal(', '.join(table.key))}, {reason} "
        "FROM ingest_repeats WHERE NOT exact"
    )
    found = _first(con, "SELECT count(*) FILTER (exact), count(*) FILTER (NOT exact) FROM ingest_repeats")
    con.execute("DROP TABLE ingest_repeats")
    return found[0], found[1]


def _write(con: duckdb.DuckDBPyConnection, table: Table, keep_all: bool) -> None:
    """Write the clean table in its canonical order, so that nothing depends on the order of the input."""
    dropped = "" if keep_all else f" ANTI JOIN {_DROPPED} USING (_file, _row)"
    order = "created_at, order_id" if table.name == "orders" else idents(_key_columns(table))
    rank = ", CAST(row_number() OVER () - 1 AS INTEGER) AS o" if table.name == "orders" else ""
    rows = f"SELECT {idents(table.column_names)} FROM {_CHECKED}{dropped} ORDER BY {order}"
    con.execute(f"CREATE OR REPLACE TABLE {ident(table.name)} AS SELECT *{rank} FROM ({rows})")
