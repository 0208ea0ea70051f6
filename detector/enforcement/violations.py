"""Deciding cases and approving measures (policy §3 and §5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from detector.enforcement.commands import ApproveMeasures, DecideCase
from detector.enforcement.draft import Draft
from detector.enforcement.events import CaseDecided, MeasuresApproved, MeasureSet, ViolationFound
from detector.enforcement.guard import check_case, check_violation, refuse_same_actor
from detector.enforcement.holds import restore
from detector.enforcement.ladder import choose_step, is_appealable, severity_of
from detector.enforcement.state import Violation
from detector.policy.enforcement import LadderMeasure

__all__ = ["approve_measures", "decide_case"]


def decide_case(draft: Draft, command: DecideCase) -> None:
    check_case(draft.state, command.case_id, command.type)
    violation_id = command.violation_id if command.outcome == "violation" else None
    if violation_id is not None:
        check_violation(draft.state, violation_id, command.type, draft.now)
    draft.add(
        CaseDecided(
            at=draft.now, case_id=command.case_id, outcome=command.outcome, decided_by=command.actor.id
        )
    )
    if violation_id is not None:
        _find_violation(draft, command, violation_id)
    elif restore(draft, command.case_id, f"decide_case {command.case_id} {command.outcome}"):
        draft.notify("restoration")


def _find_violation(draft: Draft, command: DecideCase, violation_id: str) -> None:
    case = draft.state.cases[command.case_id]
    severity = command.severity or severity_of(case, draft.policy.severity)
    step = choose_step(draft.state, severity, draft.policy, draft.now)
    measures = tuple(_set(draft, chosen) for chosen in step.measures)
    appeals = draft.policy.appeals
    appealable = is_appealable(case, severity, appeals)
    draft.add(
        ViolationFound(
            at=draft.now,
            violation_id=violation_id,
            case_id=command.case_id,
            severity=severity,
            occurrence=step.occurrence,
            points=step.points,
            counts_until=draft.day_end(draft.policy.occurrence_days),
            points_until=draft.day_end(draft.policy.points_expire_days),
            raised_by=step.raised_by,
            measures=measures,
            appeal_until=draft.day_end(appeals.first_days) if appealable else None,
            rights_revoked_until=_rights_revoked_until(draft, measures),
        )
    )
    draft.notify("violation", violation_id)


def _set(draft: Draft, chosen: LadderMeasure) -> MeasureSet:
    declared = draft.policy.measures[chosen.measure]
    proposed = MeasureSet(
        measure=chosen.measure,
        days=chosen.days,
        after_appeals=declared.after_appeals,
        revokes_rights=declared.revokes_rights,
        starts_at=None,
        ends_at=None,
    )
    return proposed if chosen.needs_approval else _start(draft, proposed)


def _start(draft: Draft, measure: MeasureSet) -> MeasureSet:
    ends_at = None if measure.days is None else draft.day_end(measure.days)
    return replace(measure, starts_at=draft.now, ends_at=ends_at)


def _rights_revoked_until(draft: Draft, measures: tuple[MeasureSet, ...]) -> datetime | None:
    """End of the hold's calendar days when a notice sent now imposes a measure that revokes rights."""
    revoked = any(measure.revokes_rights and measure.starts_at == draft.now for measure in measures)
    return draft.day_end(draft.policy.holds.days) if revoked else None


def approve_measures(draft: Draft, command: ApproveMeasures) -> None:
    check_violation(draft.state, command.violation_id, command.type, draft.now)
    violation = draft.state.violations[command.violation_id]
    refuse_same_actor(command, draft.state.cases[violation.case_id])
    proposed = [measure for measure in violation.measures if measure.starts_at is None]
    if violation.overturned or not proposed:
        return
    measures = tuple(
        _start(draft, measure) if measure.starts_at is None else measure for measure in violation.measures
    )
    draft.add(
        MeasuresApproved(
            at=draft.now,
            violation_id=violation.violation_id,
            approved_by=command.actor.id,
            measures=measures,
            appeal_until=_first_window(draft, violation),
            rights_revoked_until=_rights_revoked_until(draft, measures),
        )
    )
    draft.notify("violation", violation.violation_id)


def _first_window(draft: Draft, violation: Violation) -> datetime | None:
    """The first window counts from the latest notice, unless it has been used or given up."""
    used = violation.appeals or violation.waived or not violation.appealable
    return None if used else draft.day_end(draft.policy.appeals.first_days)
