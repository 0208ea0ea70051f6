"""The JSON of a TikTok Shop order list, as far as the import uses it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError

from detector.errors import InputError

__all__ = ["Order", "read_orders"]

_LAST_SECOND = 7_258_118_399  # of the year 2199


def _missing_if_blank(value: object) -> object:
    return None if value in ("", 0, "0") else value


def _decimal_text(value: object) -> object:
    """Only text is exact: a JSON number may have lost digits on its way."""
    if value in ("", None):
        return None
    if not isinstance(value, str):
        raise ValueError('it must be a decimal string such as "12.50"')
    return value


def _unix_seconds(value: object) -> object:
    """Unix seconds; nothing, 0 and blank mean that it has not happened."""
    if value in ("", 0, "0", None):
        return None
    seconds = int(value) if isinstance(value, str) and value.isdecimal() else value
    if not isinstance(seconds, int) or not 0 < seconds <= _LAST_SECOND:
        raise ValueError("it must be a time in Unix seconds")
    return seconds


Instant = Annotated[int | None, BeforeValidator(_unix_seconds)]
Text = Annotated[str | None, BeforeValidator(_missing_if_blank)]
Amount = Annotated[Decimal | None, BeforeValidator(_decimal_text)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, coerce_numbers_to_str=True)


class _Payment(_Model):
    currency: str
    total_amount: Amount
    sub_total: Amount = None
    seller_discount: Amount = None
    platform_discount: Amount = None
    shipping_fee: Amount = None


class _District(_Model):
    address_level: Text = None
    address_name: Text = None


class _Address(_Model):
    region_code: Text = None
    postal_code: Text = None
    district_info: tuple[_District, ...] = ()
    full_address: Text = None
    name: Text = None
    phone_number: Text = None

    def level(self, level: str) -> str | None:
        return next((part.address_name for part in self.district_info if part.address_level == level), None)


class _LineItem(_Model):
    id: Text = None
    sku_id: Text = None
    product_id: Text = None
    original_price: Amount = None
    sale_price: Amount = None
    tracking_number: Text = None
    shipping_provider_name: Text = None
    package_id: Text = None


class Order(_Model):
    id: str
    user_id: str
    status: Text = None
    create_time: Annotated[int, BeforeValidator(_unix_seconds)]
    paid_time: Instant = None
    rts_time: Instant = None
    collection_time: Instant = None
    delivery_time: Instant = None
    cancel_time: Instant = None
    payment: _Payment
    recipient_address: _Address = _Address()
    line_items: tuple[_LineItem, ...] = ()
    tracking_number: Text = None
    shipping_provider: Text = None
    is_sample_order: bool | None = None
    is_replacement_order: bool | None = None
    is_exchange_order: bool | None = None
    auto_combine_group_id: Text = None


_ORDERS = TypeAdapter(tuple[Order, ...])


def read_orders(file: Path) -> Iterator[tuple[str, Order]]:
    """Each order with its place, ``FILE: data.orders[3]``."""
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{file} cannot be read as JSON: {error}") from None
    prefix, orders = _find_orders(content)
    if not isinstance(orders, list):
        raise InputError(f"{file} is no order list; it must be a list, or hold data.orders or orders")
    try:
        read = _ORDERS.validate_python(orders)
    except ValidationError as error:
        raise InputError(f"{file}: {prefix}{_describe(error)}") from None
    for number, order in enumerate(read):
        yield f"{file}: {prefix}[{number}]", order


def _find_orders(content: object) -> tuple[str, object]:
    if isinstance(content, dict):
        inner = content.get("data")
        if isinstance(inner, dict):
            return "data.orders", inner.get("orders")
        return "orders", content.get("orders")
    return "", content


def _describe(error: ValidationError) -> str:
    """Path and problem of the first wrong field; never more of the order than that field."""
    first = error.errors()[0]
    path, given = _path(first["loc"]), first["input"]
    if first["type"] == "missing":
        return f"{path} is missing"
    shown = repr(given) if isinstance(given, str | int | float | None) else type(given).__name__
    return f"{path} is {shown[:60]}: {first['msg'].removeprefix('Value error, ')}"


def _path(location: Sequence[int | str]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
