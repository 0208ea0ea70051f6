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
"""Range of a lift (nats): beyond it more neighbours say nothing new. A shop's ends sooner: where others give
themselves away at once, an order that does not is the less suspect."""


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """Orders that share ``group``; of those, the ones that share ``apart`` with the order do not count.

    They are compared with the orders that share ``within``, or with the market. A lift over ``highest`` (nats)
    says nothing more. Of as many neighbours as ``forgives`` or more, the most suspect one does not count.
    """

    name: str
    meaning: str
    group: str
    apart: str
    prior: float
    entity: Entity
    within: str | None = None
    highest: float = HIGHEST
    forgives: int | None = None

    @property
    def feature(self) -> Feature:
        than = "market" if self.within is None else self.within
        return Feature(
            self.name,
            f"How much more suspect (nats above the {than}'s mean, {LOWEST:g} to {self.highest:g}) {self.meaning} are.",
            "There are no such orders.",
            (),
            kind="snapshot",
            entity=self.entity,
        )


NEIGHBOURHOODS: tuple[Neighbourhood, ...] = (
    Neighbourhood(
        "seller_context", "the seller's orders from other entities", "seller", "entity", 4, "seller", highest=1.0
    ),
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
    Neighbourhood(
        "pair_context", "the entity's other orders at this seller", "pair", "order", 1, "pair", forgives=4
    ),  # one misdelivered parcel says nothing of a subscription's others
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

    Expects ``orders``, ``buyer_entity``, ``main_product``, ``block_pairs``, ``order_point`` and
    ``order_review_cluster``. Groups are told apart by the 64-bit hash of their id.
    """
    found = con.sql("""
        SELECT o.o, hash(seller_id) AS seller, hash(entity_id) AS entity, created_at::DATE AS day,
               CASE WHEN product_id IS NOT NULL THEN hash(product_id) END AS product, block,
               CASE WHEN point_id IS NOT NULL THEN hash(point_id) END AS point, cluster_id AS wording,
               CASE WHEN creator_id IS NOT NULL THEN hash(creator_id) END AS creator
        FROM orders o JOIN buyer_entity USING (buyer_id) LEFT JOIN block_pairs USING (entity_id, seller_id)
        LEFT JOIN main_product USING (o) LEFT JOIN order_point USING (o) LEFT JOIN order_review_cluster USING (o)
    """).to_arrow_table()
    found = ordered(found)
    columns = {name: found[name] for name in found.column_names}
    keys = {name: _codes(column) for name, column in columns.items() if name != "day"}
    keys["order"] = np.arange(len(found), dtype=np.int64)
    keys["pair"] = group_codes(keys["entity"], keys["seller"]).astype(np.int64)
    only_here = _count(keys["pair"]) == _count(keys["entity"])
    keys["customers"] = group_codes(keys["seller"], only_here.astype(np.int32)).astype(np.int64)
    keys["seller_day"] = group_codes(keys["seller"], columns["day"]).astype(np.int64)
    return keys


def _codes(column: pa.ChunkedArray) -> Codes:
    known = column.is_valid().to_numpy()
    return np.where(known, group_codes(column), -1).astype(np.int64)


class Neighbours:
    """Who is whose neighbour: found once, asked as often as suspicion travels.

    Parameters
    ----------
    keys
        As from ``neighbour_keys``.
    """

    def __init__(self, keys: Mapping[str, Codes]) -> None:
        pairs = {
            (group, hood.apart) for hood in NEIGHBOURHOODS for group in (hood.group, hood.within) if group
        }
        parts = {frozenset(("entity", "seller")): keys["pair"]}
        self._sides = {}
        for group, apart in pairs:
            part = parts.get(frozenset((group, apart)), keys["order"] if apart == "order" else None)
            part = _combine(keys[group], keys[apart]) if part is None else part
            self._sides[group, apart] = _Sides.of(keys[group], part)

    def features(self, suspicion: Floats) -> dict[str, Floats]:
        """Compute every neighbourhood's lift.

        Parameters
        ----------
        suspicion
            Probability-like suspicion of each order from what is known so far, shape (orders,), 0–1.

        Returns
        -------
        dict of float64 arrays, shape (orders,)
            Lift in nats; higher is more suspicious; NaN where the order has no neighbours.
        """
        base = max(float(suspicion.mean()), 1e-6) if len(suspicion) else 1e-6
        return {hood.name: self._lift(suspicion, hood, base) for hood in NEIGHBOURHOODS}

    def _lift(self, suspicion: Floats, hood: Neighbourhood, base: float) -> Floats:
        sides = self._sides[hood.group, hood.apart]
        usual: Floats | float = base
        if hood.within is not None:
            wider = self._sides[hood.within, hood.apart]
            usual = (hood.prior * base + wider.mass(suspicion)) / (hood.prior + wider.others)
        mass, others = sides.mass(suspicion), sides.others
        if hood.forgives is not None:
            mass = np.maximum(mass - sides.loudest(suspicion, hood.forgives), 0.0)
            others = others - (others >= hood.forgives)
        lift = np.log((hood.prior * usual + mass) / ((hood.prior + others) * usual))
        return np.where(sides.others > 0, np.clip(lift, LOWEST, hood.highest), np.nan)


@dataclass(frozen=True, slots=True)
class _Sides:
    """One neighbourhood: the ``rows`` that have neighbours, of each of them the group and the part of it that
    does not count, and of every order how many are in the rest.
    """

    rows: Codes
    group: Codes
    part: Codes
    others: Codes

    @classmethod
    def of(cls, group: Codes, part: Codes) -> _Sides:
        others = np.zeros(len(group), np.int64)
        rows = np.flatnonzero(group >= 0)
        others[rows] = _count(group[rows]) - _count(part[rows])
        rows = rows[others[rows] > 0]
        return cls(rows, group[rows], part[rows], others)

    def mass(self, suspicion: Floats) -> Floats:
        """Every order's neighbours' suspicion added up, 0 where it has none."""
        told, mass = suspicion[self.rows], np.zeros(len(self.others))
        mass[self.rows] = np.maximum(_total(told, self.group) - _total(told, self.part), 0.0)
        return mass

    def loudest(self, suspicion: Floats, many: int) -> Floats:
        """The suspicion of every order's most suspect neighbour where it has ``many`` or more, else 0.

        For sides whose part is the order itself.
        """
        loudest = np.zeros(len(self.others))
        chosen = np.flatnonzero(self.others[self.rows] >= many)
        order = chosen[np.lexsort((-suspicion[self.rows[chosen]], self.group[chosen]))]
        rows, group = self.rows[order], self.group[order]
        first = np.flatnonzero(np.diff(group, prepend=-1))
        loudest[rows] = np.repeat(suspicion[rows[first]], np.diff(first, append=len(rows)))
        loudest[rows[first]] = suspicion[rows[first + 1]]
        return loudest


def _count(group: Codes) -> Codes:
    """Size of each row's group."""
    return np.asarray(np.bincount(group)[group], dtype=np.int64) if len(group) else group


def _total(values: Floats, group: Codes) -> Floats:
    """Sum over each row's group."""
    return np.asarray(np.bincount(group, values)[group], dtype=np.float64) if len(group) else values


def _combine(first: Codes, second: Codes) -> Codes:
    paired = (first + 1) * (int(second.max(initial=0)) + 2) + second + 1
    return group_codes(paired).astype(np.int64)
