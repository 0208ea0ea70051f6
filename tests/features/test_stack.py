"""What is picked from an array is what would be put together from columns."""

from __future__ import annotations

import numpy as np

from features.stack import Names, Stack, stacked

ONE = Stack(Names(["a", "b"]), np.array([[1.0, 2.0], [3.0, np.nan]]))
OTHER = Stack(Names(["c", "a"]), np.array([[5.0, 6.0], [7.0, 8.0]]))


def test_picked_columns_are_those_that_a_dictionary_would_give() -> None:
    both = Stack.together(ONE, OTHER)
    wanted = ("c", "unknown", "a", "b", "c")
    assert {**both}.keys() == {"a", "b", "c"}
    for names in (wanted, wanted[::-1], ("unknown",), ()):
        np.testing.assert_array_equal(stacked(both, names, 2), stacked({**both}, names, 2))


def test_of_columns_with_one_name_the_last_counts() -> None:
    both = Stack.together(ONE, OTHER)
    assert both["a"].tolist() == [7.0, 8.0]
    assert stacked(both, ("a",), 2).tolist() == [[7.0, 8.0]]


def test_what_is_picked_can_be_changed() -> None:
    stacked(ONE, ("a",), 2)[:] = 0.0
    assert ONE["a"].tolist() == [1.0, 2.0]


def test_an_empty_stack_has_nothing_of_no_order() -> None:
    assert stacked(Stack(Names(["a"]), np.empty((1, 0))), ("a", "b"), 0).shape == (2, 0)
