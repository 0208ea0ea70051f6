"""Every feature is declared well: the catalog is what rules, models, reports and look-ups may rely on."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from detector.contract import CLAUSE_IDS, INPUT_TABLES
from features import declare
from features.batch import _FAMILIES
from features.catalog import CATALOG, missing_inputs
from features.declare import Feature
from features.hallmarks import FEATURES as HALLMARK_FEATURES
from features.neighbours import FEATURES as NEIGHBOUR_FEATURES
from features.velocity import FEATURES as WINDOW_FEATURES
from features.velocity import WINDOW_HOURS

DECLARED = [
    *WINDOW_FEATURES,
    *(feature for family in _FAMILIES for feature in family.features),
    *NEIGHBOUR_FEATURES,
    *HALLMARK_FEATURES,
]
FEATURES = pytest.mark.parametrize("feature", DECLARED, ids=lambda feature: feature.name)


def test_names_are_unique_and_all_are_in_the_catalog() -> None:
    names = [feature.name for feature in DECLARED]
    assert len(names) == len(set(names))
    assert set(names) == set(CATALOG)


@FEATURES
def test_a_feature_says_what_it_is_and_when_it_is_null(feature: Feature) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*[a-z0-9]", feature.name)
    for sentence in (feature.meaning, feature.null_means):
        assert len(sentence) > 9
        assert not sentence[0].islower()
        assert sentence.endswith(".")
        assert "  " not in sentence


@FEATURES
def test_a_feature_speaks_to_a_clause_of_the_policy_or_to_none(feature: Feature) -> None:
    assert feature.clause is None or feature.clause in CLAUSE_IDS


@FEATURES
def test_a_feature_needs_columns_of_the_contract(feature: Feature) -> None:
    for need in feature.needs:
        table, column = need.split(".")
        assert column in INPUT_TABLES[table].column_names


@FEATURES
def test_a_feature_s_kind_entity_and_window_are_known(feature: Feature) -> None:
    assert feature.kind in get_args(declare.Kind)
    assert feature.entity in get_args(declare.Entity)
    assert (feature.window in WINDOW_HOURS) if feature.kind == "window" else feature.window is None


def test_missing_inputs_names_what_is_not_there() -> None:
    feature = CATALOG["postcode_focus"]
    present = {"orders": {"order_id", "ship_to_country"}}
    assert missing_inputs(feature, present) == ("orders.ship_to_postcode",)
    assert missing_inputs(feature, {}) == feature.needs
    assert missing_inputs(feature, {"orders": INPUT_TABLES["orders"].column_names}) == ()
