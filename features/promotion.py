"""Subsidies farmed, flash sales propped up, prices and order states that make no sense (clause 2.1.f)."""

from __future__ import annotations

from datetime import datetime

import duckdb
import numpy as np
import numpy.typing as npt

from features.declare import Entity, Feature, Kind
from features.excess import add_surprise, add_surprise_apart
from features.flash_sales import add_flash_sales
from features.order_columns import column, store
from features.order_steps import MONEY, STEPS, row_features
from features.text import firsts

__all__ = ["FEATURES", "compute"]

F64 = npt.NDArray[np.float64]

NEWCOMER_DAYS = 30
"""An account is a newcomer with its first order, while so young or after so long without one before."""
_MIN_SALES = 5


def _feature(
    name: str,
    meaning: str,
    null_means: str,
    needs: tuple[str, ...],
    entity: Entity = "order",
    kind: Kind = "snapshot",
    source: str = "2.1.f",
) -> Feature:
    return Feature(name, meaning, null_means, needs, kind, entity, clause="abuse", source=source)


_DISCOUNT = ("orders.platform_discount_minor",)
_NO_DISCOUNT = "The platform discount is not known."
_PROMOTION = ("promotions.kind", "promotions.starts_at", "orders.promotion_id", "order_items.product_id")
_BASELINE = (
    "promotions.kind", "promotions.starts_at", "order_items.product_id", "order_items.unit_price_minor"
)  # fmt: skip
_NO_FLASH = "The order is not of a flash sale, or what is needed to judge it is not known."

FEATURES: tuple[Feature, ...] = (
    _feature(
        "subsidy_share",
        "Share of the price that the platform paid, 0 to 1.",
        "The platform discount is not known, or the price is zero.",
        _DISCOUNT,
        kind="row",
    ),
    _feature(
        "new_user_subsidy",
        "1 for the subsidised first order of a new account, 0 otherwise.",
        "The platform discount or the account's age is not known.",
        _DISCOUNT,
    ),
    _feature(
        "entity_new_user_subsidies",
        "Other accounts of the buyer's entity that took a subsidised first order.",
        _NO_DISCOUNT,
        _DISCOUNT,
        "buyer",
    ),
    _feature(
        "entity_new_user_subsidy_surprise",
        "How far the entity's subsidised first orders (this order left out) are above the market's rate of "
        "the same week, in powers of ten.",
        "The platform discount is not known, or the entity has no other order.",
        _DISCOUNT,
        "buyer",
    ),
    _feature(
        "seller_new_user_subsidy_surprise",
        "How far the share of the seller's newcomers of other days who came with a subsidy is above that of "
        "the market's newcomers of the same days and channels.",
        "Not a new account's first order, or the seller has no newcomer on another day.",
        _DISCOUNT,
        "seller",
    ),
    _feature(
        "seller_subsidised_surprise",
        "How far the seller's share of subsidised orders on other days is above the market's of the same "
        "days and channels.",
        "The platform discount is not known, or the seller has no order on another day.",
        _DISCOUNT,
        "seller",
    ),
    _feature(
        "subsidy_reversed",
        "1 when the order was subsidised and then cancelled or refunded, 0 when subsidised and kept.",
        "The order is not subsidised.",
        (*_DISCOUNT, "orders.cancelled_at"),
    ),
    _feature(
        "entity_claim_cancel_surprise",
        "How far the share of the entity's subsidised orders that were cancelled or refunded (this order "
        "left out) is above the market's.",
        "The order is not subsidised, or the entity has no other subsidised order.",
        (*_DISCOUNT, "orders.cancelled_at"),
        "buyer",
    ),
    _feature(
        "seller_claim_cancel_surprise",
        "The same for the seller's subsidised orders.",
        "The order is not subsidised, or the seller has no other subsidised order.",
        (*_DISCOUNT, "orders.cancelled_at"),
        "seller",
    ),
    _feature(
        "refund_hours_after_completion",
        "Hours from completion to refund; positive means that the sale had counted and been settled.",
        "Not refunded, or not completed.",
        ("orders.refunded_at", "orders.completed_at"),
        kind="row",
        source="6.2",
    ),
    _feature(
        "seller_late_refund_surprise",
        "How far the share of the seller's completed orders that were refunded after completion (this order "
        "left out) is above the market's of the same week.",
        "Not completed, or the seller has no other completed order.",
        ("orders.refunded_at", "orders.completed_at"),
        "seller",
        source="6.2",
    ),
    _feature(
        "flash_price_over_base",
        "Flash sale price over the lowest net price paid in the 30 days before (without history: over the "
        "list price), minus 1; above 0 breaks the rule.",
        _NO_FLASH,
        (*_PROMOTION, "promotions.price_minor", "order_items.unit_price_minor"),
        source="6.4",
    ),
    _feature(
        "flash_hours", "Length of the order's flash sale in hours.", _NO_FLASH, _PROMOTION, source="6.4"
    ),
    _feature(
        "flash_overlaps",
        "Other flash sales of the same product at the same time.",
        _NO_FLASH,
        _PROMOTION,
        source="6.4",
    ),
    _feature(
        "flash_baseline_log2",
        "Net unit price paid in the 30 days before a flash sale over the price the product fetches at other "
        "times, as a power of two; high: the order makes the discount look deep.",
        "The order is not in the 30 days before a flash sale of its product, or no other price is known.",
        _BASELINE,
        source="6.4",
    ),
    _feature(
        "flash_baseline_entities",
        "Different buyers who paid any price for the product in those 30 days.",
        "The order is not in the 30 days before a flash sale of its product.",
        _BASELINE,
        source="6.4",
    ),
    _feature(
        "unit_price_log2",
        "Unit price over the median of the same SKU (or product), as a power of two, of the line that is "
        "farthest off; 0 is the usual price.",
        "No price, or fewer than five sales to compare with.",
        ("order_items.product_id", "order_items.unit_price_minor"),
    ),
    _feature(
        "order_step_breach_hours",
        "Largest number of hours by which a later step of the order (paid, shipped, delivered, completed) "
        "precedes one that must come first; 0 when the order is right.",
        "Fewer than two steps have a time.",
        ("orders.shipped_at",),
        kind="row",
        source="6.5",
    ),
    _feature(
        "order_steps_skipped",
        "Steps that have no time although a later one has: dispatch before delivery or completion, payment "
        "before completion.",
        "The order has neither delivery nor completion, or the market does not report the step.",
        ("orders.shipped_at", "orders.paid_at"),
        kind="row",
        source="6.5",
    ),
)


