"""Lines, prices, discounts and totals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detector.simulate.frame import DAY, Array, mix
from detector.simulate.promotions import VOUCHER, active
from detector.simulate.world import World

__all__ = ["Basket", "Money", "fill_baskets", "list_price", "price_orders"]


@dataclass(slots=True)
class Basket:
    """Order lines, sorted by order and line; ``unit_minor`` is the price after promotion."""

    order: Array
    line: Array
    product: Array
    sku: Array
    quantity: Array
    unit_minor: Array
    list_minor: Array


@dataclass(slots=True)
class Money:
    """Amounts of each order in minor units; ``promotion`` is a promotion number or -1."""

    country: Array
    subtotal: Array
    seller_discount: Array
    platform_discount: Array
    shipping: Array
    promotion: Array

    @property
    def total(self) -> Array:
        return np.asarray(self.subtotal - self.seller_discount - self.platform_discount + self.shipping)


def list_price(world: World, product: Array, country: Array) -> Array:
    """A product's list price in the minor units of a country's currency, never zero."""
    step = world.geo.step_minor[country]
    exact = world.products["price_usd"][product] * world.geo.minor_per_usd[country]
    return np.asarray(np.maximum(np.round(exact / step), 1).astype(np.int64) * step)


def fill_baskets(world: World) -> tuple[Basket, Array]:
    """Lines of every order with their prices, and the promotion row of the first line (-1 none)."""
    orders, rng = world.orders, world.rng("baskets")
    count = 1 + orders["more_lines"].astype(np.int64)
    order = np.repeat(np.arange(len(orders)), count)
    line = np.arange(len(order)) - np.repeat(np.cumsum(count) - count, count)
    extra = world.draw_products(rng, orders["seller"][order].astype(np.int64))
    product = np.where(line == 0, orders["product"][order], extra)
    quantity = np.where(line == 0, orders["quantity"][order], 1)
    country = world.addresses["country"][orders["address"][order]].astype(np.int64)
    ratio, promotion = _promotion(world, product, orders["created"][order], country)
    step = world.geo.step_minor[country]
    sku = (
        mix(rng.integers(0, 2**40, len(order)), 81) % world.products["skus"][product].astype(np.uint64)
    ).astype(int)
    factor = np.where(line == 0, orders["price_factor"][order], 1.0)
    listed = list_price(world, product, country)
    listed = np.maximum(np.round(listed * factor / step), 1).astype(np.int64) * step
    unit = np.maximum(np.round(listed * ratio / step), 1).astype(np.int64) * step
    unit = np.where(ratio < 1, np.minimum(unit, listed), unit)
    return Basket(order, line, product, sku, quantity, unit, listed), promotion[line == 0]


def _promotion(world: World, product: Array, at: Array, country: Array) -> tuple[Array, Array]:
    """The price ratio and promotion row in force: a flash sale outranks a discount."""
    promotions = world.promotions
    home = world.sellers["market0"][world.products["seller"][product]] == country
    flash, discount = world.product_flash[product], world.product_discount[product]
    row = np.where(active(promotions, discount, at), discount, -1)
    row = np.where(active(promotions, flash, at), flash, row)
    row = np.where(home, row, -1)
    return np.where(row >= 0, promotions["ratio"][np.maximum(row, 0)], 1.0), row


def price_orders(world: World, basket: Basket, promotion_row: Array) -> Money:
    """Discounts, vouchers and shipping; ``total = subtotal - discounts + shipping`` to the last unit."""
    orders, rng, n = world.orders, world.rng("money"), len(world.orders)
    country = world.addresses["country"][orders["address"]].astype(np.int64)
    step = world.geo.step_minor[country]
    subtotal = np.bincount(basket.order, basket.unit_minor * basket.quantity, n).astype(np.int64)
    seller_off = _share(rng, subtotal, rng.random(n) < 0.09, (0.03, 0.12), step)
    voucher_row, on_day = _voucher(world)
    given = orders["voucher_bp"]
    chance = np.where(on_day, 0.45, 0.08)
    platform_off = _share(rng, subtotal, (given < 0) & (rng.random(n) < chance), (0.05, 0.22), step)
    set_by_hand = (subtotal * np.maximum(given, 0) / 10_000 / step).astype(np.int64) * step
    platform_off = np.where(given >= 0, set_by_hand, platform_off)
    platform_off = np.minimum(platform_off, subtotal - seller_off)
    fee = np.round(world.geo.minor_per_usd[country] * rng.choice([0.5, 1.0, 2.0, 3.5], n) / step).astype(
        np.int64
    )
    shipping = np.where(rng.random(n) < 0.6, 0, fee * step)
    free = orders["sample"] | orders["replacement"] | orders["exchange"]
    promotions = world.promotions
    number = np.where(promotion_row >= 0, promotions["promotion"][np.maximum(promotion_row, 0)], -1)
    number = np.where((promotion_row < 0) & (platform_off > 0), voucher_row, number)
    return Money(
        country=country,
        subtotal=subtotal,
        seller_discount=np.where(free, subtotal, seller_off),
        platform_discount=np.where(free, 0, platform_off),
        shipping=np.where(free, 0, shipping),
        promotion=number,
    )


def _share(
    rng: np.random.Generator, amount: Array, chosen: Array, span: tuple[float, float], step: Array
) -> Array:
    off = (amount * rng.uniform(*span, len(amount)) / step).astype(np.int64) * step
    return np.where(chosen, off, 0)


def _voucher(world: World) -> tuple[Array, Array]:
    """The voucher promotion of each order's day and product (-1 none), and whether it is a voucher day."""
    created, promotions = world.orders["created"], world.promotions
    day = np.searchsorted(world.voucher_days, created, side="right") - 1
    on_day = (day >= 0) & (created < world.voucher_days[np.maximum(day, 0)] + DAY)
    rows = np.flatnonzero(promotions["kind"] == VOUCHER)
    starts, key = promotions["starts"][rows], promotions["product"][rows].astype(np.int64)
    table = np.searchsorted(world.voucher_days, starts) * len(world.products) + key
    sequence = np.argsort(table)
    wanted = np.maximum(day, 0) * len(world.products) + world.orders["product"]
    at = np.minimum(np.searchsorted(table[sequence], wanted), max(len(rows) - 1, 0))
    if len(rows) == 0:
        return np.full(len(created), -1, dtype=np.int64), on_day
    hit = on_day & (table[sequence][at] == wanted)
    return np.where(hit, promotions["promotion"][rows[sequence][at]], -1), on_day
