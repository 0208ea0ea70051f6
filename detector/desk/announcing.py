"""Puts what a command's events mean to others into the outbox, in the command's transaction."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from detector.enforcement.events import Event, NoticeSent
from detector.enforcement.state import SellerState
from detector.outward.announce import announcements
from detector.outward.notices import Finding
from detector.policy.schema import Policy
from detector.store.case_files import evidence_of
from detector.store.messages import NewMessage
from detector.store.outbox import append
from detector.store.policies import keep_policy

__all__ = ["announce", "findings_of"]


def announce(
    connection: Connection, state: SellerState, first_sequence: int, events: Sequence[Event], policy: Policy
) -> None:
    """Append the messages about ``events``; ``state`` is the seller's after them."""
    if any(isinstance(event, NoticeSent) for event in events):
        keep_policy(connection, policy, events[-1].at)
    findings = _findings(connection, state, events)
    made = announcements(state, first_sequence, events, policy, findings)
    messages = [NewMessage(m.message_id, state.seller_id, m.kind, m.payload, events[-1].at) for m in made]
    append(connection, messages)


def _findings(connection: Connection, state: SellerState, events: Sequence[Event]) -> list[Finding]:
    """Only a notice of a violation shows any."""
    for event in events:
        if isinstance(event, NoticeSent) and event.kind == "violation" and event.violation_id:
            return findings_of(connection, state.violations[event.violation_id].case_id)
    return []


def findings_of(connection: Connection, case_id: str) -> list[Finding]:
    """What was found in the case, most orders first; kinds of several pieces of evidence are added up."""
    counts: dict[str, int] = {}
    examples: dict[str, Finding] = {}
    for evidence in evidence_of(connection, case_id):
        for found in evidence.content["findings"]:
            code = found["code"]
            counts[code] = counts.get(code, 0) + found["order_count"]
            examples.setdefault(code, Finding(found["clause"], 0, found["message"]))
    ranked = sorted(counts, key=lambda code: (-counts[code], code))
    return [Finding(examples[code].clause, counts[code], examples[code].message) for code in ranked]
