"""What the store knows of some orders, read for scoring: a handful of statements for any number of them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import JSON as Document
from sqlalchemy import ColumnElement, Connection, Select, Text, bindparam, cast, func, select

from detector.pseudonym import Veil
from detector.store.facts import FACTS
from features.online import OrderFacts

__all__ = ["NOTHING", "Told", "order_facts", "orders_of_shipments", "stored_orders"]

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """Facts of orders that are told with a request but not stored, as stored rows; by contract table."""

    items: Sequence[Row] = ()
    shipments: Sequence[Row] = ()
    events: Sequence[Row] = ()


NOTHING = Told()


def among(column: ColumnElement[Any], dialect: str) -> ColumnElement[bool]:
    """Whether the column is among the parameter ``ids``, a JSON list: one statement for any number of ids."""
    ids = bindparam("ids", type_=Text)
    if dialect == "sqlite":
        return column.in_(select(func.json_each(ids).table_valued("value").c.value))
    return column.in_(select(func.json_array_elements_text(cast(ids, Document))))


def stored_orders(connection: Connection, order_ids: Collection[str]) -> dict[str, Row]:
    """The stored orders of those ids."""
    return {row["order_id"]: row for row in _read(connection, "orders", "order_id", order_ids)}


def orders_of_shipments(connection: Connection, shipment_ids: Collection[str]) -> dict[str, str | None]:
    """Shipment id → order id, of those that are stored."""
    found = _read(connection, "shipments", "shipment_id", shipment_ids)
    return {row["shipment_id"]: row["order_id"] for row in found}


def order_facts(
    connection: Connection, orders: Sequence[Row], veil: Veil, told: Told = NOTHING
) -> OrderFacts:
    """Everything that the row features of these orders (stored rows) need; names are opened for comparison.

    ``told`` rows stand in for stored ones of the same key.
    """
    at = _positions(order["order_id"] for order in orders)
    found = _merged(_read(connection, "shipments", "order_id", at), told.shipments, "shipment_id")
    shipments = [{**row, "o": o} for row in found for o in at.get(row["order_id"], ())]
    of = _positions(row["shipment_id"] for row in shipments)
    stored = _read(connection, "tracking_events", "shipment_id", of)
    found = _merged(stored, told.events, "shipment_id", "event_at", "status")
    events = [{**row, "s": s} for row in found for s in of.get(row["shipment_id"], ())]
    itemised = {row["order_id"] for row in told.items}
    stored = _read(
        connection, "order_items", "order_id", [order_id for order_id in at if order_id not in itemised]
    )
    lines = [{**row, "o": o} for row in [*stored, *told.items] for o in at[row["order_id"]]]
    products = _by(connection, "products", "product_id", (row["product_id"] for row in lines))
    buyers = _by(connection, "buyers", "buyer_id", (row["buyer_id"] for row in orders))
    shops = _by(connection, "sellers", "seller_id", (orders[row["o"]]["seller_id"] for row in shipments))
    return OrderFacts(
        orders=[_opened(row, "recipient_name", veil) for row in orders] if shipments else orders,
        shipments=shipments,
        events=[_opened(row, "signed_by", veil) for row in events],
        lines=[{**_GOODS, **products.get(row["product_id"], {}), **row} for row in lines],
        registered_at=[buyers.get(row["buyer_id"], {}).get("registered_at") for row in orders],
        warehouse=[shops.get(row["seller_id"], {}) for row in orders],
    )


_GOODS = {"weight_g": None, "category": None}


def _positions(ids: Iterable[str]) -> dict[str, list[int]]:
    """Where each id stands; an order may be asked for twice at once."""
    found: dict[str, list[int]] = {}
    for position, one in enumerate(ids):
        found.setdefault(one, []).append(position)
    return found


def _opened(row: Row, name: str, veil: Veil) -> Row:
    sealed = row.get(name)
    return row if sealed is None else {**row, name: veil.opened(sealed)}


def _merged(stored: Iterable[Row], told: Iterable[Row], *key: str) -> list[Row]:
    """Both, the told one of two with one key; in the order of the keys."""
    rows = {tuple(row[part] for part in key): row for rows in (stored, told) for row in rows}
    return [rows[found] for found in sorted(rows)]


def _by(connection: Connection, table: str, key: str, values: Iterable[str | None]) -> dict[str, Row]:
    wanted = {value for value in values if value is not None}
    return {row[key]: row for row in _read(connection, table, key, wanted)}


def _read(connection: Connection, table: str, column: str, ids: Collection[str]) -> Sequence[Row]:
    """Stored rows whose ``column`` is one of ``ids``."""
    if not ids:
        return []
    found = connection.execute(
        _by_ids(connection.dialect.name, table, column), {"ids": json.dumps(list(ids))}
    )
    return [dict(row) for row in found.mappings()]


@cache
def _by_ids(dialect: str, table: str, column: str) -> Select[Any]:
    return select(FACTS[table]).where(among(FACTS[table].c[column], dialect))