def usual_price(key: npt.NDArray[np.uint64], price: F64) -> F64:
    """Median price (the lower of two) of each line's key; NaN where the key has fewer than five lines.

    Lines must come in ascending order of price.
    """
    order = np.argsort(key, kind="stable")
    first = firsts(key[order])
    size = np.diff(np.append(first, len(key)))
    middle = price[order][first + (size - 1) // 2]
    result = np.empty(len(key))
    result[order] = np.repeat(np.where(size >= _MIN_SALES, middle, np.nan), size)
    return result


def compute(con: duckdb.DuckDBPyConnection, as_of: datetime) -> None:
    """Create ``f_promotion`` with ``o`` and the columns of ``FEATURES``."""
    own = _own_facts(con)
    size = len(own["subsidy_share"])
    _add_subsidies(con)
    for name, query in _COMPARED.items():
        con.execute(f"CREATE OR REPLACE TEMP TABLE excess_source AS {query}")
        (add_surprise_apart if " AS apart" in query else add_surprise)(con, "excess_source", name)
    add_flash_sales(con)
    prices = {"unit_price_log2": _price_gaps(con, size)}
    looked_up = {name: column(con, table, value, size) for name, (table, value) in _LOOKED_UP.items()}
    columns = own | prices | looked_up
    store(con, "f_promotion", {"o": np.arange(size)} | {f.name: columns[f.name] for f in FEATURES})
    con.execute("".join(f"DROP TABLE {name};" for name in (*_TEMPORARY, *_COMPARED)))


_TEMPORARY = ("subsidy", "entity_subsidies", "flash_order", "flash_baseline", "excess_source")
_LOOKED_UP = {
    "new_user_subsidy": ("subsidy", "taken::INTEGER"),
    "entity_new_user_subsidies": ("entity_subsidies", "others"),
    "entity_new_user_subsidy_surprise": ("entity_new_user", "value"),
    "seller_new_user_subsidy_surprise": ("seller_new_user", "value"),
    "seller_subsidised_surprise": ("seller_subsidised", "value"),
    "subsidy_reversed": ("subsidy", "CASE WHEN discount > 0 THEN broken::INTEGER END"),
    "entity_claim_cancel_surprise": ("entity_cancel", "value"),
    "seller_claim_cancel_surprise": ("seller_cancel", "value"),
    "seller_late_refund_surprise": ("seller_refund", "value"),
    "flash_price_over_base": ("flash_order", "over_base"),
    "flash_hours": ("flash_order", "hours"),
    "flash_overlaps": ("flash_order", "parallel"),
    "flash_baseline_log2": ("flash_baseline", "gap"),
    "flash_baseline_entities": ("flash_baseline", "entities"),
}
_BROKEN = "(coalesce(status = 'CANCELLED', false) OR cancelled_at IS NOT NULL OR refunded_at IS NOT NULL)"
_COMPARED = {
    "entity_new_user": "SELECT o, entity_id AS key, week AS cell, taken AS hit FROM subsidy WHERE entity_id IS NOT NULL",
    "seller_new_user": "SELECT o, seller_id AS key, day AS cell, taken AS hit, date AS apart FROM subsidy WHERE newcomer",
    "seller_subsidised": "SELECT o, seller_id AS key, day AS cell, discount > 0 AS hit, date AS apart FROM subsidy",
    "entity_cancel": "SELECT o, entity_id AS key, week AS cell, broken AS hit FROM subsidy WHERE discount > 0",
    "seller_cancel": "SELECT o, seller_id AS key, week AS cell, broken AS hit FROM subsidy WHERE discount > 0",
    "seller_refund": "SELECT o, seller_id AS key, hash(currency, date_trunc('week', completed_at)) AS cell, "
    "coalesce(refunded_at > completed_at, false) AS hit FROM orders WHERE completed_at IS NOT NULL "
    "AND EXISTS (SELECT 1 FROM orders WHERE refunded_at IS NOT NULL)",
}


def _add_subsidies(con: duckdb.DuckDBPyConnection) -> None:
    """``subsidy``: per order with a known platform discount, whether a newcomer took it."""
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE subsidy AS
        WITH first AS (SELECT min(o) AS o FROM orders GROUP BY hash(buyer_id)),
        began AS (SELECT min(created_at) AS at FROM orders),
        known AS (
            SELECT o.*, f.o IS NOT NULL AS is_first, registered_at, began.at AS began
            FROM orders o LEFT JOIN first f USING (o) LEFT JOIN buyers b ON b.buyer_id = o.buyer_id, began
            WHERE platform_discount_minor IS NOT NULL)
        SELECT o, k.buyer_id, entity_id, seller_id, platform_discount_minor AS discount, {_BROKEN} AS broken,
            is_first AND (
                created_at < registered_at + INTERVAL {NEWCOMER_DAYS} DAY
                OR created_at >= began + INTERVAL {NEWCOMER_DAYS} DAY
                OR CASE WHEN registered_at IS NULL THEN NULL ELSE false END) AS newcomer,
            newcomer AND platform_discount_minor > 0 AS taken,
            hash(currency, channel, created_at::DATE) AS day, created_at::DATE AS date,
            hash(currency, date_trunc('week', created_at)) AS week
        FROM known k LEFT JOIN buyer_entity e ON e.buyer_id = k.buyer_id
    """)
    con.execute("""
        CREATE OR REPLACE TEMP TABLE entity_subsidies AS
        WITH entity AS (
            SELECT entity_id, count(DISTINCT buyer_id) AS n FROM subsidy WHERE taken GROUP BY entity_id),
        taker AS (SELECT DISTINCT buyer_id FROM subsidy WHERE taken)
        SELECT o, coalesce(n, 0) - (t.buyer_id IS NOT NULL)::INTEGER AS others
        FROM subsidy s LEFT JOIN entity USING (entity_id) LEFT JOIN taker t ON t.buyer_id = s.buyer_id
    """)


def _own_facts(con: duckdb.DuckDBPyConnection) -> dict[str, F64]:
    """``row_features`` of every order, in order of ``o``; a step that the market never reports is unknown."""
    times = ", ".join(f"coalesce(epoch_us({s}_at) / 1e6, 'NaN'::DOUBLE) AS {s}" for s in STEPS)
    money = ", ".join(f"coalesce({m}, 'NaN'::DOUBLE) AS {m}" for m in MONEY)
    rows = con.execute(f"SELECT {times}, {money} FROM orders ORDER BY o").fetchnumpy()
    facts = {name: np.asarray(values, dtype=np.float64) for name, values in rows.items()}
    found = row_features(facts)
    if any(np.isnan(facts[step]).all() for step in ("paid", "shipped")):
        found["order_steps_skipped"][:] = np.nan
    return found


def _price_gaps(con: duckdb.DuckDBPyConnection, size: int) -> F64:
    """Per order the line whose unit price is farthest from its SKU's or product's median, as log2."""
    line = con.execute("""
        SELECT o, unit_price_minor::DOUBLE AS price, hash(product_id, currency) AS product,
            hash(product_id, sku_id, currency) AS sku
        FROM order_items JOIN orders USING (order_id)
        WHERE unit_price_minor > 0 AND product_id IS NOT NULL AND NOT coalesce(is_sample, false)
            AND NOT coalesce(is_replacement, false)
    """).fetchnumpy()
    ascending = np.argsort(np.asarray(line["price"]))
    o, price, product, sku = (np.asarray(line[name])[ascending] for name in ("o", "price", "product", "sku"))
    by_sku = usual_price(sku, price)
    usual = np.where(np.isnan(by_sku), usual_price(product, price), by_sku)
    gap = np.log2(price / usual)
    above, below = np.full(size, np.nan), np.full(size, np.nan)
    np.fmax.at(above, o, gap)
    np.fmin.at(below, o, gap)
    return np.where(above >= -below, above, below)
