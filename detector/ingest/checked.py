"""A raw table as a checked relation: SQL text only, nothing is run here."""

from __future__ import annotations

from collections.abc import Iterable, Set

from detector.contract import Column, Table
from detector.ingest.checks import SQL_TYPES, ColumnSql, column_sql
from detector.ingest.sqltext import ident, literal, literals
from detector.ingest.types import RawPart, RawTable

__all__ = [
    "checked_sql",
    "key_columns",
    "key_text",
    "label_sql",
    "masked_sql",
    "rejects_sql",
    "text_columns",
    "verdict_sql",
]


def key_columns(table: Table) -> tuple[str, ...]:
    """What makes a row unique: the key, or the whole row where there is none."""
    return table.key or table.column_names


def text_columns(table: Table, raw: RawTable) -> tuple[str, ...]:
    """The columns of the input that hold text, and so may hold blanks and masks."""
    there = {name for part in raw.parts for name in part.types}
    texts = (column.name for column in table.columns if SQL_TYPES[column.kind] == "VARCHAR")
    return tuple(name for name in texts if name in there)


def checked_sql(table: Table, raw: RawTable, tidy: Set[str] = frozenset()) -> str:
    """What can follow FROM: all parts, typed, with ``_file`` and ``_row``.

    ``_broken`` is the number of the first broken rule, null where none is; ``_cleared_NAME`` says that a
    text became null (blank or masked). Columns in ``tidy`` are known to have no such value and are taken
    as they are, which is several times faster.
    """
    parts = " UNION ALL ".join(_checked_part(table, raw, part, tidy) for part in raw.parts)
    return f"({parts})"


def _compiled(table: Table, part: RawPart) -> list[tuple[Column, ColumnSql]]:
    there = (column for column in table.columns if column.name in part.types)
    return [(column, column_sql(column, part.types[column.name])) for column in there]


def _typed_part(table: Table, part: RawPart, tidy: Set[str] = frozenset()) -> str:
    """The part with every contract column typed, and what it was as ``_raw_NAME``."""
    sqls = {column.name: sql for column, sql in _compiled(table, part)}
    values = {column.name: f"CAST(NULL AS {SQL_TYPES[column.kind]})" for column in table.columns}
    values |= {name: sql.value for name, sql in sqls.items()}
    values |= {name: ident(name) for name in tidy if part.types.get(name) == "VARCHAR"}
    selected = [f"{value} AS {ident(name)}" for name, value in values.items()]
    selected += [f"{ident(name)} AS {ident('_raw_' + name)}" for name in sqls]
    return f"(SELECT _file, _row, {', '.join(selected)} FROM {part.relation})"


def _checked_part(table: Table, raw: RawTable, part: RawPart, tidy: Set[str]) -> str:
    selected = [ident(name) for name in table.column_names]
    for name in text_columns(table, raw):
        cleared = (
            f"{ident('_raw_' + name)} IS NOT NULL AND {ident(name)} IS NULL"
            if name in part.types
            else "false"
        )
        selected.append(f"{cleared} AS {ident('_cleared_' + name)}")
    rules = [broken for _, sql in _compiled(table, part) for broken, _ in sql.rules]
    cases = " ".join(f"WHEN {broken} THEN {number}" for number, broken in enumerate(rules))
    selected.append(f"CAST({f'CASE {cases} END' if cases else 'NULL'} AS SMALLINT) AS _broken")
    return f"SELECT _file, _row, {', '.join(selected)} FROM {_typed_part(table, part, tidy)}"


def verdict_sql(table: Table, raw: RawTable) -> str:
    """One pass: rows, broken rows, cleared values per text column."""
    cleared = [f"count(*) FILTER ({ident('_cleared_' + name)})" for name in text_columns(table, raw)]
    counts = ", ".join(["count(*)", "count(_broken)", *cleared])
    return f"SELECT {counts} FROM {checked_sql(table, raw)}"


def masked_sql(table: Table, raw: RawTable, names: Set[str]) -> str:
    """Pairs (column, masked values) for those of ``names`` that can be masked."""
    counts = [
        f"SELECT {literal(column.name)} AS name, count(*) AS n FROM {_typed_part(table, part)} "
        f"WHERE {sql.masked}"
        for part in raw.parts
        for column, sql in _compiled(table, part)
        if column.name in names and sql.masked
    ]
    union = " UNION ALL ".join(counts) or "SELECT '' AS name, 0 AS n"
    return f"SELECT name, sum(n) FROM ({union}) GROUP BY name HAVING sum(n) > 0 ORDER BY name"


def rejects_sql(table: Table, raw: RawTable, part: RawPart, dropped: str) -> str:
    """Insert the broken rows of ``part``, which are listed in ``dropped``, into ``rejects``."""
    named = [(column.name, rule) for column, sql in _compiled(table, part) for rule in sql.rules]
    which = " ".join(f"WHEN {broken} THEN {literal(name)}" for name, (broken, _) in named)
    why = " ".join(f"WHEN {broken} THEN {sentence}" for _, (broken, sentence) in named)
    key = key_text(name for name in table.key if name in part.types)
    return (
        f"INSERT INTO rejects SELECT {literal(table.name)}, {label_sql(raw)}, _row, {key}, "
        f"CASE {which} END, CASE {why} END FROM {_typed_part(table, part)} "
        f"SEMI JOIN {dropped} USING (_file, _row)"
    )


def label_sql(raw: RawTable) -> str:
    """The file's label, from ``_file``."""
    return f"[{literals(raw.files)}][_file + 1]"


def key_text(names: Iterable[str]) -> str:
    """The key as text, its parts joined by a comma; an identity value stays out of what is written."""
    parts = [f"CAST({ident(name)} AS VARCHAR)" for name in names if name != "identifier_value"]
    return f"nullif(concat_ws(', ', {', '.join(parts)}), '')" if parts else "NULL"
