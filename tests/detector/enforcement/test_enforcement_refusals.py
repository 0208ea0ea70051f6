"""Every refusal speaks: what it is, what cannot be done, what is allowed instead."""

from __future__ import annotations

import pytest
from enforcement_builders import DAY

from detector.enforcement import refusals as r

MESSAGES = [
    (
        r.AppealWindowClosed("V1", DAY),
        "the appeal window of violation V1 is closed since 2024-03-01T12:00:00Z; cannot appeal. "
        "Allowed: none.",
    ),
    (
        r.AppealWindowClosed("V1", None),
        "the appeal window of violation V1 is closed by waiver; cannot appeal. Allowed: none.",
    ),
    (r.AppealLimitReached("V1", 2), "violation V1 has had 2 appeals; cannot appeal. Allowed: none."),
    (
        r.AppealPending("V1", "A1", "file_appeal"),
        "violation V1 is under appeal A1; cannot file_appeal. Allowed: wait for its decision.",
    ),
    (
        r.NotAppealable("V1", "file_appeal"),
        "violation V1 is not appealable; cannot file_appeal. Allowed: none.",
    ),
    (
        r.SameActor("pat", "C1", "decide_appeal"),
        "actor pat decided case C1; cannot decide_appeal. Allowed: another approver.",
    ),
    (
        r.RoleNotAllowed("ann", "analyst", "settle_hold", ("approver",)),
        "actor ann is analyst; cannot settle_hold. Allowed: approver.",
    ),
    (
        r.InsufficientFunds("seller", "S1", "payable", {"USD": 300}, {"USD": 200}, "place_hold"),
        "seller S1 has USD 300 payable (minor units); cannot place_hold: short of USD 200. "
        "Allowed: up to what is payable.",
    ),
    (
        r.HoldTermNotEnded("H1", DAY),
        "hold H1 is active; cannot settle_hold. Allowed: settle_hold from 2024-03-01T12:00:00Z.",
    ),
    (
        r.HoldTermNotEnded("H1", None),
        "hold H1 is active; cannot settle_hold. Allowed: complete_investigation.",
    ),
    (
        r.HoldAlreadySettled("H1", "returned"),
        "hold H1 is returned; cannot settle_hold. Allowed: none.",
    ),
    (
        r.UnknownSubject("case", "C1", "place_hold"),
        "case C1 does not exist; cannot place_hold. Allowed: an existing case.",
    ),
    (
        r.InvalidTransition("case", "C1", "victim", "place_hold", ()),
        "case C1 is victim; cannot place_hold. Allowed: none.",
    ),
    (
        r.IdempotencyConflict("k1", "open_case"),
        "key k1 was used for another command; cannot open_case. Allowed: the same content, or a new key.",
    ),
    (
        r.TimeWentBack(DAY, DAY),
        "time is 2024-03-01T12:00:00Z; cannot take a command at 2024-03-01T12:00:00Z. "
        "Allowed: at or after that time.",
    ),
    (
        r.InvalidCommand("open_case", "clauses.0", "it should be 'reviews'"),
        "field clauses.0 of open_case: it should be 'reviews'",
    ),
    (r.InvalidCommand("open_case", "", "it should be an object"), "open_case: it should be an object"),
]


@pytest.mark.parametrize(("refusal", "message"), MESSAGES)
def test_message(refusal: r.Refusal, message: str):
    assert str(refusal) == message


def test_every_refusal_of_the_contract_has_its_message_here():
    assert {type(refusal) for refusal, _ in MESSAGES} == set(r.REFUSALS)
    assert len(r.REFUSALS) == 14
