"""Look-up keys: every snapshot feature has one, of columns that an order has."""

from __future__ import annotations

import pytest

from detector.contract import ORDERS
from features.catalog import CATALOG
from features.keys import _OTHERWISE, DERIVED, lookup_key


@pytest.mark.parametrize("name", [name for name, feature in CATALOG.items() if feature.kind == "snapshot"])
def test_a_key_is_made_of_columns_of_an_order(name: str) -> None:
    key = lookup_key(CATALOG[name])
    assert key
    assert set(key) <= {*ORDERS.column_names, *DERIVED}


def test_only_snapshot_features_have_a_key_of_their_own_and_one_each() -> None:
    named = [name for names in _OTHERWISE.values() for name in names]
    assert len(named) == len(set(named))
    assert {CATALOG[name].kind for name in named} == {"snapshot"}
