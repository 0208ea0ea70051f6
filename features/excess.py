"""How surprising a group's count is beside a comparable population.

A seller, an account or a creator is compared with what the market did in the same cells (day, channel,
category …), its own orders left out. Genuine groups differ from each other, so chance is not Poisson but
negative binomial with a spread estimated from the market itself: a count is surprising only where few
comparable groups would reach it.
"""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import betainc

__all__ = ["add_surprise", "add_surprise_apart", "estimate_spread", "surprise"]

F64 = npt.NDArray[np.float64]

MAX_SURPRISE = 12.0
_CELL_WEIGHT = 30.0
"""A cell's own rate weighs as much as the market's once it holds this many other orders."""
_MIN_SPREAD, _MAX_SPREAD = 0.3, 50.0


def surprise(count: npt.ArrayLike, expected: npt.ArrayLike, spread: npt.ArrayLike) -> F64:
    """How many powers of ten against: ``-log10 P(K >= count)``, K negative binomial.

    Parameters
    ----------
    count, expected
        Hits seen and hits expected; arrays that broadcast.
    spread
        Size parameter of the negative binomial; variance is ``expected + expected² / spread``.

    Returns
    -------
    float64 array, 0 (nothing unusual) to 12 (higher is more suspicious); NaN where an input is NaN.

    >>> surprise([0, 3], [0.5, 0.5], 2.0).round(2)
    array([0.  , 1.57])
    """
    k, e, a = np.broadcast_arrays(*(np.asarray(x, dtype=np.float64) for x in (count, expected, spread)))
    result = np.where(np.isnan(k + e + a), np.nan, 0.0)
    seen = np.flatnonzero(k.ravel() > 0)
    k, e, a = k.ravel()[seen], np.maximum(e.ravel()[seen], 1e-9), a.ravel()[seen]
    result.ravel()[seen] = -np.log10(np.clip(betainc(k, a, e / (e + a)), 10.0**-MAX_SURPRISE, 1.0)) + 0.0
    return result


def estimate_spread(count: F64, expected: F64) -> float:
    """Spread of genuine groups, by moments, the two percent that stand out most left out.

    The outliers are what is looked for; left in, a few of them would make every excess look normal.
    """
    usable = expected > 0
    k, e = count[usable], expected[usable]
    if len(k) < 20:
        return 1.0
    far = np.abs(k - e) / np.sqrt(e + e * e)
    kept = far <= np.quantile(far, 0.98)
    excess = float(np.sum((k[kept] - e[kept]) ** 2 - e[kept]))
    return float(np.clip(np.sum(e[kept] ** 2) / max(excess, 1e-9), _MIN_SPREAD, _MAX_SPREAD))


def add_surprise(con: duckdb.DuckDBPyConnection, source: str, result: str) -> None:
    """Per row, how surprising the hits of the *other* rows of its group are.

    Parameters
    ----------
    source
        Table with ``o``, ``key`` (the group), ``cell`` (what it is comparable to) and ``hit`` (BOOLEAN).
        Rows with a null key, cell or hit are left out.
    result
        Table to create: ``o`` and ``value`` (``surprise`` with this row left out; null where the group has
        no other row).

    Notes
    -----
    The chance of a hit is the cell's rate without the group's own rows, shrunk to the market's rate.
    Chances are summed as integer millionths, so the result does not depend on the order of the sum.
    Groups are told apart by the 64-bit hash of their key.
    """
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE excess_group AS
        WITH pool AS (
            SELECT hash(key) AS key, cell, count(*) AS n, count(*) FILTER (hit) AS k FROM {source}
            WHERE key IS NOT NULL AND cell IS NOT NULL AND hit IS NOT NULL GROUP BY ALL),
        cells AS (SELECT cell, sum(n) AS n, sum(k) AS k FROM pool GROUP BY cell),
        market AS (SELECT sum(k) / greatest(sum(n), 1) AS rate FROM pool)
        SELECT key, sum(p.n)::BIGINT AS n, sum(p.k)::BIGINT AS k, sum(p.n * round(1e6 *
            (c.k - p.k + {_CELL_WEIGHT} * rate) / (c.n - p.n + {_CELL_WEIGHT}))::BIGINT)::BIGINT AS micro,
            row_number() OVER (ORDER BY key) - 1 AS g
        FROM pool p JOIN cells c USING (cell), market GROUP BY key
    """)
    group = con.execute("SELECT n, k, micro FROM excess_group ORDER BY g").fetchnumpy()
    values = pd.DataFrame(_left_out(group))
    con.register("excess_values", values)
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE {result} AS
        WITH valued AS (
            SELECT key, CASE WHEN n > 1 THEN if_hit END AS if_hit, CASE WHEN n > 1 THEN if_not END AS if_not
            FROM excess_group JOIN excess_values USING (g))
        SELECT s.o, CASE WHEN s.hit THEN v.if_hit ELSE v.if_not END AS value
        FROM {source} s JOIN valued v ON v.key = hash(s.key)
        WHERE s.key IS NOT NULL AND s.cell IS NOT NULL AND s.hit IS NOT NULL
    """)
    con.unregister("excess_values")
    con.execute("DROP TABLE excess_group")


