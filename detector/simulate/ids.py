"""Ids of everything that has a row: opaque, one salt per table and seed."""

from __future__ import annotations

import pyarrow as pa

from detector.simulate.frame import Array
from detector.simulate.text import opaque

__all__ = ["Ids"]

_SALTS = {
    name: i
    for i, name in enumerate(
        (
            "order", "seller", "buyer", "product", "sku", "creator", "partner", "shipment",
            "review", "promotion", "campaign", "report", "combined",
        )
    )
}  # fmt: skip


class Ids:
    """Maps positions of a table to ids; negative positions to null."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def salt(self, table: str) -> int:
        return 5000 + self._seed * 64 + _SALTS[table]

    def of(self, table: str, index: Array) -> pa.StringArray:
        return opaque(index, self.salt(table))
