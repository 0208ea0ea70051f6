"""Import of TikTok Shop order lists (JSON) as contract tables: orders, order_items and shipments.

A file is what the order list API answers, page by page: ``{"data": {"orders": […]}}``; also accepted are
``{"orders": […]}`` and a bare list. What has no place in the contract is left out.

* Amounts are decimal strings; they become minor units of the order's currency, exactly.
* ``rts_time`` (ready to ship) is when the label was made, ``collection_time`` when the carrier took over.
* Each unit sold is a line item of its own; equal ones are put together as one line with a quantity.
* A package is a shipment of each order it holds, as the contract's shipments belong to one order.
* An order list is one shop's and does not name it, so the caller does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from detector.contract import ORDER_ITEMS, ORDERS, SHIPMENTS, Table, arrow_schema
from detector.errors import InputError
from detector.money import currency_exponent
from detector.tiktok.model import Order, read_orders

__all__ = ["import_tiktok_orders"]

Row = dict[str, Any]
_TABLES = (ORDERS, ORDER_ITEMS, SHIPMENTS)
_CITY_LEVELS = {"US": "L3", "GB": "L3"}  # L2 is the county there; everywhere else it is the city


def import_tiktok_orders(files: Sequence[Path], out: Path, *, seller_id: str) -> dict[str, int]:
    """Write the orders of ``files`` as Parquet tables into the folder ``out``; return rows per table.

    Parameters
    ----------
    files : order list pages of one shop; an order in two pages is written twice, and the scan drops or
        rejects the second as the data contract says
    out : made if missing; it must hold none of the tables yet
    seller_id : the shop, as ``orders.seller_id``

    Raises
    ------
    InputError
        A file is no order list, or a field is missing or wrong; the message has its path in the JSON.
    """
    there = [table.name for table in _TABLES if (out / f"{table.name}.parquet").exists()]
    if there:
        raise InputError(f"{out} already holds {there[0]}.parquet; give a new folder")
    rows: dict[str, list[Row]] = {table.name: [] for table in _TABLES}
    for file in files:
        for place, order in read_orders(file):
            money = _Money(order.payment.currency, place)
            rows["orders"].append(_order_row(order, seller_id, money))
            rows["order_items"].extend(_item_rows(order, money))
            rows["shipments"].extend(_shipment_rows(order))
    out.mkdir(parents=True, exist_ok=True)
    for table in _TABLES:
        _write(table, rows[table.name], out)
    return {name: len(found) for name, found in rows.items()}


class _Money:
    """Amounts of one order in minor units."""

    def __init__(self, currency: str, place: str) -> None:
        self.currency = currency
        self._digits = currency_exponent(currency)
        self._place = place

    def minor(self, amount: Decimal | None, field: str) -> int | None:
        if amount is None:
            return None
        scaled = amount.scaleb(self._digits) if amount.is_finite() else Decimal("NaN")
        if scaled != scaled.to_integral_value():
            raise InputError(
                f"{self._place}.{field} is {amount}; {self.currency} has {self._digits} decimals at most"
            )
        return int(scaled)


def _order_row(order: Order, seller_id: str, money: _Money) -> Row:
    payment, address = order.payment, order.recipient_address
    city_level = _CITY_LEVELS.get(address.region_code or "", "L2")
    amounts = {
        "total_minor": "total_amount",
        "subtotal_minor": "sub_total",
        "seller_discount_minor": "seller_discount",
        "platform_discount_minor": "platform_discount",
        "shipping_fee_minor": "shipping_fee",
    }
    return {
        "order_id": order.id,
        "seller_id": seller_id,
        "buyer_id": order.user_id,
        "created_at": _instant(order.create_time),
        "currency": payment.currency,
        **{name: money.minor(getattr(payment, field), f"payment.{field}") for name, field in amounts.items()},
        "status": order.status,
        "paid_at": _instant(order.paid_time),
        "shipped_at": _instant(order.collection_time),
        "delivered_at": _instant(order.delivery_time),
        "cancelled_at": _instant(order.cancel_time),
        "recipient_name": address.name,
        "recipient_phone": address.phone_number,
        "ship_to_country": address.region_code,
        "ship_to_region": address.level("L1"),
        "ship_to_city": address.level(city_level),
        "ship_to_postcode": address.postal_code,
        "ship_to_address": address.full_address,
        "is_sample": order.is_sample_order,
        "is_replacement": order.is_replacement_order,
        "is_exchange": order.is_exchange_order,
        "combined_group_id": order.auto_combine_group_id,
    }


def _item_rows(order: Order, money: _Money) -> Iterator[Row]:
    """One row per distinct item; units of the same product, variant and price are counted."""
    units = Counter(
        (
            item.product_id,
            item.sku_id,
            money.minor(item.sale_price, f"line_items[{number}].sale_price"),
            money.minor(item.original_price, f"line_items[{number}].original_price"),
        )
        for number, item in enumerate(order.line_items)
    )
    for line, ((product_id, sku_id, sale, original), quantity) in enumerate(units.items(), start=1):
        yield {
            "order_id": order.id,
            "line_no": str(line),
            "product_id": product_id,
            "sku_id": sku_id,
            "quantity": quantity,
            "unit_price_minor": sale,
            "list_price_minor": original,
        }


def _shipment_rows(order: Order) -> Iterator[Row]:
    """One row per package of the order; an order without package or tracking number was not shipped."""
    parcels: dict[str, tuple[str | None, str | None]] = {}
    for item in order.line_items:
        number = item.tracking_number or order.tracking_number
        parcel = item.package_id or number
        if parcel:
            parcels.setdefault(parcel, (item.shipping_provider_name or order.shipping_provider, number))
    if not parcels and order.tracking_number:
        parcels[order.tracking_number] = (order.shipping_provider, order.tracking_number)
    for parcel, (carrier, number) in parcels.items():
        yield {
            "shipment_id": f"{order.id}:{parcel}",
            "order_id": order.id,
            "carrier": carrier,
            "tracking_number": number,
            "created_at": _instant(order.rts_time),
            "shipped_at": _instant(order.collection_time),
        }


def _instant(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _write(table: Table, rows: Sequence[Row], out: Path) -> None:
    """Only columns that the import fills are written: the others are missing, not empty."""
    filled = {name for row in rows for name in row}
    whole = arrow_schema(table)
    schema = pa.schema([field for field in whole if field.name in filled]) if rows else whole
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), out / f"{table.name}.parquet")