def add_surprise_apart(con: duckdb.DuckDBPyConnection, source: str, result: str) -> None:
    """As ``add_surprise``, but all rows that share ``apart`` with the row are left out with it.

    ``source`` has the further column ``apart``, not null: the entity whose own orders, or the day whose
    one event, must not testify for each other.
    """
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE excess_part AS
        WITH pool AS (
            SELECT hash(key) AS key, hash(apart) AS apart, cell, count(*) AS n, count(*) FILTER (hit) AS k
            FROM {source} WHERE key IS NOT NULL AND cell IS NOT NULL AND hit IS NOT NULL GROUP BY ALL),
        own AS (SELECT key, cell, sum(n) AS n, sum(k) AS k FROM pool GROUP BY ALL),
        cells AS (SELECT cell, sum(n) AS n, sum(k) AS k FROM own GROUP BY cell),
        market AS (SELECT sum(k) / greatest(sum(n), 1) AS rate FROM cells),
        chance AS (
            SELECT key, cell, round(1e6 * (c.k - o.k + {_CELL_WEIGHT} * rate) / (c.n - o.n + {_CELL_WEIGHT}))::BIGINT
                AS micro FROM own o JOIN cells c USING (cell), market),
        part AS (
            SELECT key, apart, sum(p.n) AS n, sum(p.k) AS k, sum(p.n * micro) AS micro
            FROM pool p JOIN chance USING (key, cell) GROUP BY ALL)
        SELECT key, apart, dense_rank() OVER (ORDER BY key) - 1 AS g, k::BIGINT AS k, micro::BIGINT AS micro,
            (sum(n) OVER same - n)::BIGINT AS rest_n, (sum(k) OVER same - k)::BIGINT AS rest_k,
            (sum(micro) OVER same - micro)::BIGINT AS rest_micro, row_number() OVER (ORDER BY key, apart) - 1 AS row
        FROM part WINDOW same AS (PARTITION BY key)
    """)
    found = con.execute("SELECT * EXCLUDE (key, apart) FROM excess_part ORDER BY row").fetchnumpy()
    c = {name: np.asarray(values, dtype=np.float64) for name, values in found.items()}
    g = c["g"].astype(np.int64)
    seen, chance = (np.asarray(np.bincount(g, c[name]), dtype=np.float64) for name in ("k", "micro"))
    spread = estimate_spread(seen, chance / 1e6)
    value = surprise(c["rest_k"], c["rest_micro"] / 1e6, spread)
    con.register("excess_values", pd.DataFrame({"row": c["row"].astype(np.int64), "value": value}))
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE {result} AS
        SELECT s.o, CASE WHEN rest_n > 0 THEN v.value END AS value
        FROM {source} s JOIN excess_part p ON p.key = hash(s.key) AND p.apart = hash(s.apart)
        JOIN excess_values v USING (row) WHERE s.key IS NOT NULL AND s.cell IS NOT NULL AND s.hit IS NOT NULL
    """)
    con.unregister("excess_values")
    con.execute("DROP TABLE excess_part")


def _left_out(group: dict[str, Any]) -> dict[str, npt.NDArray[Any]]:
    """Per group the surprise of the rest for a row that is a hit and for one that is not."""
    n, k, e = (np.asarray(group[c], dtype=np.float64) for c in ("n", "k", "micro"))
    e = e / 1e6
    spread = estimate_spread(k, e)
    rest = e * (n - 1) / np.maximum(n, 1)
    return {
        "g": np.arange(len(n)),
        "if_hit": surprise(k - 1, rest, spread),
        "if_not": surprise(k, rest, spread),
    }
