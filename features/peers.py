"""How surprising a fact of one order is among comparable orders of other sellers.

A fact is a level, 0 (nothing) upwards, more suspicious as it grows. Its surprise is ``-log10`` of the share
of comparable orders that reach the level: 2 means one in a hundred. What a courier's outage, a feed in local
time, a wrong pattern or a sleepy depot does to everybody is therefore no surprise for anybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

__all__ = ["Fact", "add_surprise"]

COHORT_PRIOR = 10
"""A cohort's own share weighs as much as the market's once it holds this many other orders."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact of an order and whom to compare it with.

    Attributes
    ----------
    name
        Column of the result.
    level
        SQL over the source table: a small integer from 0, null where not known (the order is then left out).
    cohorts
        SQL keys. The order must stand out in each of them: the least surprise counts.
    parent
        SQL key of the wider group that a small cohort leans on.
    """

    name: str
    level: str
    cohorts: tuple[str, ...]
    parent: str = "0"


def add_surprise(con: duckdb.DuckDBPyConnection, source: str, result: str, facts: Sequence[Fact]) -> None:
    """Create ``result``: ``o`` and one column per fact, the surprise in powers of ten, null where not known.

    ``source`` has one row per order with ``o`` and ``seller`` (BIGINT) besides what the facts name. The
    orders of the order's own seller are left out of every share; without any other order nothing is
    surprising.
    """
    for fact in facts:
        _surprising_orders(con, source, fact)
    columns = (
        f"CASE WHEN ({fact.level}) IS NOT NULL THEN coalesce(peer_{fact.name}.value, 0.0) END AS {fact.name}"
        for fact in facts
    )
    joins = (f"LEFT JOIN peer_{fact.name} ON peer_{fact.name}.o = s.o" for fact in facts)
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE {result} AS SELECT s.o, {', '.join(columns)} FROM {source} s {' '.join(joins)}"
    )
    for fact in facts:
        con.execute(f"DROP TABLE peer_{fact.name}")


def _surprising_orders(con: duckdb.DuckDBPyConnection, source: str, fact: Fact) -> None:
    """Create ``peer_<name>``: surprise of the orders above level 0."""
    keys = {"parent": fact.parent, **{f"cohort_{i}": key for i, key in enumerate(fact.cohorts)}}
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE peer_level AS
        SELECT o, seller, {fact.level} AS level, {", ".join(f"hash({sql}) AS {key}" for key, sql in keys.items())}
        FROM {source} WHERE ({fact.level}) IS NOT NULL
    """)
    for key in keys:
        con.execute(_tail_sql(f"peer_by_{key}", key))
    cohorts = [key for key in keys if key != "parent"]
    shares = ", ".join(
        f"({key}.reached + {COHORT_PRIOR} * (p.reached + 1.0) / (p.others + 1.0)) / ({key}.others + {COHORT_PRIOR})"
        for key in cohorts
    )
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE peer_{fact.name} AS
        SELECT o, 0.0 - log10(greatest({shares}))::DOUBLE AS value
        FROM peer_by_parent p {" ".join(f"JOIN peer_by_{key} {key} USING (o)" for key in cohorts)}
    """)
    for table in ("peer_level", *(f"peer_by_{key}" for key in keys)):
        con.execute(f"DROP TABLE {table}")


def _tail_sql(table: str, key: str) -> str:
    """Per order above level 0: other sellers' orders under the key, and how many reach its level."""
    return f"""
        CREATE OR REPLACE TEMP TABLE {table} AS
        WITH size AS (SELECT {key}, seller, count(*) AS n FROM peer_level GROUP BY ALL),
        total AS (SELECT {key}, sum(n) AS n FROM size GROUP BY ALL),
        high AS (SELECT {key}, seller, level, count(*) AS n FROM peer_level WHERE level > 0 GROUP BY ALL),
        mine AS (SELECT {key}, seller, level, sum(n) OVER (
                     PARTITION BY {key}, seller ORDER BY level DESC) AS n FROM high),
        everyone AS (SELECT DISTINCT {key}, level, sum(n) OVER (
                     PARTITION BY {key} ORDER BY level DESC) AS n FROM high)
        SELECT o, (total.n - size.n)::DOUBLE AS others, (everyone.n - mine.n)::DOUBLE AS reached
        FROM peer_level l JOIN size USING ({key}, seller) JOIN total USING ({key})
        JOIN mine USING ({key}, seller, level) JOIN everyone USING ({key}, level)
        WHERE l.level > 0
    """
