"""Every feature there is, in one list: the names that rules, models, reports and look-ups may use."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from features import (
    affiliate,
    graph,
    habits,
    hallmarks,
    homes,
    identity,
    neighbours,
    promotion,
    rebuyers,
    related,
    repeat,
    reviews,
    tracking,
    velocity,
)
from features.declare import Feature

CATALOG: dict[str, Feature] = {
    feature.name: feature
    for family in (
        velocity, identity, related, homes, repeat, rebuyers, graph, tracking, reviews, promotion, affiliate, habits,
        neighbours, hallmarks,
    )
    for feature in family.FEATURES
}  # fmt: skip
"""Feature name → declaration."""

OBSERVED: frozenset[str] = frozenset(
    CATALOG.keys() - {feature.name for feature in (*neighbours.FEATURES, *hallmarks.FEATURES)}
)
"""What rules may ask for: the lifts of neighbours and the hallmarks come from what the rules found."""


def missing_inputs(feature: Feature, present: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """Input columns (``table.column``) that the feature needs and the input does not have.

    >>> missing_inputs(CATALOG["buyer_age_days"], {"buyers": {"buyer_id"}})
    ('buyers.registered_at',)
    """
    return tuple(
        need for need in feature.needs if need.split(".")[1] not in present.get(need.split(".")[0], ())
    )
