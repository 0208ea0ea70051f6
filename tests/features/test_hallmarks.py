"""Hallmarks against a loop in plain Python, and what they mean."""

from __future__ import annotations

import math

import numpy as np
import pytest

from detector.contract import CLAUSES
from features.hallmarks import FEATURES, GROUPS, RATE, SEEN, hallmark_features

FINDINGS = ("reviews", "reviews", "abuse", "self_dealing", "invalid_tracking")
VOICE = np.array([1.0, 0.2, 1.0, 0.2, 1.0])


def surprises(fired: list[list[float]], group: list[int], mine: int) -> list[float]:
    """Log-likelihood ratio of each finding in one group of suspected orders against all others."""
    found = []
    for finding in range(len(FINDINGS)):
        inside = [row[finding] == 1 for row, code in zip(fired, group, strict=True) if code == mine]
        outside = [row[finding] == 1 for row, code in zip(fired, group, strict=True) if code != mine]
        usual = (sum(outside) + RATE * SEEN) / (len(outside) + SEEN)
        here = (sum(inside) + usual) / (len(inside) + 1)
        ratio = here * math.log(here / usual) + (1 - here) * math.log((1 - here) / (1 - usual))
        found.append(len(inside) * ratio if here > usual else 0.0)
    return found


def slowly(
    fired: np.ndarray, suspected: np.ndarray, keys: dict[str, np.ndarray], order: int
) -> dict[str, float]:
    """One order's probabilities, by loops."""
    total = dict.fromkeys(CLAUSES, 0.0)
    seen = False
    for group in GROUPS:
        codes = keys[group][suspected].tolist()
        if keys[group][order] in codes:
            seen = True
            found = surprises(fired[suspected].tolist(), codes, keys[group][order])
            for clause, value, voice in zip(FINDINGS, found, VOICE, strict=True):
                total[clause] += value * voice
    odds = {clause: math.exp(value) for clause, value in total.items()}
    return {clause: value / sum(odds.values()) if seen else math.nan for clause, value in odds.items()}


@pytest.mark.parametrize("seed", range(4))
def test_probabilities_are_those_of_a_loop(seed: int) -> None:
    random = np.random.default_rng(seed)
    orders = 60
    fired = np.where(random.random((orders, 5)) < 0.1, np.nan, random.random((orders, 5)) < 0.3)
    suspected = random.random(orders) < 0.4
    keys = {"seller": random.integers(0, 12, orders), "entity": random.integers(0, 40, orders)}
    found = hallmark_features(fired, FINDINGS, VOICE, suspected, keys)
    for order in range(orders):
        expected = slowly(fired, suspected, keys, order)
        mine = {clause: float(found[f"hallmark_{clause}"][order]) for clause in CLAUSES}
        assert mine == pytest.approx(expected, nan_ok=True)


def test_what_all_suspects_show_is_no_hallmark() -> None:
    """Everybody copies praise; only this shop's numbers are invalid, and on three orders of four."""
    fired = np.zeros((40, 5))
    fired[:, 0] = 1
    fired[:3, 4] = 1
    keys = {"seller": np.arange(40) // 4, "entity": np.arange(40)}
    found = hallmark_features(fired, FINDINGS, VOICE, np.ones(40, dtype=bool), keys)
    assert (found["hallmark_invalid_tracking"][:4] > 0.9).all(), "the fourth order's shop is the same"
    assert (found["hallmark_reviews"][:4] < 0.1).all()


def test_orders_without_a_suspected_companion_have_none() -> None:
    keys = {"seller": np.array([0, 0, 1]), "entity": np.array([0, 1, 2])}
    found = hallmark_features(np.ones((3, 5)), FINDINGS, VOICE, np.array([True, False, False]), keys)
    known = {name: (~np.isnan(values)).tolist() for name, values in found.items()}
    assert set(map(tuple, known.values())) == {(True, True, False)}
    nobody = hallmark_features(np.ones((3, 5)), FINDINGS, VOICE, np.zeros(3, dtype=bool), keys)
    assert all(np.isnan(values).all() for values in nobody.values())


def test_there_is_one_for_every_clause() -> None:
    assert [feature.clause for feature in FEATURES] == list(CLAUSES)
