"""Discounts, flash sales and platform voucher days."""

from __future__ import annotations

import numpy as np

from detector.simulate.frame import DAY, HOUR, Array, Frame, Params

__all__ = ["DISCOUNT", "FLASH", "KINDS", "VOUCHER", "add_promotions", "promotions_frame", "voucher_days"]

KINDS = ("flash_sale", "discount", "voucher")
FLASH, DISCOUNT, VOUCHER = range(3)


def promotions_frame() -> Frame:
    """One row per promotion and product; ``ratio`` of the list price, 0 where the price is not fixed."""
    return Frame(
        {
            "promotion": ("i4", 0),
            "product": ("i4", 0),
            "kind": ("i1", 0),
            "seller": ("i4", 0),
            "ratio": ("f8", 0.0),
            "starts": ("i8", 0),
            "ends": ("i8", 0),
        }
    )


def voucher_days(rng: np.random.Generator, params: Params) -> Array:
    """The instants at which platform voucher days begin: about one in twelve days, at least one."""
    count = max(1, params.days // 12)
    days = rng.permutation(max(1, params.days - 8))[:count]
    return np.sort(params.start + days.astype(np.int64) * DAY - 8 * HOUR)


def add_promotions(
    promotions: Frame, products: Frame, days: Array, rng: np.random.Generator, params: Params
) -> tuple[Array, Array]:
    """Fill the promotions; returns each product's flash-sale row and discount row (-1 none)."""
    discount = _spread(promotions, products, rng, params, DISCOUNT, 0.16)
    flash = _spread(promotions, products, rng, params, FLASH, 0.05)
    popular = products["popularity"] > 0.08
    for at in days:
        joined = np.flatnonzero(popular & (rng.random(len(products)) < 0.08))
        number = _next_number(promotions)
        promotions.add(
            len(joined),
            promotion=number,
            product=joined,
            kind=VOUCHER,
            seller=products["seller"][joined],
            starts=at,
            ends=at + DAY,
        )
    return flash, discount


def _next_number(promotions: Frame) -> int:
    return int(promotions["promotion"].max()) + 1 if len(promotions) else 0


def _spread(
    promotions: Frame, products: Frame, rng: np.random.Generator, params: Params, kind: int, share: float
) -> Array:
    """A promotion of this kind on a share of the products, each of its own length and depth."""
    joined = np.flatnonzero(rng.random(len(products)) < share * (0.5 + products["popularity"]))
    n = len(joined)
    starts = params.start + (rng.random(n) * params.days * DAY / HOUR).astype(np.int64) * HOUR
    hours = rng.integers(6, 73, n) if kind == FLASH else rng.integers(3, 20, n) * 24
    ratio = rng.uniform(0.48, 0.65, n) if kind == FLASH else rng.uniform(0.74, 0.95, n)
    first = _next_number(promotions)
    rows = promotions.add(
        n,
        promotion=first + np.arange(n),
        product=joined,
        kind=kind,
        seller=products["seller"][joined],
        ratio=np.round(ratio, 2),
        starts=starts,
        ends=starts + hours * HOUR,
    )
    row_of = np.full(len(products), -1, dtype=np.int64)
    row_of[joined] = rows
    return row_of


def active(promotions: Frame, row: Array, at: Array) -> Array:
    """Whether each order's promotion row (or -1) runs at its time."""
    safe = np.maximum(row, 0)
    if len(promotions) == 0:
        return np.zeros(len(row), dtype=bool)
    return (row >= 0) & (promotions["starts"][safe] <= at) & (at < promotions["ends"][safe])
