"""The one scoring function: feature columns in, scores and reasons out.

The same code scores a scan's million rows, a notebook's DataFrame and the one row of a REST call.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from detector.contract import CLAUSES
from detector.policy.detection import Detection, Rule
from detector.rules import Expression, compile_expression
from features.catalog import OBSERVED
from features.hallmarks import hallmark_features

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Hits = NDArray[np.int8]
Features = Mapping[str, Floats]
Answers = Floats | list[float] | float
"""What a rule says of orders: 1 fires, 0 does not, NaN abstains."""

ABSTAINED = -1
"""In ``Evidence.fired``: the rule could not be judged."""

ROWS_AT_ONCE = 16_384
"""Orders whose rules are judged together: what fits into a processor's cache."""

FEW = 16
"""Orders up to which rules are judged order by order."""

ALLOW, REVIEW, HOLD = "allow", "review", "hold"

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
class _ClauseRules:
    """The rules of one clause: where they stand among all, their nats, those not collective, which are hard."""

    positions: list[int]
    nats: Floats
    own: Floats
    hard: Flags

    @classmethod
    def of(cls, numbered: Sequence[tuple[int, Rule]]) -> _ClauseRules:
        weights = np.array([rule.weight for _, rule in numbered], dtype=np.float64)
        hard = np.array([rule.strength == "hard" for _, rule in numbered], dtype=bool)
        single = np.array([not rule.collective for _, rule in numbered], dtype=bool)
        nats = -np.log1p(-weights)
        return cls([position for position, _ in numbered], nats, nats * single, hard)


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
        fusion = self.detection.fusion
        found = Evidence(
            np.empty((count, len(self.rules)), dtype=np.int8),
            {clause: np.empty(count) for clause in CLAUSES},
            np.zeros(count),
            np.zeros(count),
            np.zeros(count, dtype=bool),
            np.zeros(count, dtype=np.int64),
        )
        most = -np.log1p(-fusion.soft_cap)
        for start in range(0, count, ROWS_AT_ONCE):
            rows = slice(start, min(start + ROWS_AT_ONCE, count))
            part = {name: features[name][rows] for name in self.inputs if name in features}
            few = rows.stop - rows.start <= FEW
            judge = self._each(part, rows.stop - rows.start) if few else self._together(part)
            for clause, rules in self._by_clause.items():
                nats, own, hard, judged = self._weigh(rules, judge, found.fired[rows])
                nats, own = (np.where(hard, each, np.minimum(each, most)) for each in (nats, own))
                strength = -np.expm1(-nats)
                found.clauses[clause][rows] = np.where(judged, strength, np.nan)
                found.amount[rows] += nats
                found.own[rows] += own
                found.hard[rows] |= hard
                found.families[rows] += judged & (strength >= fusion.family_floor)
        return found

    def _together(self, features: Features) -> Callable[[int], Answers]:
        """Rule's position → what it says of every order."""
        known = {name: values for name, values in features.items() if not np.isnan(values).all()}

        def judge(position: int) -> Answers:
            condition = self.conditions[position]
            silent = position in self._mute and known.keys().isdisjoint(condition.names)
            return np.nan if silent else condition.evaluate(known)

        return judge

    def _each(self, features: Features, count: int) -> Callable[[int], Answers]:
        """As ``_together``, order by order: of a few, arrays cost more than what is computed."""
        known: list[dict[str, float]] = [{} for _ in range(count)]
        for name, values in features.items():
            for row, value in zip(known, values.tolist(), strict=True):
                if value == value:
                    row[name] = value

        def judge(position: int) -> Answers:
            condition, mute = self.conditions[position], position in self._mute
            return [
                np.nan if mute and row.keys().isdisjoint(condition.names) else condition.evaluate_one(row)
                for row in known
            ]

        return judge

    @cached_property
    def _mute(self) -> frozenset[int]:
        """Rules that abstain where nothing is known; of a single order most features are not."""
        return frozenset(n for n, condition in enumerate(self.conditions) if np.isnan(condition.evaluate({})))

    @cached_property
    def _by_clause(self) -> dict[str, _ClauseRules]:
        return {
            clause: _ClauseRules.of([(n, r) for n, r in enumerate(self.rules) if r.clause == clause])
            for clause in CLAUSES
        }

    def _weigh(
        self, rules: _ClauseRules, judge: Callable[[int], Answers], fired: Hits
    ) -> tuple[Floats, Floats, Flags, Flags]:
        """Nats of one clause's rules, and of those not collective; whether a hard one fired, whether any could
        be judged; fills ``fired``."""
        answers = np.empty((len(rules.positions), len(fired)))
        for answer, position in zip(answers, rules.positions, strict=True):
            answer[:] = judge(position)
        known, hit = ~np.isnan(answers), answers == 1
        fired[:, rules.positions] = np.where(known, hit, ABSTAINED).T
        nats, own = np.zeros(len(fired)), np.zeros(len(fired))
        for rule in np.flatnonzero(hit.any(axis=1)):
            nats += rules.nats[rule] * hit[rule]  # one by one: a sum's last bits depend on how it is grouped
            own += rules.own[rule] * hit[rule]
        return nats, own, np.any(hit[rules.hard], axis=0), np.any(known, axis=0)

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
        decision = np.select([score >= bands.hold, score >= bands.review], [HOLD, REVIEW], ALLOW)
        unknown = np.full(count, np.nan)
        return Scores(score, rule_score, unknown if anomaly is None else anomaly, evidence, decision)

    def _log_odds(self, amount: Floats, features: Features) -> Floats:
        fusion = self.detection.fusion
        odds = fusion.intercept + fusion.evidence_gain * amount
        for name, gain in fusion.context.items():
            if name in features:
                odds = odds + gain * np.nan_to_num(features[name])
        return odds

    def _anomaly_lift(self, anomaly: Floats, evidence: Evidence) -> Floats:
        """What the forest adds to an order's own evidence; being strange is no evidence of its own."""
        surprise = -np.log(np.maximum(1.0 - np.nan_to_num(anomaly), 1e-4))
        return self.detection.fusion.anomaly_weight * np.where(evidence.own > 0, surprise, 0.0)

    def _corroborated(self, score: Floats, evidence: Evidence) -> Floats:
        """Keep a score within what its own evidence can carry.

        Without evidence of its own an order is allowed, however suspect its neighbours and however alike they
        are: a suspected shop's honest customer, or fan, stays honest. Without one hard rule or two clause families
        it is reviewed at most.
        """
        bands = self.detection.bands
        alone = ~evidence.hard & (evidence.families < 2)
        ceiling = np.where(alone, np.nextafter(bands.hold, 0.0), 1.0)
        ceiling = np.where(evidence.own > 0, ceiling, np.nextafter(bands.review, 0.0))
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
            for rule, hit in zip(self.rules, scores.evidence.fired[row], strict=True)
            if hit == 1
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
