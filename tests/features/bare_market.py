"""The contract's tables straight in DuckDB, without ingest: what a feature family starts from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import duckdb
import pyarrow as pa
from builders import AS_OF, Row, an_order

from detector.contract import INPUT_TABLES, arrow_schema

Link = tuple[str, str, str, str, float]
"""kind_a, id_a, kind_b, id_b, strength."""


def bare_market(
    orders: Iterable[Row],
    *,
    entities: Mapping[str, str] | None = None,
    links: Iterable[Link] = (),
    **tables: Iterable[Row],
) -> duckdb.DuckDBPyConnection:
    """Tables of the rows given; a buyer is its own entity unless ``entities`` says whose it is."""
    con = duckdb.connect()
    con.execute("SET threads = 1; SET timezone = 'UTC'")
    numbered = [{"order_id": f"o{n:04d}"} | an_order() | row for n, row in enumerate(orders, start=1)]
    for name, table in INPUT_TABLES.items():
        rows = numbered if name == "orders" else list(tables.get(name, ()))
        con.register("rows_given", pa.Table.from_pylist(rows, arrow_schema(table)))
        times = ", ".join(f"{c.name}::TIMESTAMP AS {c.name}" for c in table.columns if c.kind == "timestamp")
        con.execute(
            f"CREATE TABLE {name} AS SELECT * {f'REPLACE ({times})' if times else ''} FROM rows_given"
        )
        con.unregister("rows_given")
    con.execute("ALTER TABLE orders RENAME TO unranked")
    con.execute("""
        CREATE TABLE orders AS
        SELECT *, (row_number() OVER (ORDER BY created_at, order_id) - 1)::INTEGER AS o FROM unranked;
        DROP TABLE unranked;
        CREATE TABLE related_accounts
            (kind_a VARCHAR, id_a VARCHAR, kind_b VARCHAR, id_b VARCHAR, strength DOUBLE, via VARCHAR)
    """)
    buyers = sorted({row["buyer_id"] for row in numbered})
    whose = pa.table({"buyer_id": buyers, "entity_id": [(entities or {}).get(b, b) for b in buyers]})
    con.register("whose_given", whose)
    con.execute("CREATE TABLE buyer_entity AS SELECT *, 1::BIGINT AS entity_size FROM whose_given")
    con.unregister("whose_given")
    for link in links:
        con.execute(
            "INSERT INTO related_accounts VALUES ($1, $2, $3, $4, $5, 'device'), ($3, $4, $1, $2, $5, 'device')",
            list(link),
        )
    return con


def computed(family: Any, con: duckdb.DuckDBPyConnection) -> dict[str, dict[str, float | None]]:
    """Order id → feature → value after the family ran; checks that it leaves nothing else behind."""
    before = _tables(con)
    family.compute(con, AS_OF)
    table = f"f_{family.__name__.rsplit('.', 1)[-1]}"
    columns = [row[0] for row in con.execute(f"SELECT column_name FROM (DESCRIBE {table})").fetchall()]
    assert columns == ["o", *(feature.name for feature in family.FEATURES)]
    assert _tables(con) - before <= {table, "order_review_cluster"}
    rows = con.execute(
        f"SELECT order_id, f.* EXCLUDE (o) FROM orders LEFT JOIN {table} f USING (o)"
    ).fetchall()
    return {row[0]: dict(zip(columns[1:], row[1:], strict=True)) for row in rows}


def _tables(con: duckdb.DuckDBPyConnection) -> set[str]:
    return {name for (name,) in con.execute("SELECT table_name FROM duckdb_tables()").fetchall()}


def value(found: Mapping[str, Mapping[str, float | None]], order_id: str, name: str) -> float:
    """A feature that must be known."""
    known = found[order_id][name]
    assert known is not None, name
    return known
