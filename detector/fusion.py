"""From what the rules say of an order to its score and its band, in machine code."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.contract import CLAUSES
from detector.policy.detection import Detection, Rule
from features.compiled import compiled

__all__ = ["Terms", "Voices", "fuse", "suspicion", "weigh"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Hits = NDArray[np.int8]
Counts = NDArray[np.int64]


class Voices(NamedTuple):
    """What each rule adds where it fires: nats, and those of its own, to the clause of that position."""

    clause: Counts
    nats: Floats
    own: Floats
    hard: Flags

    @classmethod
    def of(cls, rules: Sequence[Rule]) -> Voices:
        nats = -np.log1p(-np.array([rule.weight for rule in rules], dtype=np.float64))
        return cls(
            np.array([CLAUSES.index(rule.clause) for rule in rules], dtype=np.int64),
            nats,
            np.where(np.array([rule.collective for rule in rules], dtype=bool), 0.0, nats),
            np.array([rule.strength == "hard" for rule in rules], dtype=bool),
        )


class Terms(NamedTuple):
    """The policy's numbers. ``gains`` are those of the neighbours' lifts."""

    clauses: int
    soft_nats: float
    family_floor: float
    intercept: float
    evidence_gain: float
    collective_gain: float
    anomaly_weight: float
    gains: Floats
    review: float
    hold: float

    @classmethod
    def of(cls, detection: Detection) -> Terms:
        fusion, bands = detection.fusion, detection.bands
        return cls(
            len(CLAUSES),
            float(-np.log1p(-fusion.soft_cap)),
            fusion.family_floor,
            fusion.intercept,
            fusion.evidence_gain,
            fusion.collective_gain,
            fusion.anomaly_weight,
            np.array(list(fusion.context.values()), dtype=np.float64),
            bands.review,
            bands.hold,
        )


@compiled
def weigh(fired: Hits, voices: Voices, terms: Terms) -> tuple[Floats, Floats, Floats, Flags, Counts]:
    """What the rules that fired amount to.

    Parameters
    ----------
    fired
        What each rule says of each order, C-contiguous, of shape (orders, rules): 1 fired, 0 not, −1 abstained.

    Returns
    -------
    tuple
        Clause scores of shape (clauses, orders), NaN where not judged; then, of each order, its evidence in nats,
        the part of it that is its own, whether a hard rule fired, and how many clauses corroborate each other.
    """
    orders, clauses = len(fired), terms.clauses
    scores, amount, own = np.full((clauses, orders), np.nan), np.zeros(orders), np.zeros(orders)
    hard, families = np.zeros(orders, dtype=np.bool_), np.zeros(orders, dtype=np.int64)
    nats = np.empty((2, clauses))
    judged, sure = np.empty(clauses, dtype=np.bool_), np.empty(clauses, dtype=np.bool_)
    for order in range(orders):
        _hear(fired[order], voices, nats, judged, sure)
        for clause in range(clauses):
            most = np.inf if sure[clause] else terms.soft_nats
            heard, alone = min(nats[0, clause], most), min(nats[1, clause], most)
            amount[order] += heard
            own[order] += alone
            hard[order] |= sure[clause]
            if judged[clause]:
                scores[clause, order] = _share(heard)
                families[order] += _share(alone) >= terms.family_floor
    return scores, amount, own, hard, families


@compiled
def _hear(fired: Hits, voices: Voices, nats: Floats, judged: Flags, sure: Flags) -> None:
    """Add up one order's clauses: nats in all and its own, whether a rule was judged, whether a hard one fired."""
    nats[:] = 0.0
    judged[:] = False
    sure[:] = False
    for rule in range(len(fired)):
        clause = voices.clause[rule]
        judged[clause] |= fired[rule] >= 0
        if fired[rule] > 0:
            nats[0, clause] += voices.nats[rule]
            nats[1, clause] += voices.own[rule]
            sure[clause] |= voices.hard[rule]


@compiled
def _share(nats: float) -> float:
    """The share of doubt that so many nats take away."""
    return 0.0 if nats == 0.0 else -math.expm1(-nats)


@compiled
def suspicion(own: Floats, lifts: Floats, terms: Terms) -> Floats:
    """Probability by an order's own evidence and its neighbours' lifts, as ``fuse`` takes them."""
    odds = _log_odds(own, lifts, terms)
    for order in range(len(odds)):
        odds[order] = _sigmoid(odds[order])
    return odds


@compiled
def fuse(
    amount: Floats, own: Floats, hard: Flags, families: Counts, lifts: Floats, strange: Floats, terms: Terms
) -> tuple[Floats, Floats, Hits]:
    """Score orders by what ``weigh`` found.

    Parameters
    ----------
    lifts
        The neighbours', of shape (``terms.gains``, orders); NaN is null and adds nothing.
    strange
        Nats of being so strange to the forest, of shape (orders,); it is no evidence of its own.

    Returns
    -------
    tuple
        Of each order its score, its score without what is strange, and the band of the score: 0 allow, 1 review, 2 hold.
    """
    odds = _log_odds(own, lifts, terms)
    score, rule_score, band = np.empty(len(own)), np.empty(len(own)), np.empty(len(own), dtype=np.int8)
    for order in range(len(own)):
        told = odds[order] + terms.collective_gain * min(amount[order] - own[order], own[order])
        lift = terms.anomaly_weight * strange[order] if own[order] > 0.0 else 0.0
        rule_score[order] = _sigmoid(told)
        carried = _corroborated(_sigmoid(told + lift), hard[order], families[order], terms)
        score[order] = carried
        band[order] = (carried >= terms.review) + (carried >= terms.hold)
    return score, rule_score, band


@compiled
def _log_odds(own: Floats, lifts: Floats, terms: Terms) -> Floats:
    odds = terms.intercept + terms.evidence_gain * own
    for lift in range(len(lifts)):
        for order in range(len(own)):
            told = lifts[lift, order] * terms.gains[lift]
            odds[order] += 0.0 if np.isnan(told) else told
    return odds


@compiled
def _corroborated(score: float, hard: bool, families: int, terms: Terms) -> float:
    """Keep a score within what its own evidence can carry.

    Without evidence of its own that would corroborate another clause's, an order is allowed, however suspect its
    neighbours and however alike they are: a suspected shop's honest customer, or fan, stays honest, and is no
    less so for one small oddity. Without one hard rule or two clause families it is reviewed at most.
    """
    if families > 0 and (hard or families >= 2):
        return score
    ceiling = np.nextafter(terms.hold if families > 0 else terms.review, 0.0)
    return ceiling if score > ceiling else score


@compiled
def _sigmoid(odds: float) -> float:
    return 1.0 / (1.0 + math.exp(-odds))
