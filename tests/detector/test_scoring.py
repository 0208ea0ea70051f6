"""The scoring function: the fusion in plain Python, its ceilings, and that rows do not matter to each other."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_builders import a_detection, a_rule

from detector.contract import CLAUSES
from detector.rulebook import load_rulebook
from detector.scoring import ALLOW, HOLD, REVIEW, ROWS_AT_ONCE, Scorer, Scores
from features.neighbours import HIGHEST, LOWEST

POLICY = load_rulebook(None)
SCORER = Scorer(POLICY.detection, POLICY.rule)

# one rule per feature, so that any set of rules can be made to fire
SIGNALS = ("pair_orders", "gang_orders", "hub_focus", "cohort_focus", "entity_focus", "lockstep_partners")
RULES = tuple(
    a_rule(
        f"RULE_{n}",
        when=f"{signal} > 0",
        clause=clause,
        strength=strength,
        weight=weight,
        collective=signal in ("hub_focus", "cohort_focus"),
    )
    for n, (signal, clause, strength, weight) in enumerate(
        zip(
            SIGNALS,
            ("self_dealing", "self_dealing", "self_dealing", "reviews", "reviews", "abuse"),
            ("hard", "soft", "soft", "soft", "soft", "hard"),
            (0.8, 0.6, 0.7, 0.3, 0.1, 0.4),
            strict=True,
        )
    )
)
SMALL = Scorer(a_detection(), RULES)
FIRED = st.tuples(*[st.sampled_from([None, False, True]) for _ in SIGNALS])
CONTEXT = st.floats(LOWEST, HIGHEST) | st.none()
ANOMALY = st.floats(0, 1) | st.none()


def scored(
    rows: list[tuple[bool | None, ...]], context: float | None = None, anomaly: float | None = None
) -> Scores:
    """Score rows of which rule fires (None: its feature is null), with one lift and one percentile for all."""
    features = {
        signal: np.array([math.nan if row[n] is None else float(bool(row[n])) for row in rows])
        for n, signal in enumerate(SIGNALS)
    }
    if context is not None:
        features["seller_context"] = np.full(len(rows), context)
    percentile = None if anomaly is None else np.full(len(rows), anomaly)
    return SMALL.score(features, len(rows), percentile)


def plain(fired: tuple[bool | None, ...], context: float | None, anomaly: float | None) -> float:
    """The fusion as the policy file words it, in plain Python."""
    fusion = SMALL.detection.fusion
    amount, own, families, hard = 0.0, 0.0, 0, False
    for clause in CLAUSES:
        mine = [rule for rule, hit in zip(RULES, fired, strict=True) if hit and rule.clause == clause]
        doubt = math.prod(1 - rule.weight for rule in mine)
        alone = math.prod(1 - rule.weight for rule in mine if not rule.collective)
        if not any(rule.strength == "hard" for rule in mine):
            doubt, alone = max(doubt, 1 - fusion.soft_cap), max(alone, 1 - fusion.soft_cap)
        hard |= any(rule.strength == "hard" for rule in mine)
        families += 1 - alone >= fusion.family_floor
        amount -= math.log(doubt)
        own -= math.log(alone)
    odds = fusion.intercept + fusion.evidence_gain * own + 0.5 * (context or 0)
    odds += fusion.collective_gain * min(amount - own, own)
    if anomaly is not None and own > 0:
        odds -= fusion.anomaly_weight * math.log(max(1 - anomaly, 1e-4))
    score = 1 / (1 + math.exp(-odds))
    if not hard and families < 2:
        score = min(score, math.nextafter(0.9, 0))
    return score if families else min(score, math.nextafter(0.5, 0))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(FIRED, CONTEXT, ANOMALY)
def test_the_fusion_is_that_of_plain_python(
    fired: tuple[bool | None, ...], context: float | None, anomaly: float | None
) -> None:
    found = scored([fired], context, anomaly)
    assert found.score[0] == pytest.approx(plain(fired, context, anomaly), abs=1e-12)
    assert found.rule_score[0] >= 0
    score = found.score[0]
    assert found.decision[0] == (HOLD if score >= 0.9 else REVIEW if score >= 0.5 else ALLOW)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(FIRED, FIRED, CONTEXT, ANOMALY)
def test_more_evidence_never_lowers_a_score(
    fired: tuple[bool | None, ...],
    extra: tuple[bool | None, ...],
    context: float | None,
    anomaly: float | None,
) -> None:
    more = tuple(bool(a) or bool(b) for a, b in zip(fired, extra, strict=True))
    less, rest = scored([fired, more], context, anomaly).score
    assert less <= rest


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    FIRED, st.lists(st.floats(LOWEST, HIGHEST), min_size=2, max_size=5), st.lists(st.floats(0, 1), min_size=2)
)
def test_worse_neighbours_and_stranger_orders_never_lower_a_score(
    fired: tuple[bool | None, ...], contexts: list[float], anomalies: list[float]
) -> None:
    by_context = [scored([fired], context=context).score[0] for context in sorted(contexts)]
    by_anomaly = [scored([fired], anomaly=anomaly).score[0] for anomaly in sorted(anomalies)]
    assert by_context == sorted(by_context)
    assert by_anomaly == sorted(by_anomaly)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.lists(st.booleans(), min_size=len(POLICY.rule), max_size=len(POLICY.rule)), st.sampled_from(CLAUSES)
)
def test_soft_evidence_of_one_clause_never_holds(hits: list[bool], clause: str) -> None:
    """With the default policy, the worst neighbours and the strangest percentile."""
    soft = tuple(
        rule.model_copy(update={"when": "pair_orders > 0"})
        for rule, hit in zip(POLICY.rule, hits, strict=True)
        if hit and rule.strength == "soft" and rule.clause == clause
    )
    scorer = Scorer(POLICY.detection, soft)
    worst = {name: np.full(1, HIGHEST) for name in POLICY.detection.fusion.context}
    found = scorer.score(worst | {"pair_orders": np.ones(1)}, 1, np.ones(1))
    assert found.decision[0] != HOLD
    assert np.nan_to_num(found.evidence.clauses[clause][0]) <= POLICY.detection.fusion.soft_cap + 1e-12


def test_without_own_evidence_no_order_is_reviewed() -> None:
    worst = {name: np.full(1, HIGHEST) for name in POLICY.detection.fusion.context}
    found = SCORER.score(worst, 1, np.ones(1))
    assert found.decision[0] == ALLOW
    assert found.score[0] < POLICY.detection.bands.review
    assert found.rule_score[0] > POLICY.detection.bands.review, "the neighbours alone would have done it"


def test_being_alike_is_never_reviewed_nor_told_to_the_neighbours() -> None:
    """Every collective rule of the default policy fires, beside the worst neighbours; and nothing else."""
    alike = tuple(
        rule.model_copy(update={"when": "pair_orders > 0"}) for rule in POLICY.rule if rule.collective
    )
    assert {"REVIEW_COPY", "COBUYING", "HUB_FOCUS"} <= {rule.code for rule in alike}
    scorer, fired = Scorer(POLICY.detection, alike), {"pair_orders": np.ones(1)}
    worst = {name: np.full(1, HIGHEST) for name in POLICY.detection.fusion.context}
    assert scorer.score(fired | worst, 1, np.ones(1)).decision[0] == ALLOW
    evidence = scorer.evidence(fired, 1)
    assert evidence.amount[0] > 0
    assert scorer.suspicion(evidence, fired)[0] == SCORER.suspicion(SCORER.evidence({}, 1), {})[0]


def some_features(orders: int, seed: int = 4) -> dict[str, np.ndarray]:
    """Every input of the default policy, of heavy tails and with two thirds unknown."""
    random = np.random.default_rng(seed)
    features = {}
    for name in SCORER.inputs:
        values = np.exp(random.normal(0, 2.5, orders)) * random.choice([0, 1, 1], orders)
        features[name] = np.where(random.random(orders) < 0.67, np.nan, values)
    return features | {
        name: np.clip(features[name], LOWEST, HIGHEST) for name in POLICY.detection.fusion.context
    }


def test_one_row_is_scored_as_among_many() -> None:
    features, anomaly = some_features(120), np.random.default_rng(5).random(120)
    many = SCORER.score(features, 120, anomaly)
    assert set(many.decision) == {ALLOW, REVIEW, HOLD}
    for row in range(120):
        alone = {name: values[row : row + 1] for name, values in features.items()}
        one = SCORER.score(alone, 1, anomaly[row : row + 1])
        assert one.score[0] == pytest.approx(many.score[row], abs=1e-12)
        assert one.rule_score[0] == pytest.approx(many.rule_score[row], abs=1e-12)
        assert one.decision[0] == many.decision[row]
        for clause in CLAUSES:
            found, expected = one.evidence.clauses[clause][0], many.evidence.clauses[clause][row]
            assert found == pytest.approx(expected, abs=1e-12, nan_ok=True)
        assert SCORER.reasons(one, 0, alone) == SCORER.reasons(many, row, features)


def test_the_order_of_rows_does_not_matter() -> None:
    orders, random = 2 * ROWS_AT_ONCE + 100, np.random.default_rng(6)
    features, anomaly, mixed = some_features(orders), random.random(orders), random.permutation(orders)
    straight = SCORER.score(features, orders, anomaly)
    turned = SCORER.score({name: v[mixed] for name, v in features.items()}, orders, anomaly[mixed])
    assert (turned.evidence.fired == straight.evidence.fired[mixed]).all()
    np.testing.assert_allclose(turned.score, straight.score[mixed], rtol=0, atol=1e-12)
    assert (turned.decision == straight.decision[mixed]).all()


def test_scores_are_shares_and_unknown_is_not_judged() -> None:
    nothing = SCORER.score({}, 3)
    assert nothing.score.tolist() == pytest.approx([nothing.score[0]] * 3)
    assert (nothing.score > 0).all()
    assert set(nothing.decision) == {ALLOW}
    assert np.isnan(nothing.anomaly_score).all()
    full = SCORER.score(some_features(300), 300, np.ones(300))
    assert ((full.score >= 0) & (full.score <= 1)).all()
    # a rule such as 'x is null' is known even of a market that knows nothing
    judged = [c for c in CLAUSES if not np.isnan(nothing.evidence.clauses[c]).all()]
    assert judged == []


def test_a_clause_is_judged_where_one_of_its_rules_is() -> None:
    unknown, partly, fired = (None,) * 6, (None, False, None, None, None, None), (None, True, *[None] * 4)
    clauses = scored([unknown, partly, fired]).evidence.clauses
    assert clauses["self_dealing"].tolist() == pytest.approx([math.nan, 0, 0.6], nan_ok=True)
    assert np.isnan(clauses["reviews"]).all()
    assert np.isnan(clauses["invalid_tracking"]).all(), "the policy has no rule for it"


def test_reasons_are_strongest_first_and_say_the_numbers() -> None:
    rules = (
        a_rule("WEAK", weight=0.2, message={"en": "{pair_orders} orders here.", "zh": "{pair_orders} 单。"}),
        a_rule("SUPPORT", weight=0.9, supporting=True),
        a_rule("STRONG", weight=0.7, message={"en": "{hub_focus} and {gang_orders}.", "zh": "无"}),
        a_rule("SILENT", weight=0.9, when="gang_orders > 5"),
    )
    scorer = Scorer(a_detection(), rules)
    features = {
        "pair_orders": np.array([12345.0]),
        "hub_focus": np.array([12.3456]),
        "gang_orders": np.array([math.nan]),
    }
    scores = scorer.score(features, 1)
    reasons = scorer.reasons(scores, 0, features)
    assert [reason.code for reason in reasons] == ["STRONG", "WEAK", "SUPPORT"]
    assert [reason.message for reason in reasons][:2] == ["12.3 and ?.", "12,345 orders here."]
    assert all(a.weight >= b.weight for a, b in pairwise(reasons))
    assert scorer.reasons(scores, 0, features, "zh")[1].message == "12,345 单。"


def test_inputs_are_all_that_the_policy_reads() -> None:
    rules = (a_rule(when="pair_orders > 1", message={"en": "{gang_orders}", "zh": "{gang_orders}"}),)
    assert Scorer(a_detection(), rules).inputs == ("gang_orders", "pair_orders", "seller_context")


@pytest.mark.parametrize(
    ("homes", "others", "fires"),
    [(1.0, 4.0, False), (2.0, 4.0, True), (1.0, 7.0, True), (math.nan, 4.0, True)],
)
def test_a_home_is_no_ring_but_eight_accounts_are_more_than_a_home(
    homes: float, others: float, fires: bool
) -> None:
    features = {
        "entity_focus": 20.0, "entity_seller_share": 0.9, "entity_seller_accounts": others, "entity_seller_homes": homes,
    }  # fmt: skip
    scores = SCORER.score({name: np.array([value]) for name, value in features.items()}, 1)
    fired = {r.code for r in SCORER.reasons(scores, 0, {})}
    assert ("RING_FOCUS" in fired) is fires
