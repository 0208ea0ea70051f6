"""Request bodies, derived from the data contract: names, types, enums, ranges and ISO lists have one home.

A row is checked as ingest checks it (``detector/ingest/checks.py``), but JSON has types: a number is a
number, not its text. A blank or masked text is missing. Unknown members are ignored, as unknown columns
are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import new_class
from typing import Annotated, Any, Literal, Required

import pycountry
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    WithJsonSchema,
    WrapValidator,
)
from typing_extensions import TypedDict

from detector.contract import INPUT_TABLES, Column
from detector.ingest.checks import ISO_INSTANT, mask_of

__all__ = ["BULK", "MAX_ROWS", "ORDERS_BODY", "SCORED_ORDER", "Refused"]

MAX_ROWS = 1000
"""Orders or rows of one request."""
MAX_ID_CHARS = 200
"""The longest id: three of four bytes a character still fit into one index entry of PostgreSQL."""
MAX_TEXT_CHARS = 10_000

_FREE_TEXT = {"text", "title", "reason", "ship_to_address", "identifier_value"}
_MAX_INT = 2**63 - 1
_EARLIEST, _LATEST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_ISO_INSTANT = re.compile(ISO_INSTANT)


@dataclass(frozen=True, slots=True)
class Refused:
    """A row of a bulk request that breaks the contract, and why."""

    reason: str


def _typed_dict(name: str, fields: Mapping[str, Any]) -> Any:
    """A TypedDict whose members are only known here; what it does not name is ignored."""
    space = {"__annotations__": dict(fields), "__module__": __name__}
    return new_class(name, (TypedDict,), {"total": False}, lambda body: body.update(space))


def _code(codes: frozenset[str], should: str) -> Callable[[str], str]:
    def known(value: str) -> str:
        if value not in codes:
            raise ValueError(f"it must be an {should}")
        return value

    return known


_currency = _code(
    frozenset(currency.alpha_3 for currency in pycountry.currencies), "ISO 4217 currency code such as USD"
)
_country = _code(
    frozenset(country.alpha_2 for country in pycountry.countries),
    "ISO 3166-1 alpha-2 country code such as DE",
)


def _instant(value: object) -> datetime:
    """As ingest reads it: ISO 8601 with a time of day, between 1990 and 2199, UTC without an offset."""
    if not isinstance(value, str) or not _ISO_INSTANT.fullmatch(value):
        raise ValueError("it must be an ISO 8601 time such as 2024-05-01T13:45:00Z")
    try:
        parsed = datetime.fromisoformat(value)
        instant = (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("there is no such time") from None
    if not _EARLIEST <= instant < _LATEST:
        raise ValueError("a time must lie between 1990 and 2199")
    return instant


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("it is missing; every row needs one")
    return value


def _missing_where_blank_or_masked(names: Iterable[str]) -> Callable[[object], object]:
    """Of a row: at once, for a Python function per value would take longer than all other checks."""
    masks = [(name, mask_of(name)) for name in names]

    def tidy(row: object) -> object:
        if not isinstance(row, dict):
            return row
        missing = [
            name
            for name, mask in masks
            if isinstance(value := row.get(name), str)
            and (not value.strip() or (mask is not None and mask in value))
        ]
        return {**row, **dict.fromkeys(missing)} if missing else row

    return tidy


def _number(column: Column) -> Any:
    low, high = column.minimum, column.maximum
    if column.kind == "float":
        return Annotated[float, Field(strict=True, allow_inf_nan=False, ge=low, le=high)]
    least = -_MAX_INT if low is None else int(low)
    most = _MAX_INT if high is None else int(high)
    return Annotated[int, Field(strict=True, ge=least, le=most)]


def _as_text(value: object) -> object:
    return str(value) if type(value) is int else value


def _text(column: Column) -> Any:
    longest = MAX_TEXT_CHARS if column.name in _FREE_TEXT else MAX_ID_CHARS
    text: Any = Annotated[str, Field(strict=True, max_length=longest)]
    if column.name == "line_no":  # an id by contract, a number to most who count lines
        text = Annotated[text, BeforeValidator(_as_text), WithJsonSchema({"type": ["string", "integer"]})]
    return Annotated[text, Field(min_length=1), AfterValidator(_not_blank)] if column.required else text


def _value(column: Column) -> Any:
    """The type of a column's value, where there is one."""
    if column.kind in ("int", "float"):
        return _number(column)
    if column.kind == "bool":
        return Annotated[bool, Field(strict=True)]
    if column.kind == "timestamp":
        schema = WithJsonSchema({"type": "string", "format": "date-time"})
        return Annotated[datetime, BeforeValidator(_instant), schema]
    if column.kind == "currency":
        return Annotated[str, Field(pattern="^[A-Z]{3}$"), AfterValidator(_currency)]
    if column.kind == "country":
        return Annotated[str, Field(pattern="^[A-Z]{2}$"), AfterValidator(_country)]
    return Literal[column.enum] if column.enum else _text(column)


