"""What sets the suspected orders of a shop or a ring apart from all other suspected orders.

Every kind of fake leaves side evidence: the ring that swaps praise sends light parcels as well. What was done
shows in what its orders have in common. For each finding, the rate among the group's suspected orders is
compared with the rate among all others' (a binomial log-likelihood ratio, where the group has more); summed by
clause, over the order's shop and its buyer's entity, and normalised, that is the probability of each clause.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from features.declare import Feature

__all__ = ["FEATURES", "GROUPS", "hallmark_features"]

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

GROUPS = ("seller", "entity")
"""Groups of orders, of ``neighbours.neighbour_keys``, that are likely to be one scheme."""

SEEN, RATE = 20.0, 0.02
"""A finding nobody else has is taken to have been found at this rate in so many other orders."""

_CLAUSES = {
    "self_dealing": "self-dealing",
    "tracking_mismatch": "parcels that do not match the order",
    "invalid_tracking": "invalid tracking",
    "repeat_buying": "repeat and gang buying",
    "reviews": "worthless reviews",
    "abuse": "abuse of subsidies, commission or prices",
}

FEATURES: tuple[Feature, ...] = tuple(
    Feature(
        f"hallmark_{clause}",
        f"Probability (0–1) that {words} is what was done: it sets the suspected orders of this shop and ring "
        "apart from other suspected orders.",
        "No order of the shop or of the buyer's entity is suspected.",
        (),
        kind="snapshot",
        entity="pair",
        clause=clause,
    )
    for clause, words in _CLAUSES.items()
)


def hallmark_features(
    fired: NDArray[np.int8],
    clauses: Sequence[str],
    voice: Floats,
    suspected: NDArray[np.bool_],
    keys: Mapping[str, Codes],
) -> dict[str, Floats]:
    """Compute every clause's probability.

    Parameters
    ----------
    fired
        Findings of each order, shape (orders, findings): 1 found; 0 or −1 not.
    clauses, voice
        Clause of each finding, and how much it says of what was done (0–1).
    suspected
        Shape (orders,): the orders that are compared.
    keys
        Group codes per order for each of ``GROUPS``.

    Returns
    -------
    dict of float64 arrays, shape (orders,)
        They sum to 1 over the clauses; NaN where neither group has a suspected order.
    """
    names = list(_CLAUSES)
    member = np.array([[clause == name for name in names] for clause in clauses], dtype=np.float64)
    member = member.reshape(len(clauses), len(names)) * voice[:, None]
    total, known = np.zeros((len(suspected), len(names))), np.zeros(len(suspected), dtype=bool)
    for group in GROUPS:
        codes, surprise = _surprises(fired[suspected], keys[group][suspected])
        place = np.searchsorted(codes, keys[group])
        there = np.isin(keys[group], codes)
        total[there] += (surprise @ member)[place[there]]
        known |= there
    odds = np.exp(total - total.max(axis=1, keepdims=True))
    share = np.where(known[:, None], odds / odds.sum(axis=1, keepdims=True), np.nan)
    return {f"hallmark_{name}": share[:, position] for position, name in enumerate(names)}


def _surprises(fired: NDArray[np.int8], group: Codes) -> tuple[Codes, Floats]:
    """The groups' codes, sorted, and each finding's log-likelihood ratio in them: (groups, findings)."""
    codes, place = np.unique(group, return_inverse=True)
    orders = np.bincount(place).astype(np.float64)[:, None]
    hits = np.zeros((len(codes), fired.shape[1]))
    np.add.at(hits, place, fired == 1)
    usual = (hits.sum(axis=0) - hits + RATE * SEEN) / (orders.sum() - orders + SEEN)
    here = (hits + usual) / (orders + 1.0)
    gained = here * np.log(here / usual) + (1.0 - here) * np.log((1.0 - here) / (1.0 - usual))
    return codes, np.where(here > usual, orders * gained, 0.0)
