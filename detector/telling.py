"""What is told of orders: veiled as it is stored, and kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from detector.contract import INPUT_TABLES
from detector.pseudonym import Veil
from detector.store import facts
from detector.store.known import NOTHING, Told, orders_of_shipments
from detector.store.windows import Windows
from features.online import MARKET_COLUMNS

__all__ = ["Keeper", "Telling", "touched"]

Row = Mapping[str, Any]

_REPORTS = {
    table: [(name, name.partition(".")[2]) for name in MARKET_COLUMNS if name.startswith(f"{table}.")]
    for table in INPUT_TABLES
}
"""Table → the ``MARKET_COLUMNS`` of it, each with its column: it is noted that they are told."""


@dataclass(frozen=True, slots=True)
class Telling:
    """An order with what was told of it at once; rows as they are stored."""

    order: Row
    told: Told = NOTHING
    reviews: Sequence[Row] = ()


class Keeper:
    """Keeps what is told. ``veil`` hides identity values, ``windows`` are told of orders."""

    def __init__(self, veil: Veil, windows: Windows) -> None:
        self._veil, self._windows = veil, windows

    def telling(self, order: Row) -> Telling:
        """The order and what belongs to it, each row as it is stored."""
        items = order.get("items")
        told = Told(
            None if items is None else self.veiled("order_items", items),
            self.veiled("shipments", _nested(order, "shipment")),
            self.veiled("tracking_events", _nested(order, "tracking_events")),
        )
        reviews = self.veiled("reviews", _nested(order, "review"))
        return Telling(facts.veiled(self._veil, "orders", order), told, reviews)

    def veiled(self, table: str, rows: Sequence[Row]) -> list[Row]:
        """Rows of a table as they are stored."""
        return [facts.veiled(self._veil, table, row) for row in rows]

    def put_orders(self, connection: Connection, tellings: Sequence[Telling], market: set[str]) -> None:
        """Keep orders and what belongs to them; of items, those of the last telling are the order's. See ``put``."""
        self.put(connection, "orders", [one.order for one in tellings], market)
        items = {one.order["order_id"]: one.told.items for one in tellings if one.told.items is not None}
        facts.forget_items(connection, items)
        self.put(connection, "order_items", [row for rows in items.values() for row in rows], market)
        self.put(connection, "shipments", [row for one in tellings for row in one.told.shipments], market)
        self.put(connection, "tracking_events", [row for one in tellings for row in one.told.events], market)
        self.put(connection, "reviews", [row for one in tellings for row in one.reviews], market)

    def put(self, connection: Connection, table: str, rows: Sequence[Row], market: set[str]) -> None:
        """Keep veiled rows, and that the market tells of such: ``market`` is ``facts.reported`` and stays so."""
        if not rows:
            return
        if table == "orders":
            self._windows.put(connection, rows)
        else:
            facts.put(connection, table, rows)
        new = [(name, column) for name, column in _REPORTS[table] if name not in market]
        told = {name for name, column in new if any(row[column] is not None for row in rows)}
        facts.report(connection, told)
        market |= told


def touched(connection: Connection, table: str, rows: Sequence[Row]) -> list[str | None]:
    """The order that each row is about, None where it changes no score."""
    if table in ("orders", "shipments", "reviews"):
        return [row.get("order_id") for row in rows]
    if table == "tracking_events":
        orders = orders_of_shipments(connection, {row["shipment_id"] for row in rows})
        return [orders.get(row["shipment_id"]) for row in rows]
    return [None] * len(rows)


def _nested(order: Row, member: str) -> Sequence[Row]:
    found = order.get(member)
    return () if found is None else [found] if isinstance(found, Mapping) else found
