"""Notices as commands bring them about, for the tests of letters and of their delivery."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from enforcement_builders import a_book, a_command, a_policy, taken

from detector.enforcement.book import Book
from detector.enforcement.commands import Command
from detector.outward.announce import Announcement, announcements
from detector.outward.notices import Finding, reminder

SHARED_DEVICE = Finding(
    "self_dealing", 2, {"en": "Two accounts share a device.", "zh": "两个账号共用同一设备。"}
)
FINDINGS = (SHARED_DEVICE,)
TERM_OVER = "2024-09-01T00:00:00Z"


def announced(book: Book, command: Command) -> list[Announcement]:
    """What the command, which must be accepted, announces."""
    before = len(book.history)
    events = taken(book, command)
    seller_id = book.history[-1].seller_id
    return announcements(book.sellers[seller_id], before, events, book.policy, FINDINGS)


def a_market(*commands: Command, **policy: Any) -> Book:
    """A market in Shanghai: proceeds, a case with two clauses, then ``commands``."""
    clauses = ["self_dealing", "invalid_tracking"]
    opening = (
        a_command("credit_proceeds", amount_minor=500_000),
        a_command("open_case", clauses=clauses, order_ids=["O1", "O2"]),
    )
    return a_book(*opening, *commands, policy=a_policy("Asia/Shanghai", **policy))


def a_notice(book: Book, command: Command, kind: str) -> dict[str, Any]:
    """The notice of ``kind`` that the command sends."""
    made = announced(book, command)
    return next(announcement.payload for announcement in made if announcement.kind == f"notice.{kind}")


def _violation() -> dict[str, Any]:
    return a_notice(a_market(), a_command("decide_case", severity="serious"), "violation")


def _not_appealable() -> dict[str, Any]:
    book = a_market(appeals={"non_appealable": [{"clauses": ["self_dealing"]}]})
    return a_notice(book, a_command("decide_case", severity="critical"), "violation")


def _hold() -> dict[str, Any]:
    return a_notice(a_market(), a_command("place_hold"), "hold")


def _hold_settled() -> dict[str, Any]:
    book = a_market(
        a_command("place_hold"),
        a_command("decide_case"),
        a_command("complete_investigation"),
        a_command("establish_loss"),
    )
    return a_notice(book, a_command("settle_hold", TERM_OVER, remainder="confiscate"), "hold")


def _filed(stage: int) -> Book:
    book = a_market(a_command("decide_case"))
    taken(book, a_command("file_appeal", "2024-03-02"))
    if stage == 2:
        taken(book, a_command("decide_appeal", "2024-03-03"))
        taken(book, a_command("file_appeal", "2024-03-04", appeal_id="A2"))
    return book


def _granted(kind: str) -> dict[str, Any]:
    book = a_market(a_command("place_hold"), a_command("decide_case"))
    taken(book, a_command("file_appeal", "2024-03-02"))
    return a_notice(book, a_command("decide_appeal", "2024-03-03", outcome="granted"), kind)


def _reminder() -> dict[str, Any]:
    book = a_market(a_command("decide_case"))
    state = book.sellers["S1"]
    return reminder(state, state.violations["V1"], a_command("report_overdue", "2024-03-28").at, book.policy)


NOTICES: dict[str, Callable[[], dict[str, Any]]] = {
    "violation": _violation,
    "violation_not_appealable": _not_appealable,
    "hold": _hold,
    "hold_settled": _hold_settled,
    "appeal_result_rejected": lambda: a_notice(
        _filed(1), a_command("decide_appeal", "2024-03-03"), "appeal_result"
    ),
    "appeal_result_final": lambda: a_notice(
        _filed(2), a_command("decide_appeal", "2024-03-05", appeal_id="A2"), "appeal_result"
    ),
    "appeal_result_no_documents": lambda: a_notice(
        a_market(a_command("decide_case")),
        a_command("file_appeal", "2024-03-02", documents=[]),
        "appeal_result",
    ),
    "appeal_result_granted": lambda: _granted("appeal_result"),
    "restoration": lambda: _granted("restoration"),
    "restoration_victim": lambda: a_notice(
        a_market(a_command("place_hold")),
        a_command("decide_case", outcome="victim", severity=None, violation_id=None),
        "restoration",
    ),
    "reminder": _reminder,
}
"""Name → how such a notice comes about; each is a golden file per language."""
