"""The tables of ``docs/enforcement.md``, made from the tables that the code obeys.

``python -m detector.enforcement_tables docs/enforcement.md`` writes them into the page, between
``<!-- table NAME -->`` and ``<!-- end -->``; a test compares the page with what would be written.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from detector.enforcement.commands import COMMANDS, Role
from detector.enforcement.refusals import REFUSALS
from detector.enforcement.transitions import ROLES, TRANSITIONS, Cell
from detector.policy.enforcement import LadderMeasure
from detector.policy.loader import load_policy

__all__ = ["TABLES", "fill"]

_BLOCK = re.compile(r"(<!-- table ([\w ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def fill(page: str) -> str:
    """The page with every table block made anew (KeyError for a block that no table has)."""
    return _BLOCK.sub(lambda block: f"{block[1]}\n{TABLES[block[2]]()}\n\n{block[3]}", page)


def _markdown(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = list(header)
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _transitions(subject: str) -> str:
    rows = TRANSITIONS[subject]
    commands = list(next(iter(rows.values())))
    body = ([f"`{status}`", *(_cell(row[name]) for name in commands)] for status, row in rows.items())
    return _markdown([subject, *(f"`{name}`" for name in commands)], body)


def _cell(cell: Cell) -> str:
    return "→ " + " / ".join(cell) if isinstance(cell, tuple) else f"✗ {cell.__name__}"


def _roles() -> str:
    roles: tuple[Role, ...] = ("system", "analyst", "enforcer", "approver", "seller")
    body = (
        [f"`{command}`", *("yes" if role in ROLES[command] else "" for role in roles)] for command in COMMANDS
    )
    return _markdown(["command", *roles], body)


def _refusals() -> str:
    body = ([f"`{refusal.__name__}`", (refusal.__doc__ or "").split("\n")[0]] for refusal in REFUSALS)
    return _markdown(["error", "meaning"], body)


def _measures() -> str:
    measures = load_policy().enforcement.measures
    body = (
        [
            measure.clause,
            f"`{name}`",
            measure.duration,
            "yes" if measure.revokes_rights else "",
            "yes" if measure.after_appeals else "",
        ]
        for name, measure in measures.items()
    )
    return _markdown(["clause", "measure", "duration", "revokes rights", "only after the appeals"], body)


def _ladder_by_occurrence() -> str:
    steps = load_policy().enforcement.by_occurrence
    body = ([step.severity, str(step.occurrence), _step(step.measures)] for step in steps)
    return _markdown(["severity", "from occurrence", "measures (* after approval)"], body)


def _ladder_by_points() -> str:
    steps = load_policy().enforcement.by_points
    body = ([str(step.points), _step(step.measures)] for step in steps)
    return _markdown(["from points", "measures (* after approval)"], body)


def _step(measures: Iterable[LadderMeasure]) -> str:
    def shown(entry: LadderMeasure) -> str:
        days = f" {entry.days} d" if entry.days else ""
        return f"`{entry.measure}`{days}{'*' if entry.needs_approval else ''}"

    return ", ".join(shown(entry) for entry in measures)


TABLES: dict[str, Callable[[], str]] = {
    **{f"transitions {subject}": partial(_transitions, subject) for subject in TRANSITIONS},
    "roles": _roles,
    "refusals": _refusals,
    "measures": _measures,
    "ladder by occurrence": _ladder_by_occurrence,
    "ladder by points": _ladder_by_points,
}
"""Name of a block → its Markdown."""


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(fill(page.read_text(encoding="utf-8")), encoding="utf-8")
