"""Commands, events and states as JSON, and back. What is stored is written and read here only.

The stored name of an event is in ``EVENT_TYPES`` and never changes, whatever happens to its class.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from hashlib import sha256
from typing import Any

from pydantic import TypeAdapter

from detector.enforcement import events as ev
from detector.enforcement.commands import COMMANDS, Command
from detector.enforcement.days import EARLIEST
from detector.enforcement.state import SellerState

__all__ = [
    "EVENT_TYPES",
    "command_data",
    "content_of",
    "event_data",
    "event_type",
    "read_event",
    "read_state",
    "state_form",
    "write_event",
    "write_state",
]

EVENT_TYPES: dict[str, type[ev.Event]] = {
    "case_opened": ev.CaseOpened,
    "case_extended": ev.CaseExtended,
    "investigation_completed": ev.InvestigationCompleted,
    "case_decided": ev.CaseDecided,
    "violation_found": ev.ViolationFound,
    "measures_approved": ev.MeasuresApproved,
    "measures_suspended": ev.MeasuresSuspended,
    "measures_resumed": ev.MeasuresResumed,
    "hold_placed": ev.HoldPlaced,
    "hold_settled": ev.HoldSettled,
    "hold_returned": ev.HoldReturned,
    "loss_established": ev.LossEstablished,
    "loss_paid": ev.LossPaid,
    "money_moved": ev.MoneyMoved,
    "appeal_filed": ev.AppealFiled,
    "appeal_failed": ev.AppealFailed,
    "appeal_rejected": ev.AppealRejected,
    "appeal_granted": ev.AppealGranted,
    "appeal_waived": ev.AppealWaived,
    "reassessment_flagged": ev.ReassessmentFlagged,
    "notice_sent": ev.NoticeSent,
}
"""Stored name → class."""

_NAMES = {cls: name for name, cls in EVENT_TYPES.items()}


_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {
    cls: TypeAdapter(cls) for cls in (*EVENT_TYPES.values(), *COMMANDS.values(), SellerState)
}


def event_type(event: ev.Event) -> str:
    """The stored name of the event's class."""
    return _NAMES[type(event)]


def event_data(event: ev.Event) -> dict[str, Any]:
    """The event's fields as plain JSON values."""
    data: dict[str, Any] = _ADAPTERS[type(event)].dump_python(event, mode="json")
    return data


def write_event(event: ev.Event) -> str:
    """The event's fields as JSON text; equal events give equal text."""
    return _ADAPTERS[type(event)].dump_json(event).decode()


def read_event(kind: str, text: str) -> ev.Event:
    """The event of ``write_event`` whose stored name is ``kind``."""
    event: ev.Event = _ADAPTERS[EVENT_TYPES[kind]].validate_json(text)
    return event


def command_data(command: Command) -> dict[str, Any]:
    """The command as the contract writes it; ``parse_command`` reads it back."""
    return {"type": command.type, **_ADAPTERS[type(command)].dump_python(command, mode="json")}


def content_of(command: Command) -> str:
    """What makes two commands of one key the same: everything but ``at``, as canonical JSON."""
    data = command_data(replace(command, at=EARLIEST))
    del data["at"]
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def write_state(state: SellerState) -> str:
    return _ADAPTERS[SellerState].dump_json(state).decode()


def read_state(text: str) -> SellerState:
    """The state of ``write_state``, when it was written with the same ``state_form``."""
    state: SellerState = _ADAPTERS[SellerState].validate_json(text)
    return state


@cache
def state_form() -> str:
    """Short digest of the fields of ``SellerState``: a state stored in another form is not read but folded."""
    schema = json.dumps(_ADAPTERS[SellerState].json_schema(), sort_keys=True)
    return sha256(schema.encode()).hexdigest()[:16]
