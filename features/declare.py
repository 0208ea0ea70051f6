"""How a feature is declared. Every family module lists its features; ``catalog`` collects them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["row", "window", "snapshot"]
Entity = Literal["order", "buyer", "seller", "creator", "device", "address", "payment", "point", "pair"]


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature: a float64 column with one value per order, NaN where it could not be computed.

    Attributes
    ----------
    name
        Column name; units last (``transit_hours``).
    meaning
        One plain sentence an investigator understands: what the number is and which way is suspicious.
    null_means
        One plain sentence: when the value is null. Null is 'not known', never 'no'.
    needs
        Input columns (``table.column``) without which it is always null.
    kind
        ``row``: from the order and its own facts only. ``window``: a trailing-window aggregate, declared
        in ``velocity``. ``snapshot``: needs other orders, so only a scan computes it; the online path
        looks it up, as of the last published scan, by the key of ``entity``.
    entity
        What the value is about.
    clause
        Policy clause code the feature speaks to, None for context.
    window
        ``1h`` … ``90d`` for a window feature.
    source
        The policy clause id or the paper it comes from.
    """

    name: str
    meaning: str
    null_means: str
    needs: tuple[str, ...]
    kind: Kind = "row"
    entity: Entity = "order"
    clause: str | None = None
    window: str | None = None
    source: str = ""
