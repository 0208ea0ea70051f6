"""Every scenario log gives the states that a person worked out from the policy."""

from __future__ import annotations

import pytest
from enforcement_scenarios import Scenario, asserted, instant, observed, scenarios

from detector.enforcement.replay import replay

ALL = list(scenarios())


def test_there_are_enough_scenarios_and_each_has_its_own_name():
    assert len(ALL) >= 60
    assert len({scenario.name for scenario in ALL}) == len(ALL)


@pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.name)
def test_scenario(scenario: Scenario):
    for expectation in scenario.expectations:
        view = replay(scenario.log, scenario.policy, instant(expectation["as_of"])).view()
        expected = asserted(expectation)
        assert {path: observed(path, view) for path in expected} == expected, expectation["as_of"]
        assert set(view["ledger"]["sum_by_currency"].values()) <= {0}
