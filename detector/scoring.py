"""The one scoring function: feature columns in, scores and reasons out.

The same code scores a scan's million rows, a notebook's DataFrame and the one row of a REST call.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from detector.contract import CLAUSES
from detector.fusion import Terms, Voices, fuse, suspicion, weigh
from detector.policy.detection import Detection, Rule
from detector.rule_machine import Program
from detector.rules import Expression, compile_expression
from features.catalog import OBSERVED
from features.hallmarks import hallmark_features
from features.stack import stacked
from models.calibration import surprise

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Hits = NDArray[np.int8]
Features = Mapping[str, Floats]

ROWS_AT_ONCE = 2048
"""Orders whose rules are judged together: what fits into a processor's cache."""

ALLOW, REVIEW, HOLD = "allow", "review", "hold"
_DECISIONS = np.array([ALLOW, REVIEW, HOLD])

HALLMARK_FROM = 0.5
"""Probability over which a hallmark is told: more likely than all the others together."""


_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why: a rule's code, its clause, its weight (0–1) and one sentence."""

    code: str
    clause: str
    weight: float
    message: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the rules say of each order.

    ``fired`` is int8 of shape (orders, rules): 1 fired, 0 not, −1 abstained. ``clauses`` maps a clause
    to its score (0–1, higher is worse; NaN: not judged). ``amount`` is the evidence in nats, shape (orders,);
    ``own`` is the part of it that the order itself shows, without the collective rules.
    """

    fired: Hits
    clauses: dict[str, Floats]
    amount: Floats
    own: Floats
    hard: Flags
    families: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of orders, float64 of shape (orders,), 0–1, higher is more suspicious; NaN is not judged."""

    score: Floats
    rule_score: Floats
    anomaly_score: Floats
    evidence: Evidence
    decision: NDArray[np.str_]


class Scorer:
    """A policy's rules, compiled once.

    Parameters
    ----------
    detection, rules
        From the policy file. Every name in a rule must be one of ``features.catalog.OBSERVED``.

    Raises
    ------
    RuleSyntaxError
        A rule cannot be compiled.
    """

    def __init__(self, detection: Detection, rules: Sequence[Rule]) -> None:
        self.detection = detection
        self.rules = tuple(rules)
        self.conditions: tuple[Expression, ...] = tuple(
            compile_expression(rule.when, OBSERVED) for rule in rules
        )
        self._program = Program.of(self.conditions)
        self._voices, self._terms = Voices.of(self.rules), Terms.of(detection)

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Names of the features that the rules, their messages and the fusion read, sorted."""
        told = {name for rule in self.rules for name in _PLACEHOLDER.findall(rule.message.en)}
        return tuple(sorted({*self._program.names, *told, *self.detection.fusion.context}))

    def evidence(self, features: Features, count: int) -> Evidence:
        """Judge ``count`` orders by the rules alone, without their neighbours."""
        fired = np.empty((count, len(self.rules)), dtype=np.int8)
        for start in range(0, count, ROWS_AT_ONCE):
            part = fired[start : start + ROWS_AT_ONCE]
            given = features if len(part) == count else self._part(features, slice(start, start + len(part)))
            self._program.judge(stacked(given, self._program.names, len(part)), part)
        scores, amount, own, hard, families = weigh(fired, self._voices, self._terms)
        return Evidence(fired, dict(zip(CLAUSES, scores, strict=True)), amount, own, hard, families)

    def _part(self, features: Features, rows: slice) -> Features:
        """Those rows of what the rules read."""
        return {name: features[name][rows] for name in self._program.names if name in features}

    def suspicion(self, evidence: Evidence, features: Features) -> Floats:
        """What an order tells its neighbours (0–1): its own evidence, and that of the ones that ``features`` has.

        What a group of orders shows together is each member's already and is not told to them again.
        """
        return suspicion(evidence.own, self._lifts(evidence, features), self._terms)

    def score(
        self,
        features: Features,
        count: int,
        anomaly: Floats | None = None,
        evidence: Evidence | None = None,
    ) -> Scores:
        """Score ``count`` orders.

        Parameters
        ----------
        features
            Catalog features as float64 columns of shape (count,); one that is not given is null.
        anomaly
            The forest's calibrated percentile, 0–1, higher is stranger; None where there is no model.
        evidence
            What ``evidence`` said of these orders; None asks it.
        """
        evidence = evidence or self.evidence(features, count)
        score, rule_score, band = fuse(
            evidence.amount,
            evidence.own,
            evidence.hard,
            evidence.families,
            self._lifts(evidence, features),
            np.zeros(count) if anomaly is None else surprise(anomaly),
            self._terms,
        )
        percentile = np.full(count, np.nan) if anomaly is None else anomaly
        return Scores(score, rule_score, percentile, evidence, _DECISIONS[band])

    def _lifts(self, evidence: Evidence, features: Features) -> Floats:
        """The neighbours', in the order of their gains."""
        return stacked(features, tuple(self.detection.fusion.context), len(evidence.own))

    def hallmarks(self, scores: Scores, keys: Mapping[str, NDArray[np.int64]]) -> dict[str, Floats]:
        """What sets the suspected orders of each order's shop and ring apart, see ``features.hallmarks``."""
        voice = np.array([self.detection.hallmark.side_share if r.supporting else 1.0 for r in self.rules])
        suspected = scores.decision != ALLOW
        clauses = [rule.clause for rule in self.rules]
        return hallmark_features(scores.evidence.fired, clauses, voice, suspected, keys)

    def reasons(self, scores: Scores, row: int, features: Features, language: str = "en") -> list[Reason]:
        """The rules that fired on one order, and what sets its shop's and ring's orders apart, strongest first."""
        share: dict[str, float] = {c: _value(features, f"hallmark_{c}", row) for c in CLAUSES}
        found = [
            Reason(
                rule.code,
                rule.clause,
                self._speaks(rule, share[rule.clause]),
                _render(getattr(rule.message, language), features, row),
            )
            for rule in (self.rules[position] for position in np.flatnonzero(scores.evidence.fired[row] == 1))
        ]
        hallmark = self.detection.hallmark
        found += [
            Reason(
                f"HALLMARK_{clause.upper()}",
                clause,
                round(hallmark.weight * share[clause], 3),
                getattr(message, language),
            )
            for clause, message in hallmark.message.items()
            if share[clause] > HALLMARK_FROM
        ]
        return sorted(found, key=lambda reason: (-reason.weight, reason.code))

    def _speaks(self, rule: Rule, share: float) -> float:
        """How strongly a rule speaks for its clause among an order's reasons, 0–1."""
        side = self.detection.hallmark.side_share
        central = 1.0 if np.isnan(share) else side + (1.0 - side) * share
        return round(rule.weight * central * (side if rule.supporting else 1.0), 3)


def _value(features: Features, name: str, row: int) -> float:
    return float(features[name][row]) if name in features else float("nan")


def _render(template: str, features: Features, row: int) -> str:
    def value(match: re.Match[str]) -> str:
        number = _value(features, match.group(1), row)
        return "?" if np.isnan(number) else f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"

    return _PLACEHOLDER.sub(value, template)
