"""Trailing windows of single orders, as each database answers them best."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import Connection, Engine

from detector.store.orders_in_database import OrdersInDatabase
from detector.store.orders_in_memory import OrdersInMemory
from features.stack import Stack

__all__ = ["Windows", "windows_of"]

Row = Mapping[str, Any]


class Windows(Protocol):
    """Keeps orders and looks up what each order's windows hold."""

    def is_ready(self, connection: Connection) -> bool:
        """Whether ``prepare`` would take no time."""

    def prepare(self, connection: Connection) -> None:
        """Do beforehand what the next look-up would wait for."""

    def put(self, connection: Connection, orders: Sequence[Row]) -> None:
        """Store orders, rows as ``facts.veiled`` gives them; of rows with one key the last stays."""

    def values(self, connection: Connection, orders: Sequence[Row], market: Collection[str]) -> Stack:
        """Every aggregate of ``features.velocity`` for some orders, as of each one's own ``created_at``.

        Parameters
        ----------
        orders
            Rows as they are stored (veiled); they need not be stored.
        market
            The ``features.online.MARKET_COLUMNS`` that the market tells: the sum of what nobody tells is null.

        Returns
        -------
        Stack
            Of each order the aggregates, NaN as the contract of a window says.
        """


def windows_of(engine: Engine) -> Windows:
    """What answers for this database: several processes write to PostgreSQL, one at a time to a file."""
    return OrdersInMemory() if engine.dialect.name == "sqlite" else OrdersInDatabase()
