"""Deciding on appeals: two per violation, each in its window (policy §5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from detector.enforcement.commands import DecideAppeal, FileAppeal, WaiveAppeal
from detector.enforcement.days import days_left
from detector.enforcement.draft import Draft
from detector.enforcement.events import (
    AppealFailed,
    AppealFiled,
    AppealGranted,
    AppealRejected,
    AppealWaived,
    MeasureSet,
    MeasuresResumed,
    MeasuresSuspended,
    ReassessmentFlagged,
)
from detector.enforcement.guard import check_appeal, check_violation, refuse_same_actor
from detector.enforcement.holds import restore

__all__ = ["decide_appeal", "file_appeal", "waive_appeal"]


def file_appeal(draft: Draft, command: FileAppeal) -> None:
    check_violation(draft.state, command.violation_id, command.type, draft.now)
    check_appeal(draft.state, command.appeal_id, command.type)
    stage = len(draft.state.violations[command.violation_id].appeals) + 1
    documents = command.documents or ()
    draft.add(
        AppealFiled(
            at=draft.now,
            appeal_id=command.appeal_id,
            violation_id=command.violation_id,
            stage=stage,
            documents=documents,
        )
    )
    if not documents:
        next_until = _second_window(draft, stage)
        draft.add(AppealFailed(at=draft.now, appeal_id=command.appeal_id, next_until=next_until))
        draft.notify("appeal_result", command.violation_id)
    elif draft.policy.appeals.suspends_penalty:
        draft.add(MeasuresSuspended(at=draft.now, violation_id=command.violation_id))


def _second_window(draft: Draft, stage: int) -> datetime | None:
    return draft.day_end(draft.policy.appeals.second_days) if stage == 1 else None


def decide_appeal(draft: Draft, command: DecideAppeal) -> None:
    check_appeal(draft.state, command.appeal_id, command.type)
    violation = draft.state.violations[draft.state.appeal_of[command.appeal_id]]
    refuse_same_actor(command, draft.state.cases[violation.case_id])
    if command.outcome == "granted":
        _grant(draft, command)
    else:
        _reject(draft, command, draft.state.appeal(command.appeal_id).stage)


def _grant(draft: Draft, command: DecideAppeal) -> None:
    violation = draft.state.violations[draft.state.appeal_of[command.appeal_id]]
    draft.add(
        AppealGranted(
            at=draft.now,
            appeal_id=command.appeal_id,
            decided_by=command.actor.id,
            reason=command.reason,
        )
    )
    restore(draft, violation.case_id, f"decide_appeal {command.appeal_id} granted")
    for later in draft.state.violations.values():
        if violation.violation_id in later.raised_by and not later.overturned:
            draft.add(
                ReassessmentFlagged(
                    at=draft.now,
                    violation_id=later.violation_id,
                    overturned_id=violation.violation_id,
                )
            )
    draft.notify("appeal_result", violation.violation_id)
    draft.notify("restoration", violation.violation_id)


def _reject(draft: Draft, command: DecideAppeal, stage: int) -> None:
    violation = draft.state.violations[draft.state.appeal_of[command.appeal_id]]
    draft.add(
        AppealRejected(
            at=draft.now,
            appeal_id=command.appeal_id,
            decided_by=command.actor.id,
            reason=command.reason,
            next_until=_second_window(draft, stage),
        )
    )
    if violation.suspended_at:
        measures = tuple(_resume(draft, measure, violation.suspended_at) for measure in violation.measures)
        draft.add(MeasuresResumed(at=draft.now, violation_id=violation.violation_id, measures=measures))
    draft.notify("appeal_result", violation.violation_id)


def _resume(draft: Draft, measure: MeasureSet, suspended_at: datetime) -> MeasureSet:
    """A temporary measure goes on with the whole calendar days it had left when the appeal stopped it."""
    if measure.starts_at is None or measure.ends_at is None or measure.ends_at <= suspended_at:
        return measure
    left = days_left(max(measure.starts_at, suspended_at), measure.ends_at, draft.zone)
    return replace(measure, starts_at=draft.now, ends_at=draft.day_end(left))


def waive_appeal(draft: Draft, command: WaiveAppeal) -> None:
    check_violation(draft.state, command.violation_id, command.type, draft.now)
    draft.add(AppealWaived(at=draft.now, violation_id=command.violation_id))
