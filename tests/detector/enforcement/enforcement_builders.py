"""Commands and policies with defaults, for the tests of enforcement."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from detector.enforcement.book import Book
from detector.enforcement.commands import Command
from detector.enforcement.events import Event
from detector.enforcement.parse import parse_command
from detector.enforcement.refusals import Refusal
from detector.policy.enforcement import Enforcement
from detector.policy.loader import load_policy
from detector.policy.schema import Policy

SCENARIOS = Path(__file__).with_name("scenarios")
SECTION = tomllib.loads((SCENARIOS / "_policy.toml").read_text(encoding="utf-8"))
SHIPPED = load_policy()
DAY = datetime(2024, 3, 1, 12, tzinfo=UTC)

ACTORS = {"system": "sys", "analyst": "ann", "enforcer": "eve", "approver": "pat", "seller": "S1"}
SENDER = {
    "credit_proceeds": "system",
    "open_case": "analyst",
    "extend_case": "analyst",
    "place_hold": "enforcer",
    "decide_case": "enforcer",
    "approve_measures": "approver",
    "complete_investigation": "enforcer",
    "establish_loss": "enforcer",
    "settle_hold": "approver",
    "file_appeal": "seller",
    "decide_appeal": "approver",
    "waive_appeal": "seller",
    "report_overdue": "system",
}
FIELDS: dict[str, dict[str, Any]] = {
    "credit_proceeds": {"seller_id": "S1", "order_id": "O1", "currency": "USD", "amount_minor": 1000},
    "open_case": {
        "case_id": "C1",
        "seller_id": "S1",
        "clauses": ["self_dealing"],
        "order_ids": ["O1"],
        "fake_order_count": 1,
        "fake_order_share": 0.01,
        "fake_gmv_minor": {"USD": 1000},
        "source": "scan",
    },
    "extend_case": {
        "case_id": "C1",
        "clauses": ["reviews"],
        "order_ids": ["O2"],
        "fake_order_count": 2,
        "fake_order_share": 0.02,
        "fake_gmv_minor": {"USD": 2000},
    },
    "place_hold": {"hold_id": "H1", "case_id": "C1", "scope": "all"},
    "decide_case": {"case_id": "C1", "outcome": "violation", "severity": "general", "violation_id": "V1"},
    "approve_measures": {"violation_id": "V1"},
    "complete_investigation": {"case_id": "C1"},
    "establish_loss": {
        "case_id": "C1",
        "losses": [{"to": "buyer:B1", "currency": "USD", "amount_minor": 100}],
    },
    "settle_hold": {"hold_id": "H1", "remainder": "return"},
    "file_appeal": {"appeal_id": "A1", "violation_id": "V1", "documents": ["invoice.pdf"]},
    "decide_appeal": {"appeal_id": "A1", "outcome": "rejected", "reason": "the papers do not match"},
    "waive_appeal": {"violation_id": "V1"},
    "report_overdue": {},
}


def a_command_line(kind: str, at: datetime | str = DAY, **fields: Any) -> dict[str, Any]:
    """A command as the log holds it; ``actor`` and ``key`` may be among ``fields``."""
    role = SENDER[kind]
    when = at if isinstance(at, str) else at.isoformat()
    common = {"at": when, "type": kind, "key": f"{kind} {when}", "actor": {"id": ACTORS[role], "role": role}}
    return {**common, **FIELDS[kind], **fields}


def a_command(kind: str, at: datetime | str = DAY, **fields: Any) -> Command:
    return parse_command(a_command_line(kind, at, **fields))


def a_policy(timezone: str = "UTC", **overrides: Any) -> Policy:
    """The scenarios' policy; ``overrides`` replace parts of its enforcement section, tables key by key."""
    enforcement = Enforcement.model_validate_json(json.dumps(_merged(SECTION, overrides)))
    return SHIPPED.model_copy(update={"timezone": timezone, "enforcement": enforcement})


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in changes.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(name), Mapping)
        merged[name] = _merged(merged[name], value) if both else value
    return merged


def a_book(*commands: Command, policy: Policy | None = None) -> Book:
    """A book that has taken all ``commands``; fails when one of them is refused."""
    book = Book(policy or a_policy())
    for command in commands:
        taken(book, command)
    return book


def taken(book: Book, command: Command) -> tuple[Event, ...]:
    """The events of a command that must be accepted."""
    answer = book.submit(command)
    assert not isinstance(answer, Refusal), str(answer)
    return answer


def refused(book: Book, command: Command) -> Refusal:
    """The refusal of a command that must be refused."""
    answer = book.submit(command)
    assert isinstance(answer, Refusal), answer
    return answer
