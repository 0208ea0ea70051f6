"""What is known of an order's neighbours: its seller's, buyer's, product's, parcel point's other orders.

A fake order alone may leave little; its neighbours betray it. Given a first suspicion of every order from
its own evidence, each kind of neighbourhood tells how much more suspect the order's neighbours are than the
market: ``ln((a·p₀ + Σ p) / (a + n) / p₀)`` over the ``n`` neighbours, where ``p₀`` is the market's mean and
``a`` the weight of having seen nobody. The orders of the order's own entity are left out (of the entity's
neighbourhood those at the same seller), so that no order is evidence against itself. A shop's customers of
one sort, those who shop nowhere else or those who do, are compared with all its customers: bought accounts
serve one shop, most of its honest customers do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.columns import group_codes, ordered
from features.declare import Entity, Feature

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

LOWEST, HIGHEST = -2.0, 5.0
"""Range of a lift (nats): beyond it more neighbours say nothing new."""


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """Orders that share ``group``; of those, the ones that share ``apart`` with the order do not count.

    They are compared with the orders that share ``within``, or with the market.
    """

    name: str
    meaning: str
    group: str
    apart: str
    prior: float
    entity: Entity
    within: str | None = None

    @property
    def feature(self) -> Feature:
        than = "market" if self.within is None else self.within
        return Feature(
            self.name,
            f"How much more suspect (nats above the {than}'s mean, −2 to 5) {self.meaning} are.",
            "There are no such orders.",
            (),
            kind="snapshot",
            entity=self.entity,
        )


NEIGHBOURHOODS: tuple[Neighbourhood, ...] = (
    Neighbourhood("seller_context", "the seller's orders from other entities", "seller", "entity", 4, "seller"),
    Neighbourhood(
        "customer_context", "the seller's orders from other entities that, as this one, shop nowhere else, or do,",
        "customers", "entity", 2, "pair", "seller",
    ),
    Neighbourhood(
        "block_context", "orders of other entities in the same dense block of buyers and sellers", "block", "entity",
        2, "pair",
    ),
    Neighbourhood(
        "day_context", "the seller's orders of the same day from other entities", "seller_day", "entity", 2, "seller"
    ),
    Neighbourhood(
        "product_context", "the orders of the same product by other entities", "product", "entity", 3, "seller"
    ),
    Neighbourhood("buyer_context", "the entity's orders at other sellers", "entity", "seller", 1, "buyer"),
    Neighbourhood("pair_context", "the entity's other orders at this seller", "pair", "order", 1, "pair"),
    Neighbourhood(
        "point_context", "other sellers' parcels from the same consignment point", "point", "seller", 6, "point"
    ),
    Neighbourhood(
        "wording_context", "the orders of other entities reviewed in nearly the same words", "wording", "entity", 2,
        "buyer",
    ),
    Neighbourhood("creator_context", "the creator's sales to other entities", "creator", "entity", 4, "creator"),
)  # fmt: skip

FEATURES: tuple[Feature, ...] = tuple(hood.feature for hood in NEIGHBOURHOODS)


def neighbour_keys(con: duckdb.DuckDBPyConnection) -> dict[str, Codes]:
    """Group codes of every order, in order of ``o``: int64 arrays of shape (orders,), −1 for none.

    Expects ``orders``, ``order_items``, ``buyer_entity``, ``block_pairs``, ``order_point`` and
    ``order_review_cluster``.
    """
    found = con.sql("""
        WITH main_product AS (
            SELECT order_id, min(product_id) AS product_id FROM order_items GROUP BY ALL)
        SELECT o.o, seller_id AS seller, entity_id AS entity, created_at::DATE AS day, product_id AS product,
               block, point_id AS point, cluster_id AS wording, creator_id AS creator
        FROM orders o JOIN buyer_entity USING (buyer_id) LEFT JOIN block_pairs USING (entity_id, seller_id)
        LEFT JOIN main_product USING (order_id)
        LEFT JOIN order_point USING (o) LEFT JOIN order_review_cluster USING (o)
    """).to_arrow_table()
    found = ordered(found)
    columns = {name: found[name] for name in found.column_names}
    keys = {name: _codes(column) for name, column in columns.items() if name != "day"}
    keys["order"] = np.arange(len(found), dtype=np.int64)
    keys["pair"] = group_codes(keys["entity"], keys["seller"]).astype(np.int64)
    keys["customers"] = group_codes(keys["seller"], _size(keys["pair"]) == _size(keys["entity"])).astype(
        np.int64
    )
    keys["seller_day"] = group_codes(keys["seller"], columns["day"]).astype(np.int64)
    return keys


def _size(codes: Codes) -> Codes:
    """How many rows have each row's code."""
    return np.asarray(np.bincount(codes)[codes])


def _codes(column: pa.ChunkedArray) -> Codes:
    known = column.is_valid().to_numpy()
    return np.where(known, group_codes(column), -1).astype(np.int64)


def neighbour_features(suspicion: Floats, keys: Mapping[str, Codes]) -> dict[str, Floats]:
    """Compute every neighbourhood's lift.

    Parameters
    ----------
    suspicion
        Probability-like suspicion of each order from what is known so far, shape (orders,), 0–1.
    keys
        As from ``neighbour_keys``.

    Returns
    -------
    dict of float64 arrays, shape (orders,)
        Lift in nats; higher is more suspicious; NaN where the order has no neighbours.
    """
    base = max(float(suspicion.mean()), 1e-6) if len(suspicion) else 1e-6
    return {hood.name: _lift(suspicion, keys, hood, base) for hood in NEIGHBOURHOODS}


def _lift(suspicion: Floats, keys: Mapping[str, Codes], hood: Neighbourhood, base: float) -> Floats:
    mass, others = _others(suspicion, keys[hood.group], keys[hood.apart])
    usual: Floats | float = base
    if hood.within is not None:
        wider, there = _others(suspicion, keys[hood.within], keys[hood.apart])
        usual = (hood.prior * base + wider) / (hood.prior + there)
    lift = np.log((hood.prior * usual + mass) / ((hood.prior + others) * usual))
    return np.where(others > 0, np.clip(lift, LOWEST, HIGHEST), np.nan)


def _others(suspicion: Floats, group: Codes, apart: Codes) -> tuple[Floats, Floats]:
    """Sum of the suspicion of the orders in each order's group that it is not told apart with, and their count."""
    total, count = _sums(suspicion, group)
    own_total, own_count = _sums(suspicion, _combine(group, apart))
    return np.maximum(total - own_total, 0.0), np.where(group >= 0, count - own_count, 0)


def _sums(values: Floats, group: Codes) -> tuple[Floats, Floats]:
    """Sum and count of the group of each row; codes of −1 form a group that nobody looks at."""
    shifted = group + 1
    total: Floats = np.bincount(shifted, values).astype(np.float64)[shifted]
    return total, np.bincount(shifted).astype(np.float64)[shifted]


def _combine(first: Codes, second: Codes) -> Codes:
    paired = (first + 1) * (int(second.max(initial=0)) + 2) + second + 1
    return group_codes(paired).astype(np.int64)
