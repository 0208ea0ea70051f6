"""The catalog for a handful of orders: row features by the batch's own kernels, without a database engine."""

from __future__ import annotations

from features.velocity import AGGREGATES

__all__ = ["MARKET_COLUMNS"]

MARKET_COLUMNS: tuple[str, ...] = (
    *sorted({f"orders.{a.column}" for a in AGGREGATES if a.function == "sum"}),
    "orders.paid_at",
    "orders.shipped_at",
    "tracking_events.event_at",
)
"""Columns (``table.column``) of which some features ask whether the market tells them at all."""
