"""What an order's own columns say, on single orders."""

from __future__ import annotations

import numpy as np
import pytest

from features.order_steps import MONEY, STEPS, row_features, step_breach_hours, steps_skipped, subsidy_share
from features.promotion import FEATURES

NAN = float("nan")
HOUR = 3600.0


def test_subsidy_share_of_what_both_paid() -> None:
    assert [subsidy_share(900.0, 100.0), subsidy_share(0.0, 50.0)] == [0.1, 1.0]
    assert np.isnan([subsidy_share(NAN, 1.0), subsidy_share(0.0, 0.0)]).all()


@pytest.mark.parametrize(
    ("times", "hours"),
    [
        ((0, 1, 2, 3, 4), 0),
        ((0, NAN, NAN, NAN, NAN), None),
        ((0, 3, 2, 3, 3), 0),  # cash on delivery: paid late is in order
        ((0, 1, 5, 2, 6), 3),
        ((0, 1, 5, NAN, 2), 3),
        ((4, 1, 5, 6, 7), 3),
        ((0, 1, 2, 6, 4), 0),  # the buyer may confirm before the carrier's last scan
    ],
)
def test_the_worst_pair_of_steps_counts(times: tuple[float, ...], hours: float | None) -> None:
    found = step_breach_hours(*(time * HOUR for time in times))
    assert np.isnan(found) if hours is None else found == pytest.approx(hours)


@pytest.mark.parametrize(
    ("times", "missing"),
    [
        ((1, 2, 3, 4), 0),
        ((1, NAN, 3, NAN), 1),
        ((NAN, NAN, NAN, 4), 2),
        ((NAN, NAN, NAN, NAN), None),
        ((NAN, 2, 3, NAN), 0),
    ],
)
def test_missing_steps_before_arrival_are_counted(times: tuple[float, ...], missing: int | None) -> None:
    found = steps_skipped(*map(float, times))
    assert np.isnan(found) if missing is None else found == missing


def test_row_features_are_those_declared_as_such() -> None:
    names = (*STEPS, *MONEY)
    found = row_features({name: np.array([NAN]) for name in names})
    assert set(found) == {feature.name for feature in FEATURES if feature.kind == "row"}
    assert all(np.isnan(values).all() for values in found.values())
