"""The ``[enforcement]`` section of a policy file: ladder, severity, holds, appeals (policy §3–5).

Every number of the enforcement core comes from here. The models are frozen and strict: a boolean is not a
number, an unknown name is an error.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

__all__ = [
    "SEVERITIES",
    "Appeals",
    "Cases",
    "Clause",
    "Enforcement",
    "Holds",
    "LadderMeasure",
    "Measure",
    "NonAppealable",
    "OccurrenceStep",
    "PointsStep",
    "Severity",
    "SeverityLevel",
    "SeverityRules",
]

Severity = Literal["minor", "general", "serious", "critical"]
SEVERITIES: tuple[Severity, ...] = ("minor", "general", "serious", "critical")
"""Mildest first."""
Clause = Literal["self_dealing", "tracking_mismatch", "invalid_tracking", "repeat_buying", "reviews", "abuse"]

Days = Annotated[int, Field(ge=1, le=36_500)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class Section(BaseModel):
    """Frozen, strict, and no name that is not declared."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Measure(Section):
    """One measure of policy §3.

    Attributes
    ----------
    clause
        The policy clause id, as in ``3.3``.
    duration
        ``temporary`` needs ``days`` in every ladder step, ``permanent`` never has them, ``either`` may.
    revokes_rights
        The notice that imposes it starts the hold term's calendar days.
    after_appeals
        Irreversible: waits, scheduled, until no appeal against the violation is possible any more.
    """

    clause: Annotated[str, StringConstraints(pattern=r"^3\.\d+$")]
    duration: Literal["temporary", "permanent", "either"]
    revokes_rights: bool = False
    after_appeals: bool = False


class LadderMeasure(Section):
    """One measure in a ladder step. ``days`` None means until cancelled."""

    measure: str
    days: Days | None = None
    needs_approval: bool = False


class OccurrenceStep(Section):
    """What a violation of ``severity`` brings from its ``occurrence``-th time on, until the next step."""

    severity: Severity
    occurrence: Annotated[int, Field(ge=1)]
    measures: tuple[LadderMeasure, ...]


class PointsStep(Section):
    """What a violation brings when it lifts the seller's unexpired points to ``points`` or more."""

    points: Annotated[int, Field(ge=0)]
    measures: tuple[LadderMeasure, ...]


class SeverityLevel(Section):
    """When a case reaches a level, and the points a violation of that level costs.

    A level is reached when count **and** share are reached, or when the value is reached in any one
    currency (minor units; a currency that is not listed is not judged by value).
    """

    points: Annotated[int, Field(ge=0)]
    fake_order_count: Annotated[int, Field(ge=0)]
    fake_order_share: Annotated[float, Field(ge=0, le=1)]
    fake_gmv_minor: dict[Currency, Annotated[int, Field(ge=1)]]


class SeverityRules(Section):
    """How severe a violation is. ``minor`` is what remains when no higher level is reached.

    ``clause_floor`` is the least severity of a violation of that clause; a case that meets at least
    ``many_clauses`` clauses is lifted one level.
    """

    minor: SeverityLevel
    general: SeverityLevel
    serious: SeverityLevel
    critical: SeverityLevel
    clause_floor: dict[Clause, Severity]
    many_clauses: Annotated[int, Field(ge=2)]


class Holds(Section):
    """How long proceeds stay withheld (policy §4).

    ``later_of``: the later of ``days`` calendar days and the end of the investigation; ``earlier_of``: the
    earlier of the two; ``fixed``: the calendar days alone.
    """

    hold_term: Literal["later_of", "earlier_of", "fixed"]
    days: Days


class NonAppealable(Section):
    """Violations that cannot be appealed: any of these clauses and any of these severities (None: all)."""

    clauses: tuple[Clause, ...] | None = None
    severities: tuple[Severity, ...] | None = None


class Appeals(Section):
    """The two appeal windows in calendar days, and who has none (policy §5).

    ``reminder_days`` before a window closes the seller is reminded of it.
    """

    first_days: Days
    second_days: Days
    suspends_penalty: bool
    reminder_days: Days = 3
    non_appealable: tuple[NonAppealable, ...]


class Cases(Section):
    """When cases are opened without a scan, and how long they may take.

    Within ``days``: so many ``reports`` about a seller, or so many orders that scoring has ``held_orders``.
    ``due_days``: calendar days until a case should be decided.
    """

    days: Days = 30
    reports: Annotated[int, Field(ge=1)] = 3
    held_orders: Annotated[int, Field(ge=1)] = 5
    due_days: Days = 14


class Enforcement(Section):
    """The whole section."""

    ladder: Literal["occurrence", "points"]
    occurrence_days: Days
    points_expire_days: Days
    holds: Holds
    appeals: Appeals
    severity: SeverityRules
    measures: dict[str, Measure]
    by_occurrence: tuple[OccurrenceStep, ...]
    by_points: tuple[PointsStep, ...]
    cases: Cases = Cases()
