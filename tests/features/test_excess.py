"""Surprise of a group's count beside comparable groups."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from math import log10

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import nbinom

from features.excess import MAX_SURPRISE, add_surprise, add_surprise_apart, estimate_spread, surprise

Row = tuple[int, str, str, bool, str]
"""o, key, cell, hit, apart."""


@given(st.integers(0, 60), st.floats(0.001, 40), st.floats(0.3, 50))
def test_surprise_is_the_tail_of_the_negative_binomial(count: int, expected: float, spread: float) -> None:
    tail = float(nbinom.sf(count - 1, spread, spread / (spread + expected)))
    exact = min(-log10(max(tail, 1e-300)), MAX_SURPRISE)
    assert float(surprise(count, expected, spread)) == pytest.approx(exact, abs=1e-6)


def test_surprise_keeps_the_unknown_unknown() -> None:
    assert np.isnan(surprise([np.nan, 3.0, 0.0], [1.0, np.nan, np.nan], 2.0)).all()


def test_the_spread_of_genuine_groups_is_found_among_a_few_monsters() -> None:
    rng = np.random.default_rng(3)
    expected = rng.uniform(1, 30, 4000)
    count = rng.poisson(expected * rng.gamma(4.0, 0.25, 4000)).astype(float)
    assert estimate_spread(count, expected) == pytest.approx(4.0, rel=0.35)
    count[:20] = 40 * expected[:20]
    assert estimate_spread(count, expected) == pytest.approx(4.0, rel=0.35)


def rows_of_a_market(seed: int) -> list[Row]:
    rng = random.Random(seed)
    rows = []
    for o in range(600):
        key, cell = f"s{rng.randrange(30)}", f"day {rng.randrange(5)}"
        chance = 0.7 if key == "s3" else 0.15
        rows.append((o, key, cell, rng.random() < chance, f"b{rng.randrange(90)}"))
    return rows


def slow(rows: list[Row], apart: bool) -> dict[int, float | None]:
    """The same by the definition, one row at a time."""
    rate = sum(hit for *_, hit, _ in rows) / len(rows)
    cells: dict[str, Counter[bool]] = defaultdict(Counter)
    own: dict[tuple[str, str], Counter[bool]] = defaultdict(Counter)
    for _, key, cell, hit, _ in rows:
        cells[cell][hit] += 1
        own[key, cell][hit] += 1

    def chance(key: str, cell: str) -> float:
        mine = own[key, cell]
        k, n = cells[cell][True] - mine[True], cells[cell].total() - mine.total()
        return (k + 30 * rate) / (n + 30)

    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[1]].append(row)
    seen = np.array([sum(r[3] for r in group) for group in groups.values()], float)
    awaited = np.array([sum(chance(r[1], r[2]) for r in group) for group in groups.values()])
    spread = estimate_spread(seen, awaited)
    found: dict[int, float | None] = {}
    for row in rows:
        group = groups[row[1]]
        others = [r for r in group if (r[4] != row[4] if apart else r[0] != row[0])]
        if apart:
            expected = sum(chance(r[1], r[2]) for r in others)
        else:
            expected = sum(chance(r[1], r[2]) for r in group) * (len(group) - 1) / len(group)
        found[row[0]] = float(surprise(sum(r[3] for r in others), expected, spread)) if others else None
    return found


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_fast_way_is_the_definition(seed: int, apart: bool) -> None:
    rows = rows_of_a_market(seed)
    con = duckdb.connect()
    con.register("given", pd.DataFrame(rows, columns=["o", "key", "cell", "hit", "apart"]))
    con.execute("CREATE TABLE source AS FROM given")
    (add_surprise_apart if apart else add_surprise)(con, "source", "result")
    fast = dict(con.execute("SELECT o, value FROM result").fetchall())
    exact = slow(rows, apart)
    assert fast.keys() == exact.keys()
    assert all(fast[o] == pytest.approx(exact[o], abs=1e-4) for o in fast)
    lifted = {o for o, key, *_ in rows if key == "s3"}
    assert min(fast[o] for o in lifted) > max(1.5, *(fast[o] for o in fast.keys() - lifted))


def test_rows_without_key_cell_or_fact_are_left_out_and_a_lone_row_is_unknown() -> None:
    con = duckdb.connect()
    con.execute("""
        CREATE TABLE source AS SELECT * FROM (VALUES
            (0, 'a', 1, true), (1, NULL, 1, true), (2, 'b', NULL, true), (3, 'b', 1, NULL)) v(o, key, cell, hit)
    """)
    add_surprise(con, "source", "result")
    assert con.execute("FROM result").fetchall() == [(0, None)]
