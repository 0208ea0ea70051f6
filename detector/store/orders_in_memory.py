"""The orders that windows are looked up among, held in memory by the one who writes to a file of SQLite.

An order lies at another place of each of the seven histories that it belongs to. In the file these would be
seven pages to write, to log and to copy for every order, most of what scoring costs; in memory they are a few
numbers. The orders are read when the service starts. Every write of orders changes a token in the file, so
that it is noticed when somebody else has written some, and they are read anew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, Connection, Select, select, type_coerce

from detector.store.columns import to_micros
from detector.store.facts import FACTS, orders_token, put
from detector.store.prepared import Question, among, driver, listed
from features.stack import Stack
from features.velocity import judged
from features.window_columns import AMOUNTS, IDS, OrderColumns, together
from features.window_index import WindowIndex

__all__ = ["OrdersInMemory"]

Floats = NDArray[np.float64]
Row = Mapping[str, Any]

_COLUMNS = (*IDS, *AMOUNTS)
_columns_of = itemgetter(*_COLUMNS)
_BLOCK = 50_000
_NEVER_READ = -1


class _Write(NamedTuple):
    """The last write: the token before it, the orders that it replaced, and those that it told."""

    token: int
    gone: OrderColumns | None
    new: OrderColumns


class OrdersInMemory:
    """A ``detector.store.windows.Windows`` of a database that nobody writes to within its transactions."""

    def __init__(self) -> None:
        self._token = _NEVER_READ
        self._index = WindowIndex()
        self._last: _Write | None = None
        self._seen: object = None
        """The transaction that the index was last compared with: in it nobody else writes."""

    def is_ready(self, connection: Connection) -> bool:
        token = orders_token(connection)
        if token == self._token:
            self._seen = connection.get_transaction()
            return True
        return self._last is not None and token == self._last.token

    def prepare(self, connection: Connection) -> None:
        self._current(connection)

    def put(self, connection: Connection, orders: Sequence[Row]) -> None:
        index = self._current(connection)
        told = {order["order_id"]: order for order in orders}
        [found] = _stored().ask(connection, [(listed(connection, list(told)),)])
        stored = {order_id: values for order_id, *values in found}
        put(connection, "orders", orders)
        latest = {order_id: _values(order) for order_id, order in told.items()}
        changed = [order_id for order_id, values in latest.items() if stored.get(order_id) != values]
        gone = [stored[order_id] for order_id in changed if order_id in stored]
        self._last = last = _Write(
            self._token,
            OrderColumns.of(gone) if gone else None,
            OrderColumns.of([latest[order_id] for order_id in changed]),
        )
        self._token = orders_token(connection)
        if last.gone is None or index.remove(last.gone):
            index.add(last.new)
        else:
            self._index = _read(connection)

    def values(self, connection: Connection, orders: Sequence[Row], market: Collection[str]) -> Stack:
        index = self._current(connection)
        return judged(*index.look_up(OrderColumns.of([_values(order) for order in orders])), market)

    def _current(self, connection: Connection) -> WindowIndex:
        """The index as the transaction sees the orders."""
        transaction = connection.get_transaction()
        if transaction is not None and transaction is self._seen:
            return self._index
        token = orders_token(connection)
        if token != self._token:
            last = self._last  # which may have been rolled back
            if last is not None and token == last.token and self._index.remove(last.new):
                if last.gone is not None:
                    self._index.add(last.gone)
            else:
                self._index = _read(connection)
            self._token, self._last = token, None
        self._seen = connection.get_transaction()
        return self._index


def _read(connection: Connection) -> WindowIndex:
    """All stored orders."""
    index = WindowIndex()
    found = driver(connection).execute(str(_selected().compile(dialect=connection.dialect)))
    parts = list(_parts(found))
    if parts:
        index.add(together(parts))
    return index


def _parts(cursor: Any) -> Iterator[OrderColumns]:
    while rows := cursor.fetchmany(_BLOCK):
        yield OrderColumns.of(rows)


def _values(order: Row) -> list[Any]:
    """As ``_selected`` gives it."""
    return [to_micros(order["created_at"]), *_columns_of(order)]


def _selected() -> Select[Any]:
    orders = FACTS["orders"].c
    return select(type_coerce(orders.created_at, BigInteger), *(orders[name] for name in _COLUMNS))


@cache
def _stored() -> Question:
    order_id = FACTS["orders"].c.order_id
    asked = select(order_id, *_selected().selected_columns).where(among("sqlite", order_id, "order_ids"))
    return Question("sqlite", asked, ("order_ids",))