def _member(column: Column) -> Any:
    value = _value(column)
    return Required[value] if column.required else value | None


def _row(table: str, name: str, implied: str | None = None, **nested: Any) -> Any:
    """The type of a table's row. The ``implied`` column follows from where the row stands; it may be given."""
    columns = INPUT_TABLES[table].columns
    members = {column.name: _member(column) for column in columns}
    texts = [
        one.name for one in columns if one.kind in ("string", "currency", "country") and not one.required
    ]
    if implied is not None:
        members[implied] = _text(Column(implied, "string")) | None
    row = _typed_dict(name, members | nested)
    return Annotated[row, BeforeValidator(_missing_where_blank_or_masked(texts))]


def _agree(row: dict[str, Any], name: str, value: str) -> None:
    """Give a nested row the id that its place implies."""
    if row.get(name) not in (None, value):
        raise ValueError(f"{name} of a nested row must be that of the row around it, or be left out")
    row[name] = value


def _joined(order: dict[str, Any]) -> dict[str, Any]:
    """The order with the ids that its nested rows imply."""
    order_id, shipment, events = order["order_id"], order.get("shipment"), order.get("tracking_events") or ()
    nested = [*(order.get("items") or ()), shipment, order.get("review")]
    for row in filter(None, nested):
        _agree(row, "order_id", order_id)
    for event in events:
        if shipment is None:
            raise ValueError("tracking_events need the shipment that they belong to")
        _agree(event, "shipment_id", shipment["shipment_id"])
    return order


_ITEM: Any = _row("order_items", "OrderItem", "order_id")
_SHIPMENT: Any = _row("shipments", "Shipment")
_EVENT: Any = _row("tracking_events", "NestedTrackingEvent", "shipment_id")
_REVIEW: Any = _row("reviews", "Review")

SCORED_ORDER: Any = Annotated[
    _row(
        "orders",
        "Order",
        items=Annotated[list[_ITEM], Field(max_length=500)] | None,
        shipment=_SHIPMENT | None,
        tracking_events=Annotated[list[_EVENT], Field(max_length=500)] | None,
        review=_REVIEW | None,
    ),
    AfterValidator(_joined),
]
"""An order as the contract has it, with what belongs to it. A dict of the values that were given."""


def _bulk(table: str, row: Any) -> Any:
    """The body of a bulk request: ``{table: [row, …]}``; a row that breaks the contract becomes Refused."""

    def or_refused(value: Any, validate: Callable[[Any], Any]) -> Any:
        try:
            return validate(value)
        except ValidationError as error:
            return Refused(_first_reason(error))

    rows = Annotated[
        list[Annotated[row, WrapValidator(or_refused)]], Field(min_length=1, max_length=MAX_ROWS)
    ]
    name = "".join(part.capitalize() for part in table.split("_"))
    return _typed_dict(f"{name}Body", {table: Required[rows]})


def _first_reason(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, found["loc"]))
    reason = str(found["msg"]).removeprefix("Value error, ")
    return f"{place}: {reason}" if place else reason


BULK: dict[str, Any] = {
    "orders": _bulk("orders", SCORED_ORDER),
    "shipments": _bulk("shipments", _SHIPMENT),
    "tracking_events": _bulk("tracking_events", _row("tracking_events", "TrackingEvent")),
    "reviews": _bulk("reviews", _REVIEW),
    "reports": _bulk("reports", _row("reports", "Report")),
    "labels": _bulk("labels", _row("labels", "Label")),
}
"""Table → body of its bulk route."""

ORDERS_BODY: Any = _typed_dict(
    "ScoredOrders",
    {"orders": Required[Annotated[list[SCORED_ORDER], Field(min_length=1, max_length=MAX_ROWS)]]},
)
"""The body of a batch to be scored: all of its orders are in order, or it is refused as a whole."""
