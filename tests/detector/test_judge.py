"""What an order is compared within, and by which of its lines, against the batch's SQL and a sorted list."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.anomaly import category_code, week_number
from detector.judge import lookup_keys

PRODUCTS = st.none() | st.sampled_from(["", "a", "ab", "b", "ü"])


@given(st.lists(st.tuples(st.integers(0, 2), PRODUCTS)))
def test_an_order_is_looked_up_by_the_least_of_its_products(told: list[tuple[int, str | None]]) -> None:
    lines: list[dict[str, Any]] = [{"o": o, "product_id": product} for o, product in told]
    keys = lookup_keys([{"order_id": str(o)} for o in range(3)], lines, ["x", None, "y"])
    for o, key in enumerate(keys):
        known = sorted(product for at, product in told if at == o and product is not None)
        assert key["product_id"] == (known[0] if known else None)
    assert [key["point_id"] for key in keys] == ["x", None, "y"]


@settings(deadline=None)
@given(st.text(max_size=8))
def test_a_category_has_the_code_it_has_in_a_scan(category: str) -> None:
    row = duckdb.execute("SELECT (md5_number_lower(?) % 2147483648)::BIGINT", [category]).fetchone()
    assert row == (category_code(category),)
    assert category_code(None) == -1


@settings(deadline=None)
@given(st.datetimes(datetime(2000, 1, 1), datetime(2040, 1, 1)))
def test_a_week_has_the_number_it_has_in_a_scan(instant: datetime) -> None:
    row = duckdb.execute("SELECT datediff('week', TIMESTAMP '1970-01-01', ?)", [instant]).fetchone()
    assert row == (week_number(instant.replace(tzinfo=UTC)),)
