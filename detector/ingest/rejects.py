"""The ``rejects`` table."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from detector.ingest.sqltext import literal

__all__ = ["add_unparsable", "create_rejects", "sort_rejects"]


def create_rejects(con: duckdb.DuckDBPyConnection) -> None:
    """Create the empty ``rejects`` table."""
    con.execute(
        'CREATE OR REPLACE TABLE rejects ("table" VARCHAR, "file" VARCHAR, "row" BIGINT, "key" VARCHAR, '
        '"column" VARCHAR, "reason" VARCHAR)'
    )


def add_unparsable(
    con: duckdb.DuckDBPyConnection, table: str, label: str, broken: Sequence[tuple[int, str]]
) -> None:
    """Add lines that cannot be parsed, as (1-based data row, reason); they have neither key nor column."""
    if not broken:
        return
    lines = pa.table({"r": [row for row, _ in broken], "why": [why for _, why in broken]})
    con.register("ingest_broken", lines)
    con.execute(
        f"INSERT INTO rejects SELECT {literal(table)}, {literal(label)}, r, NULL, NULL, why "
        "FROM ingest_broken"
    )
    con.unregister("ingest_broken")


def sort_rejects(con: duckdb.DuckDBPyConnection) -> None:
    """Put the rejects into their final order: table, file, row."""
    con.execute('CREATE OR REPLACE TABLE rejects AS FROM rejects ORDER BY "table", "file", "row"')
