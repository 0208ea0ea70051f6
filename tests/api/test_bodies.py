"""Bodies as the contract's tables."""

from __future__ import annotations

from dataclasses import fields

import pytest
from pydantic import TypeAdapter, ValidationError

from api.answers import DecisionAnswer, ReasonAnswer, VersionsAnswer
from api.bodies import SCORED_ORDER
from api.examples import ROWS
from detector.contract import INPUT_TABLES, Column
from detector.service import Decision, Reason, Versions

ORDER = ROWS["orders"]
HIDDEN = {
    *("device_id", "ip_address", "payment_id", "recipient_phone", "ship_to_address"),
    *("ship_to_region", "ship_to_city", "ship_to_postcode"),
}
"""Text columns of an order that exports mask."""


@pytest.mark.parametrize("line_no", [3, "3"])
def test_a_line_may_be_numbered(line_no: object) -> None:
    order = TypeAdapter(SCORED_ORDER).validate_python(ORDER | {"items": [{"line_no": line_no}]})
    assert order["items"][0]["line_no"] == "3"


@pytest.mark.parametrize("line_no", [True, 3.0, None, ""])
def test_a_line_is_numbered_by_nothing_else(line_no: object) -> None:
    with pytest.raises(ValidationError, match="line_no"):
        TypeAdapter(SCORED_ORDER).validate_python(ORDER | {"items": [{"line_no": line_no}]})


OPTIONAL_TEXTS = [
    one
    for one in INPUT_TABLES["orders"].columns
    if one.kind == "string" and not one.required and not one.enum
]


@pytest.mark.parametrize("column", OPTIONAL_TEXTS, ids=lambda column: column.name)
@pytest.mark.parametrize("text", ["", " \t", "a**b", "a*b"])
def test_a_blank_or_masked_text_is_missing(column: Column, text: str) -> None:
    sent = ORDER | {column.name: text}
    order = TypeAdapter(SCORED_ORDER).validate_python(sent)
    hides = (column.name in HIDDEN and "**" in text) or (column.name == "recipient_name" and "*" in text)
    assert order[column.name] == (None if hides or not text.strip() else text)
    assert sent[column.name] == text, "what was sent stays as it is: claims are made of it"


def test_nested_rows_are_tidied_and_ids_that_places_imply_are_not() -> None:
    nested = ORDER | {"items": [{"line_no": "1", "product_id": "  "}]}
    assert TypeAdapter(SCORED_ORDER).validate_python(nested)["items"][0]["product_id"] is None
    with pytest.raises(ValidationError, match="order_id of a nested row must be that of the row around it"):
        TypeAdapter(SCORED_ORDER).validate_python(ORDER | {"items": [{"line_no": "1", "order_id": " "}]})


@pytest.mark.parametrize("row", [None, [], "x", 3])
def test_what_is_no_row_is_refused(row: object) -> None:
    with pytest.raises(ValidationError, match="valid dictionary"):
        TypeAdapter(SCORED_ORDER).validate_python(row)


def test_a_decision_has_the_members_that_are_documented() -> None:
    assert [field.name for field in fields(Decision)] == list(DecisionAnswer.model_fields)
    assert [field.name for field in fields(Versions)] == list(VersionsAnswer.model_fields)
    assert [field.name for field in fields(Reason)] == list(ReasonAnswer.model_fields)
