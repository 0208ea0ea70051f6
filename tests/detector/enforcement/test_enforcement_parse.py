"""The edge: well-formed commands come through, malformed ones are refused with the field named."""

from __future__ import annotations

from typing import Any

import pytest
from enforcement_builders import FIELDS, a_command, a_command_line

from detector.enforcement.commands import COMMANDS, Money
from detector.enforcement.parse import parse_command
from detector.enforcement.refusals import InvalidCommand

MISSING = object()
PLATFORM_LOSS = {"to": "platform", "currency": "USD", "amount_minor": 1}
BAD = [
    ("credit_proceeds", "amount_minor", 0, "amount_minor"),
    ("credit_proceeds", "amount_minor", -5, "amount_minor"),
    ("credit_proceeds", "amount_minor", True, "amount_minor"),
    ("credit_proceeds", "amount_minor", 5.0, "amount_minor"),
    ("credit_proceeds", "amount_minor", "5", "amount_minor"),
    ("credit_proceeds", "amount_minor", 2**63, "amount_minor"),
    ("credit_proceeds", "amount_minor", None, "amount_minor"),
    ("credit_proceeds", "currency", "usd", "currency"),
    ("credit_proceeds", "currency", "ZZZ", "currency"),
    ("credit_proceeds", "currency", 840, "currency"),
    ("credit_proceeds", "seller_id", "", "seller_id"),
    ("credit_proceeds", "seller_id", 7, "seller_id"),
    ("credit_proceeds", "seller_id", "\ud800", "seller_id"),
    ("credit_proceeds", "key", None, "key"),
    ("credit_proceeds", "at", 1709280000, "at"),
    ("credit_proceeds", "at", "2024-13-01", "at"),
    ("credit_proceeds", "actor", {"id": "x"}, "actor.role"),
    ("credit_proceeds", "actor", {"id": "x", "role": "god"}, "actor.role"),
    ("credit_proceeds", "actor", "x", "actor"),
    ("open_case", "clauses", ["theft"], "clauses.0"),
    ("open_case", "clauses", "reviews", "clauses"),
    ("open_case", "fake_order_count", -1, "fake_order_count"),
    ("open_case", "fake_order_count", 1.5, "fake_order_count"),
    ("open_case", "fake_order_share", 1.01, "fake_order_share"),
    ("open_case", "fake_order_share", True, "fake_order_share"),
    ("open_case", "fake_order_share", float("nan"), "fake_order_share"),
    ("open_case", "fake_gmv_minor", {"USD": -1}, "fake_gmv_minor.USD"),
    ("open_case", "fake_gmv_minor", {"XYZ": 1}, "fake_gmv_minor.XYZ"),
    ("open_case", "fake_gmv_minor", 5, "fake_gmv_minor"),
    ("open_case", "order_ids", [1], "order_ids.0"),
    ("open_case", "source", "rumour", "source"),
    ("place_hold", "scope", "some", "scope"),
    ("place_hold", "scope", 5, "scope"),
    ("place_hold", "scope", {"currency": "USD"}, "scope.amount_minor"),
    ("place_hold", "scope", {"currency": "USD", "amount_minor": 0}, "scope.amount_minor"),
    ("decide_case", "outcome", "guilty", "outcome"),
    ("decide_case", "severity", "grave", "severity"),
    ("decide_case", "violation_id", None, "violation_id"),
    ("establish_loss", "losses", [], "losses"),
    ("establish_loss", "losses", [{**PLATFORM_LOSS, "to": "buyer"}], "losses.0.to"),
    ("establish_loss", "losses", [{**PLATFORM_LOSS, "to": "buyer:"}], "losses.0.to"),
    ("establish_loss", "losses", [{**PLATFORM_LOSS, "to": "platform:x"}], "losses.0.to"),
    ("establish_loss", "losses", [{**PLATFORM_LOSS, "amount_minor": False}], "losses.0.amount_minor"),
    ("settle_hold", "remainder", "keep", "remainder"),
    ("file_appeal", "documents", "invoice.pdf", "documents"),
    ("file_appeal", "documents", [""], "documents.0"),
    ("file_appeal", "documents", [{"name": "half a \ud800"}], "documents.0"),
    ("decide_appeal", "outcome", "maybe", "outcome"),
    ("decide_appeal", "reason", "", "reason"),
]


@pytest.mark.parametrize(("kind", "field", "value", "named"), BAD)
def test_a_malformed_command_names_its_field(kind: str, field: str, value: Any, named: str):
    with pytest.raises(InvalidCommand) as caught:
        parse_command({**a_command_line(kind), field: value})
    assert caught.value.field == named
    assert str(caught.value).startswith(f"field {named} of {kind}: ")
    assert "should" in str(caught.value)


REQUIRED = [
    (kind, field)
    for kind, fields in FIELDS.items()
    for field in ("at", "key", "actor", *fields)
    if field not in ("severity", "documents")
]


@pytest.mark.parametrize(("kind", "field"), REQUIRED)
def test_a_missing_field_is_named(kind: str, field: str):
    line = a_command_line(kind)
    del line[field]
    with pytest.raises(InvalidCommand) as caught:
        parse_command(line)
    assert caught.value.field == field


@pytest.mark.parametrize("kind", [None, 5, "", "credit", ["credit_proceeds"]])
def test_an_unknown_type_is_refused(kind: object):
    with pytest.raises(InvalidCommand, match=r"field type of command: .* should be one of credit_proceeds"):
        parse_command({**a_command_line("report_overdue"), "type": kind})


@pytest.mark.parametrize("kind", list(COMMANDS))
def test_every_command_is_read_as_its_class(kind: str):
    assert type(a_command(kind)) is COMMANDS[kind]


def test_clauses_are_named_by_code_or_id():
    command = a_command("open_case", clauses=["2.1.a", "reviews"])
    assert command.clauses == ("self_dealing", "reviews")


def test_a_scope_is_all_or_an_amount():
    assert a_command("place_hold").scope == "all"
    scope = {"currency": "JPY", "amount_minor": 7}
    assert a_command("place_hold", scope=scope).scope == Money("JPY", 7)


@pytest.mark.parametrize("documents", [None, [], MISSING])
def test_documents_may_be_none(documents: object):
    line = a_command_line("file_appeal", documents=documents)
    if documents is MISSING:
        del line["documents"]
    assert not parse_command(line).documents


def test_documents_are_texts_or_objects():
    documents = ["invoice.pdf", {"name": "waybill", "sha256": "00"}]
    assert a_command("file_appeal", documents=documents).documents == tuple(documents)


def test_unknown_fields_are_ignored():
    assert a_command("report_overdue", note="later") == a_command("report_overdue")


def test_a_null_is_no_severity_and_no_violation_id_where_none_is_needed():
    command = a_command("decide_case", outcome="victim", severity=None, violation_id=None)
    assert command.severity is None
