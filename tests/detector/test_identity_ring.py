"""The identity-ring benchmark holds what the project promises."""

from __future__ import annotations

import pytest

from benchmarks.identity_ring import ring_precision


@pytest.mark.parametrize(("observed", "least"), [(1.0, 0.97), (0.5, 0.60)])
def test_a_ring_on_shared_devices_stands_out_among_households_and_hubs(observed: float, least: float) -> None:
    assert ring_precision(seed=7, observed=observed, honest=1500, sellers=150) >= least
