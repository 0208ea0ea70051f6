"""What a policy file must satisfy beyond the types of its fields.

Each check yields the path of the offending value and a sentence that says what would be right.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from detector.policy.enforcement import SEVERITIES, Enforcement, LadderMeasure
from detector.policy.positions import Path
from detector.policy.schema import Policy

__all__ = ["Problem", "is_zone", "nearest", "problems"]

Problem = tuple[Path, str]


def problems(policy: Policy) -> Iterator[Problem]:
    """Every breach, in the order of the sections."""
    if not is_zone(policy.timezone):
        yield ("timezone",), "it should be an IANA time zone name such as 'Asia/Shanghai' or 'UTC'"
    yield from _enforcement(policy.enforcement)


def is_zone(name: str) -> bool:
    """Whether ``name`` is an IANA time zone that this machine or the tzdata package knows."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def nearest(name: str, known: tuple[str, ...]) -> str:
    """Hint on the closest known name, empty when none is close."""
    close = get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def _enforcement(section: Enforcement) -> Iterator[Problem]:
    yield from _occurrence_steps(section)
    yield from _points_steps(section)
    yield from _levels_rise(section)
    for number, occurrence_step in enumerate(section.by_occurrence):
        yield from _measures(section, ("enforcement", "by_occurrence", number), occurrence_step.measures)
    for number, points_step in enumerate(section.by_points):
        yield from _measures(section, ("enforcement", "by_points", number), points_step.measures)


def _occurrence_steps(section: Enforcement) -> Iterator[Problem]:
    last: dict[str, int] = {}
    for number, step in enumerate(section.by_occurrence):
        path = ("enforcement", "by_occurrence", number, "occurrence")
        if step.severity not in last and step.occurrence != 1:
            yield path, f"the first step of severity {step.severity!r} should be occurrence 1"
        elif step.occurrence <= last.get(step.severity, 0):
            yield path, f"it should be more than {last[step.severity]}, the step before of {step.severity!r}"
        last[step.severity] = step.occurrence
    for severity in SEVERITIES:
        if severity not in last:
            yield ("enforcement", "by_occurrence"), f"severity {severity!r} should have a step occurrence = 1"


def _points_steps(section: Enforcement) -> Iterator[Problem]:
    reached = -1
    for number, step in enumerate(section.by_points):
        path = ("enforcement", "by_points", number, "points")
        if number == 0 and step.points != 0:
            yield path, "the first step should be points = 0, so that every total has a step"
        elif step.points <= reached:
            yield path, f"it should be more than {reached}, the step before"
        reached = step.points
    if not section.by_points:
        yield ("enforcement", "by_points"), "there should be a step points = 0"


def _levels_rise(section: Enforcement) -> Iterator[Problem]:
    levels = [getattr(section.severity, severity) for severity in SEVERITIES]
    for name, milder, level in zip(SEVERITIES[1:], levels, levels[1:], strict=False):
        for field in ("points", "fake_order_count", "fake_order_share"):
            if getattr(level, field) < getattr(milder, field):
                path = ("enforcement", "severity", name, field)
                yield path, f"it should be at least {getattr(milder, field)}, that of the milder level"


def _measures(section: Enforcement, step: Path, measures: tuple[LadderMeasure, ...]) -> Iterator[Problem]:
    seen: set[str] = set()
    for number, entry in enumerate(measures):
        path = (*step, "measures", number)
        declared = section.measures.get(entry.measure)
        if declared is None:
            hint = nearest(entry.measure, tuple(section.measures))
            yield (*path, "measure"), f"it should be a name of [enforcement.measures]{hint}"
        elif declared.duration == "temporary" and entry.days is None:
            yield path, f"{entry.measure} is temporary: it should have days = 1 or more"
        elif declared.duration == "permanent" and entry.days is not None:
            yield (*path, "days"), f"{entry.measure} is permanent: it should have no days"
        elif declared.after_appeals and not entry.needs_approval:
            yield path, f"{entry.measure} cannot be undone: it should have needs_approval = true"
        if entry.measure in seen:
            yield path, f"{entry.measure} should stand only once in a step"
        seen.add(entry.measure)
