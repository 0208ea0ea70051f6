"""Every status × command of the transition table, and every role × command of the role table."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest
from enforcement_builders import DAY, SENDER, a_book, a_command, a_policy

from detector.enforcement.book import Book
from detector.enforcement.commands import COMMANDS, Command
from detector.enforcement.refusals import Refusal, RoleNotAllowed
from detector.enforcement.routing import created_by, subject_of
from detector.enforcement.status import case_status, hold_status, investigation_status, violation_status
from detector.enforcement.transitions import CONFISCATE, ROLES, TRANSITIONS, allowed_commands

Step = tuple[int, str, dict[str, Any]]
"""Days after DAY, command, fields."""


@dataclass(frozen=True)
class Situation:
    """How to bring a subject into a status; ``now`` in days after DAY."""

    steps: tuple[Step, ...]
    now: int
    policy: dict[str, Any] = field(default_factory=dict)

    def book(self) -> Book:
        commands = (do(days, kind, **fields) for days, kind, fields in self.steps)
        return a_book(*commands, policy=a_policy(**self.policy))


def do(days: int, kind: str, **fields: Any) -> Command:
    at = DAY + timedelta(days=days)
    return a_command(kind, at, **{"key": f"{days} {kind} {sorted(fields.items())}", **fields})


def held(*steps: Step, now: int = 200) -> Situation:
    """A case with a hold of 500 on 1000; the investigation is completed on day 1."""
    start: tuple[Step, ...] = (
        (0, "credit_proceeds", {}),
        (0, "open_case", {}),
        (0, "place_hold", {"scope": {"currency": "USD", "amount_minor": 500}}),
        (1, "complete_investigation", {}),
    )
    return Situation((*start, *steps), now)


def violated(*steps: Step, now: int, severity: str = "general", **policy: Any) -> Situation:
    """A violation V1, and besides it an open case C9 and an appealable violation V9 of ``now``."""
    start: tuple[Step, ...] = (
        (0, "open_case", {}),
        (0, "open_case", {"case_id": "C9"}),
        (0, "open_case", {"case_id": "C8"}),
        (0, "decide_case", {"severity": severity}),
    )
    second: Step = (now, "decide_case", {"case_id": "C8", "violation_id": "V8", "severity": "minor"})
    return Situation((*start, *steps, second), now, policy)


FILED: Step = (2, "file_appeal", {})
REJECTED: Step = (3, "decide_appeal", {})
GRANTED: Step = (3, "decide_appeal", {"outcome": "granted"})
FILED_AGAIN: Step = (4, "file_appeal", {"appeal_id": "A2"})
REJECTED_AGAIN: Step = (5, "decide_appeal", {"appeal_id": "A2"})
NOT_APPEALABLE = {"appeals": {"non_appealable": [{"severities": ["general"]}]}}
EMPTY = Situation((), 0)

SITUATIONS: dict[str, dict[str, tuple[Situation, ...]]] = {
    "case": {
        "absent": (EMPTY,),
        "open": (held(),),
        "violation": (held((2, "decide_case", {})),),
        "no_violation": (held((2, "decide_case", {"outcome": "no_violation"})),),
        "victim": (held((2, "decide_case", {"outcome": "victim"})),),
        "overturned": (held((2, "decide_case", {}), FILED, GRANTED),),
    },
    "investigation": {
        "absent": (EMPTY,),
        "running": (Situation(((0, "open_case", {}),), 1),),
        "completed": (held(),),
    },
    "hold": {
        "absent": (
            Situation(((0, "open_case", {}),), 1),
            Situation(
                ((0, "open_case", {}), (0, "complete_investigation", {})),
                1,
                {"holds": {"hold_term": "earlier_of"}},
            ),
        ),
        "active": (held(now=2),),
        "releasable": (held(),),
        "settled": (held((150, "settle_hold", {})),),
        "returned": (held((2, "decide_case", {"outcome": "victim"})),),
    },
    "violation": {
        "absent": (
            Situation(((0, "open_case", {"case_id": "C9"}),), 1),
            Situation(((0, "open_case", {"case_id": "C9"}),), 1, NOT_APPEALABLE),
        ),
        "appeal_open": (violated(now=1), violated(now=1, severity="serious")),
        "under_appeal": (violated(FILED, now=3),),
        "second_appeal_open": (violated(FILED, REJECTED, now=4),),
        "under_second_appeal": (violated(FILED, REJECTED, FILED_AGAIN, now=5),),
        "lapsed": (violated(now=100), violated(now=100, severity="serious")),
        "exhausted": (violated(FILED, REJECTED, FILED_AGAIN, REJECTED_AGAIN, now=6),),
        "waived": (violated((2, "waive_appeal", {}), now=3),),
        "not_appealable": (violated(now=1, **NOT_APPEALABLE),),
        "overturned": (violated(FILED, GRANTED, now=4),),
    },
    "appeal": {
        "absent": (violated(now=1),),
        "pending": (violated(FILED, now=3),),
        "granted": (violated(FILED, GRANTED, now=4),),
        "rejected": (violated(FILED, REJECTED, now=4),),
        "failed_no_documents": (violated((2, "file_appeal", {"documents": []}), now=3),),
    },
}

ONE_DOLLAR = {"currency": "USD", "amount_minor": 1}
VARIANTS: dict[tuple[str, str], tuple[dict[str, Any], ...]] = {
    ("case", "place_hold"): ({"hold_id": "H9", "scope": ONE_DOLLAR},),
    ("case", "decide_case"): tuple({"outcome": o} for o in ("violation", "no_violation", "victim")),
    ("case", CONFISCATE): ({"remainder": "confiscate"},),
    ("violation", "decide_case"): ({"case_id": "C9"},),
    ("violation", "file_appeal"): ({"appeal_id": "A9"}, {"appeal_id": "A9", "documents": []}),
    ("appeal", "file_appeal"): ({"violation_id": "V8"}, {"violation_id": "V8", "documents": []}),
    ("appeal", "decide_appeal"): ({"outcome": "granted"}, {"outcome": "rejected"}),
}


def status(book: Book, subject: str, now: datetime) -> str:
    """The status of C1, H1, V1 or A1 at ``now``."""
    state = book.sellers.get("S1")
    if state is None:
        return "absent"
    case, hold = state.cases.get("C1"), state.holds.get("H1")
    appeal = state.appeal("A1").state if "A1" in state.appeal_of else "absent"
    return {
        "case": case_status(case),
        "investigation": investigation_status(case),
        "hold": hold_status(hold, case, now),
        "violation": violation_status(state.violations.get("V1"), now),
        "appeal": appeal,
    }[subject]


CELLS = [
    (subject, at, command)
    for subject, rows in TRANSITIONS.items()
    for at, row in rows.items()
    for command in row
]


@pytest.mark.parametrize(("subject", "at", "command"), CELLS)
def test_each_cell_is_what_happens(subject: str, at: str, command: str):
    cell = TRANSITIONS[subject][at][command]
    seen: set[str] = set()
    variants = VARIANTS.get((subject, command), ({},))
    for situation, fields in product(SITUATIONS[subject][at], variants):
        book = situation.book()
        now = DAY + timedelta(days=situation.now)
        assert status(book, subject, now) == at
        before = dict(book.sellers)
        answer = book.submit(do(situation.now, command.split()[0], **{"key": "last", **fields}))
        if isinstance(answer, Refusal):
            assert book.sellers == before
            assert "cannot" in str(answer)
        seen.add(answer.name if isinstance(answer, Refusal) else status(book, subject, now))
    assert seen == (set(cell) if isinstance(cell, tuple) else {cell.__name__})


def test_every_row_of_a_subject_has_the_same_commands():
    for rows in TRANSITIONS.values():
        assert len({tuple(row) for row in rows.values()}) == 1


def test_the_table_holds_every_command_that_addresses_or_makes_a_subject():
    for kind in COMMANDS:
        command = do(0, kind)
        for subject in (subject_of(command), created_by(command)):
            if subject and subject[0] != "seller":
                columns = {name.split()[0] for rows in TRANSITIONS.values() for name in rows["absent"]}
                assert kind in columns
                own = TRANSITIONS[subject[0]]["absent"]
                assert kind in own or kind == "complete_investigation"


def test_an_unknown_status_allows_what_makes_the_subject():
    assert allowed_commands("case", "absent") == ("open_case",)
    assert allowed_commands("hold", "settled") == ()


@pytest.mark.parametrize("kind", list(COMMANDS))
@pytest.mark.parametrize("role", ["system", "analyst", "enforcer", "approver", "seller"])
def test_each_role_may_give_its_commands_only(kind: str, role: str):
    answer = Book(a_policy()).submit(do(0, kind, actor={"id": "someone", "role": role}))
    assert isinstance(answer, RoleNotAllowed) == (role not in ROLES[kind])


def test_the_builders_send_each_command_in_an_allowed_role():
    assert all(SENDER[kind] in ROLES[kind] for kind in COMMANDS)
