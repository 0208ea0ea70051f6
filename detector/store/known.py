"""What the store knows of some orders, read for scoring by the key of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, select

from detector.pseudonym import Veil
from detector.store.facts import FACTS
from detector.store.prepared import Question, among, listed
from features.keys import IDENTITY
from features.online import OrderFacts
from features.parcels import PLACE

__all__ = ["NOTHING", "Told", "identities", "order_facts", "orders_of_shipments", "stored_orders"]

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """What was told together with an order, as stored rows. ``items`` None: they were not told."""

    items: Sequence[Row] | None = None
    shipments: Sequence[Row] = ()
    events: Sequence[Row] = ()


NOTHING = Told()


def stored_orders(connection: Connection, order_ids: Iterable[str]) -> dict[str, Row]:
    """The stored orders of those ids."""
    return {order_id: rows[0] for order_id, rows in _read(connection, "orders", order_ids).items() if rows}


def identities(connection: Connection, order_ids: Iterable[str]) -> dict[str, Row]:
    """The identity values of stored orders that snapshots are looked up by, as they are stored."""
    return {
        order_id: rows[0] for order_id, rows in _read(connection, "identities", order_ids).items() if rows
    }


def orders_of_shipments(connection: Connection, shipment_ids: Iterable[str]) -> dict[str, str | None]:
    """Shipment id → order id, of those that are stored."""
    found = _read(connection, "shipments", shipment_ids)
    return {shipment_id: rows[0]["order_id"] for shipment_id, rows in found.items() if rows}


def order_facts(
    connection: Connection, orders: Sequence[Row], veil: Veil, told: Sequence[Told]
) -> OrderFacts:
    """Everything that the row features of these orders (stored rows) need; names are opened for comparison.

    What was ``told`` with an order stands in for stored rows of the same key, for this order alone.
    """
    shipments = _shipments(connection, orders, told)
    lines = _lines(connection, orders, told)
    products = _read(connection, "products", {row["product_id"] for row in lines})
    buyers = _read(connection, "buyers", {row["buyer_id"] for row in orders})
    shipped = {row["o"] for row in shipments}
    shops = _read(connection, "sellers", {orders[o]["seller_id"] for o in shipped})
    return OrderFacts(
        orders=[
            _opened(row, "recipient_name", veil) if o in shipped else row for o, row in enumerate(orders)
        ],
        shipments=shipments,
        events=[_opened(row, "signed_by", veil) for row in _events(connection, shipments, told)],
        lines=[{**_GOODS, **_first(products, row["product_id"]), **row} for row in lines],
        registered_at=[_first(buyers, row["buyer_id"]).get("registered_at") for row in orders],
        warehouse=[_first(shops, row["seller_id"]) for row in orders],
    )


def _shipments(connection: Connection, orders: Sequence[Row], told: Sequence[Told]) -> list[Row]:
    stored = _read(connection, "shipments of order", {order["order_id"] for order in orders})
    return [
        {**row, "o": o}
        for o, (order, own) in enumerate(zip(orders, told, strict=True))
        for row in _merged(stored[order["order_id"]], own.shipments, "shipment_id")
    ]


def _events(connection: Connection, shipments: Sequence[Row], told: Sequence[Told]) -> list[Row]:
    stored = _read(connection, "tracking_events", {row["shipment_id"] for row in shipments})
    return [
        {**row, "s": s}
        for s, shipment in enumerate(shipments)
        for row in _merged(
            stored[shipment["shipment_id"]],
            [row for row in told[shipment["o"]].events if row["shipment_id"] == shipment["shipment_id"]],
            "event_at",
            "status",
        )
    ]


def _lines(connection: Connection, orders: Sequence[Row], told: Sequence[Told]) -> list[Row]:
    untold = {order["order_id"] for order, own in zip(orders, told, strict=True) if own.items is None}
    stored = _read(connection, "order_items", untold)
    return [
        {**row, "o": o}
        for o, (order, own) in enumerate(zip(orders, told, strict=True))
        for row in (stored[order["order_id"]] if own.items is None else own.items)
    ]


_GOODS = {"weight_g": None, "category": None}


def _opened(row: Row, name: str, veil: Veil) -> Row:
    sealed = row.get(name)
    return row if sealed is None else {**row, name: veil.opened(sealed)}


def _merged(stored: Sequence[Row], told: Sequence[Row], *key: str) -> Sequence[Row]:
    """Both, the told one of two with one key; in the order of the keys."""
    if not stored and not told:
        return ()
    rows = {tuple(row[part] for part in key): row for rows in (stored, told) for row in rows}
    return [rows[found] for found in sorted(rows)]


def _first(found: Mapping[str, Sequence[Row]], key: str | None) -> Row:
    rows = found.get(key) if key is not None else None
    return rows[0] if rows else {}


def _read(connection: Connection, name: str, ids: Iterable[str | None]) -> dict[str, list[Row]]:
    """Stored rows of each id, by a question of ``_ASKED``."""
    found: dict[str, list[Row]] = {one: [] for one in ids if one is not None}
    if found:
        columns, by, question = _question(connection.dialect.name, name)
        [rows] = question.ask(connection, [(listed(connection, list(found)),)])
        for row in rows:
            found[row[by]].append(dict(zip(columns, row, strict=True)))
    return found


_ASKED: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "orders": ("orders", "order_id", ()),
    "identities": ("orders", "order_id", ("order_id", *IDENTITY)),
    "shipments": ("shipments", "shipment_id", ()),
    "shipments of order": ("shipments", "order_id", ()),
    "tracking_events": ("tracking_events", "shipment_id", ()),
    "order_items": ("order_items", "order_id", ("order_id", "product_id", "quantity")),
    "products": ("products", "product_id", ("product_id", "weight_g", "category")),
    "buyers": ("buyers", "buyer_id", ("buyer_id", "registered_at")),
    "sellers": ("sellers", "seller_id", ("seller_id", *PLACE)),
}
"""Question → contract table, the column that it asks by, the columns that are wanted (none named: all)."""


@cache
def _question(dialect: str, name: str) -> tuple[tuple[str, ...], int, Question]:
    """The columns, the position of the one that is asked by, and the question."""
    table, by, wanted = _ASKED[name]
    columns = wanted or tuple(FACTS[table].c.keys())
    statement = select(*(FACTS[table].c[one] for one in columns))
    asked = among(dialect, FACTS[table].c[by], "ids")
    return columns, columns.index(by), Question(dialect, statement.where(asked), ("ids",))
