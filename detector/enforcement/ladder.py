"""How severe a violation is and what it brings (policy §3 and the default ladder of §5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from detector.enforcement.state import Case, SellerState, Violation
from detector.policy.enforcement import (
    SEVERITIES,
    Appeals,
    Enforcement,
    LadderMeasure,
    Severity,
    SeverityLevel,
    SeverityRules,
)

__all__ = ["LadderStep", "choose_step", "expected_harm", "is_appealable", "severity_of"]


@dataclass(frozen=True, slots=True)
class LadderStep:
    """What the ladder says of a new violation.

    ``occurrence``: its place among the upheld ones, 1 for the first. ``raised_by``: ids of the earlier
    upheld violations that lifted it there.
    """

    occurrence: int
    points: int
    raised_by: tuple[str, ...]
    measures: tuple[LadderMeasure, ...]


def severity_of(case: Case, rules: SeverityRules) -> Severity:
    """Severity by number, share and value of the fake orders, lifted by the clauses met."""
    reached = [level for level in SEVERITIES if _reaches(case, getattr(rules, level))]
    floors = [rules.clause_floor[clause] for clause in rules.clause_floor if clause in case.clauses]
    rank = max(SEVERITIES.index(level) for level in ("minor", *reached, *floors))
    if len(set(case.clauses)) >= rules.many_clauses:
        rank = min(rank + 1, len(SEVERITIES) - 1)
    return SEVERITIES[rank]


def _reaches(case: Case, level: SeverityLevel) -> bool:
    by_number = (
        case.fake_order_count >= level.fake_order_count and case.fake_order_share >= level.fake_order_share
    )
    by_value = any(
        case.fake_gmv_minor.get(currency, 0) >= amount for currency, amount in level.fake_gmv_minor.items()
    )
    return by_number or by_value


def choose_step(state: SellerState, severity: Severity, policy: Enforcement, now: datetime) -> LadderStep:
    """The step that a violation of ``severity`` decided ``now`` reaches."""
    upheld = [violation for violation in state.violations.values() if not violation.overturned]
    counting = [violation for violation in upheld if now < violation.counts_until]
    level: SeverityLevel = getattr(policy.severity, severity)
    occurrence = len(counting) + 1
    if policy.ladder == "occurrence":
        measures = _by_occurrence(policy, severity, occurrence)
        return LadderStep(occurrence, level.points, _ids(counting), measures)
    pointed = [violation for violation in upheld if now < violation.points_until and violation.points]
    total = level.points + sum(violation.points for violation in pointed)
    return LadderStep(occurrence, level.points, _ids(pointed), _by_points(policy, total))


def _ids(violations: list[Violation]) -> tuple[str, ...]:
    return tuple(violation.violation_id for violation in violations)


def _by_occurrence(policy: Enforcement, severity: Severity, occurrence: int) -> tuple[LadderMeasure, ...]:
    steps = [step for step in policy.by_occurrence if step.severity == severity]
    return max((step for step in steps if step.occurrence <= occurrence), key=lambda s: s.occurrence).measures


def _by_points(policy: Enforcement, points: int) -> tuple[LadderMeasure, ...]:
    return max((step for step in policy.by_points if step.points <= points), key=lambda s: s.points).measures


def is_appealable(case: Case, severity: Severity, appeals: Appeals) -> bool:
    """False when an entry of the policy's list matches both the severity and one of the clauses."""
    return not any(
        (entry.severities is None or severity in entry.severities)
        and (entry.clauses is None or any(clause in case.clauses for clause in entry.clauses))
        for entry in appeals.non_appealable
    )


def expected_harm(case: Case, rules: SeverityRules) -> float:
    """How much harm the case is about: 1.0 is the number or value of fake orders that makes it serious.

    The policy's values stand for about the same worth in every currency, so they add up; a currency that
    the policy does not know counts by the number of orders alone.
    """
    level = rules.serious
    by_number = case.fake_order_count / max(level.fake_order_count, 1)
    by_value = sum(
        amount / level.fake_gmv_minor[currency]
        for currency, amount in case.fake_gmv_minor.items()
        if currency in level.fake_gmv_minor
    )
    return max(by_number, by_value)
