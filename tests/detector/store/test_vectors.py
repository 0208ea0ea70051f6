"""Packed numbers come back bit by bit, short where they are null or 0."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from detector.store.vectors import pack_rows, unpack, unpack_rows

NUMBERS = st.sampled_from([np.nan, np.nan, 0.0, -0.0, 5e-324, -np.inf]) | st.floats(allow_nan=False)
WIDTHS = st.lists(st.integers(1, 9), min_size=1, max_size=4)


@given(st.data(), WIDTHS, st.integers(1, 5))
def test_rows_packed_in_parts_come_back_bit_by_bit(
    data: st.DataObject, widths: list[int], count: int
) -> None:
    rows = data.draw(arrays(np.float64, (count, sum(widths)), elements=NUMBERS))
    ends = np.cumsum(widths)
    packed = [pack_rows(part) for part in np.split(rows, ends[:-1], axis=1)]
    parts = [part for row in zip(*packed, strict=True) for part in row]
    found = unpack_rows(parts, np.array(widths))
    assert found.dtype == np.float64
    assert np.array_equal(np.isnan(found), np.isnan(rows))
    known = ~np.isnan(rows)
    assert found[known].tobytes() == rows[known].tobytes()
    assert unpack(packed[0][0], widths[0]).tobytes() == found[0, : widths[0]].tobytes()


def test_what_is_null_or_0_takes_two_bits() -> None:
    assert [
        len(row) for row in pack_rows(np.array([[np.nan, 0.0, 0.0, np.nan], [1.0, 0.0, np.nan, 2.0]]))
    ] == [1, 17]
