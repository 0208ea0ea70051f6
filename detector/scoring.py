"""The one scoring function: feature columns in, scores and reasons out.

The same code scores a scan's million rows, a notebook's DataFrame and the one row of a REST call.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
from numpy.typing import NDArray

from detector.contract import CLAUSES
from detector.policy.detection import Detection, Rule
from detector.rules import Expression, compile_expression, evaluate_row
from features.catalog import OBSERVED
from features.hallmarks import hallmark_features
from models.calibration import surprise

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Hits = NDArray[np.int8]
Rows = NDArray[np.int64]
Features = Mapping[str, Floats]

ABSTAINED = -1
"""In ``Evidence.fired``: the rule could not be judged."""

ROWS_AT_ONCE = 16_384
"""Orders whose rules are judged together: what fits into a processor's cache."""

FEW = 128
"""Orders up to which rules are judged order by order: from there on arrays are faster."""

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


@dataclass(frozen=True, slots=True)
class _Voice:
    """What a rule that fires adds to its clause, the position of which is given: nats, and those of its own."""

    clause: int
    nats: float
    own: float
    hard: bool

    @classmethod
    def of(cls, rule: Rule) -> _Voice:
        nats = float(-np.log1p(-rule.weight))
        clause = list(CLAUSES).index(rule.clause)
        return cls(clause, nats, 0.0 if rule.collective else nats, rule.strength == "hard")


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

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Names of the features that the rules, their messages and the fusion read, sorted."""
        names = set().union(*(condition.names for condition in self.conditions))
        told = {name for rule in self.rules for name in _PLACEHOLDER.findall(rule.message.en)}
        return tuple(sorted(names | told | set(self.detection.fusion.context)))

    def evidence(self, features: Features, count: int) -> Evidence:
        """Judge ``count`` orders by the rules alone, without their neighbours."""
        found = Evidence(
            np.empty((count, len(self.rules)), dtype=np.int8),
            dict(zip(CLAUSES, np.empty((len(CLAUSES), count)), strict=True)),
            np.empty(count),
            np.empty(count),
            np.empty(count, dtype=bool),
            np.empty(count, dtype=np.int64),
        )
        if count <= FEW:
            self._weigh(self._each(features, count), found, slice(count))
            return found
        for start in range(0, count, ROWS_AT_ONCE):
            rows = slice(start, min(start + ROWS_AT_ONCE, count))
            self._weigh(self._together(features, rows), found, rows)
        return found

    def _together(self, features: Features, rows: slice) -> Hits:
        """What the rules say of some orders, by columns: shape (rules, orders), as in ``Evidence``."""
        given = {name: features[name][rows] for name in self.inputs if name in features}
        known = {name: values for name, values in given.items() if not np.isnan(values).all()}
        fired = np.empty((len(self.rules), rows.stop - rows.start), dtype=np.int8)
        for position, condition in enumerate(self.conditions):
            truth = condition.evaluate(known)
            fired[position] = np.where(np.isnan(truth), ABSTAINED, truth)
        return fired

    def _each(self, features: Features, count: int) -> Hits:
        """As ``_together``, order by order: of a few, arrays cost more than what is computed."""
        names, judge = self._of_one
        unknown = [np.nan] * count
        columns = [features[name].tolist() if name in features else unknown for name in names]
        truth = np.array([judge(*row) for row in zip(*columns, strict=True)]).reshape(count, len(self.rules))
        return np.where(truth == 0.5, ABSTAINED, truth).astype(np.int8).T

    @cached_property
    def _of_one(self) -> tuple[list[str], Callable[..., tuple[float, ...]]]:
        """The features that rules read, and the rules as a function of them."""
        names = sorted(set().union(*(condition.names for condition in self.conditions)))
        return names, evaluate_row(self.conditions, names)

    def _weigh(self, fired: Hits, found: Evidence, rows: slice) -> None:
        """Fill in those rows of what is found, by what fired there, of shape (rules, orders)."""
        fusion = self.detection.fusion
        heard, hard = self._heard(fired == 1)
        heard = np.minimum(heard, np.where(hard, np.inf, -np.log1p(-fusion.soft_cap)))
        nats, own = -np.expm1(-heard)
        known = fired != ABSTAINED
        judged = np.array([known.take(rules, axis=0).any(axis=0) for rules in self._by_clause])
        for clause, score in zip(CLAUSES, np.where(judged, nats, np.nan), strict=True):
            found.clauses[clause][rows] = score
        found.fired[rows] = fired.T
        # one by one: a sum's last bits depend on how it is grouped
        found.amount[rows], found.own[rows] = reduce(np.add, heard.swapaxes(0, 1))
        found.hard[rows] = hard.any(axis=0)
        found.families[rows] = (judged & (own >= fusion.family_floor)).sum(axis=0)

    @cached_property
    def _by_clause(self) -> list[Rows]:
        """The positions of each clause's rules."""
        return [np.flatnonzero([rule.clause == clause for rule in self.rules]) for clause in CLAUSES]

    @cached_property
    def _voices(self) -> list[_Voice]:
        return [_Voice.of(rule) for rule in self.rules]

    def _heard(self, hit: Flags) -> tuple[Floats, Flags]:
        """Nats of each clause's rules that fire, in all and not collective, and whether a hard one does.

        Shapes (2, clauses, orders) and (clauses, orders); ``hit`` is of shape (rules, orders).
        """
        shape = (len(CLAUSES), hit.shape[1])
        heard, hard = np.zeros((2, *shape)), np.zeros(shape, dtype=bool)
        for position in np.flatnonzero(hit.any(axis=1)):
            voice, fires = self._voices[position], hit[position]
            # one by one, as above
            heard[0, voice.clause] += voice.nats * fires
            heard[1, voice.clause] += voice.own * fires
            if voice.hard:
                hard[voice.clause] |= fires
        return heard, hard

    def suspicion(self, evidence: Evidence, features: Features) -> Floats:
        """What an order tells its neighbours (0–1): its own evidence, and that of the ones that ``features`` has.

        What a group of orders shows together is each member's already and is not told to them again.
        """
        return _sigmoid(self._log_odds(evidence.own, features))

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
        together = np.minimum(evidence.amount - evidence.own, evidence.own)
        odds = self._log_odds(evidence.own, features) + self.detection.fusion.collective_gain * together
        rule_score = _sigmoid(odds)
        if anomaly is not None:
            odds = odds + self._anomaly_lift(anomaly, evidence)
        score = self._corroborated(_sigmoid(odds), evidence)
        bands = self.detection.bands
        decision = _DECISIONS[(score >= bands.review).astype(np.int8) + (score >= bands.hold)]
        unknown = np.full(count, np.nan)
        return Scores(score, rule_score, unknown if anomaly is None else anomaly, evidence, decision)

    def _log_odds(self, amount: Floats, features: Features) -> Floats:
        fusion = self.detection.fusion
        odds = fusion.intercept + fusion.evidence_gain * amount
        told = [name for name in fusion.context if name in features]
        if told:
            lifts = np.array([features[name] for name in told])
            lifts *= np.array([[fusion.context[name]] for name in told])
            lifts[np.isnan(lifts)] = 0.0
            for lift in lifts:  # one by one: a sum's last bits depend on how it is grouped
                odds += lift
        return odds

    def _anomaly_lift(self, anomaly: Floats, evidence: Evidence) -> Floats:
        """What the forest adds to an order's own evidence; being strange is no evidence of its own."""
        return self.detection.fusion.anomaly_weight * np.where(evidence.own > 0, surprise(anomaly), 0.0)

    def _corroborated(self, score: Floats, evidence: Evidence) -> Floats:
        """Keep a score within what its own evidence can carry.

        Without evidence of its own that would corroborate another clause's, an order is allowed, however suspect its
        neighbours and however alike they are: a suspected shop's honest customer, or fan, stays honest, and is no
        less so for one small oddity. Without one hard rule or two clause families it is reviewed at most.
        """
        bands = self.detection.bands
        alone = ~evidence.hard & (evidence.families < 2)
        ceiling = np.where(alone, np.nextafter(bands.hold, 0.0), 1.0)
        ceiling = np.where(evidence.families > 0, ceiling, np.nextafter(bands.review, 0.0))
        return np.minimum(score, ceiling)

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


def _sigmoid(odds: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-odds)), dtype=np.float64)
