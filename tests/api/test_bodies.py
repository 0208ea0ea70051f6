"""Bodies as the contract's tables."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from api.bodies import SCORED_ORDER
from api.examples import ROWS

ORDER = ROWS["orders"]


@pytest.mark.parametrize("line_no", [3, "3"])
def test_a_line_may_be_numbered(line_no: object) -> None:
    order = TypeAdapter(SCORED_ORDER).validate_python(ORDER | {"items": [{"line_no": line_no}]})
    assert order["items"][0]["line_no"] == "3"


@pytest.mark.parametrize("line_no", [True, 3.0, None, ""])
def test_a_line_is_numbered_by_nothing_else(line_no: object) -> None:
    with pytest.raises(ValidationError, match="line_no"):
        TypeAdapter(SCORED_ORDER).validate_python(ORDER | {"items": [{"line_no": line_no}]})
