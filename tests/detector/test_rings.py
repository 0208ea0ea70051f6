"""Rings against plain Python: who is in which, which are kept, and what a ring's row says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.rings import find_rings

START = datetime(2024, 5, 1)
CON = duckdb.connect(config={"threads": 1})
KINDS = ("identity", "lockstep", "dense_block", "consignment_point")


@dataclass(frozen=True)
class Order:
    """An order and the groups it may be in: the entity (of ``size`` accounts) of its buyer, the lockstep
    group and the dense block of that entity and its seller, its parcel's consignment point.
    """

    entity: int = 0
    seller: str = "s1"
    suspected: bool = True
    score: float = 0.9
    lockstep: str | None = None
    block: int | None = None
    point: int | None = None
    creator: str | None = None
    size: int = 1

    @property
    def buyer(self) -> str:
        return f"b{self.entity}"

    def groups(self) -> list[tuple[str, str]]:
        """(kind, group) of the rings that the order may belong to, the strongest kind first."""
        found = [("identity", self.buyer)] if self.size >= 3 else []
        named = (("lockstep", self.lockstep), ("dense_block", self.block), ("consignment_point", self.point))
        return found + [(kind, str(value)) for kind, value in named if value is not None]


def rings(orders: Sequence[Order]) -> tuple[dict[str, dict[str, Any]], dict[int, str]]:
    """The rings by id, and the ring of each order that has one."""
    ids = range(len(orders))
    tables = {
        "orders": {
            "o": pa.array(ids, pa.int32()),
            "order_id": [f"o{o:03d}" for o in ids],
            "buyer_id": [order.buyer for order in orders],
            "seller_id": [order.seller for order in orders],
            "creator_id": pa.array([order.creator for order in orders], pa.string()),
            "created_at": [START + timedelta(hours=o) for o in ids],
        },
        "buyer_entity": columns({(o.buyer, o.buyer, o.size) for o in orders}, "buyer_id entity_id entity_size"),
        "lockstep_rings": columns(
            {(o.lockstep, o.buyer, o.seller) for o in orders if o.lockstep}, "component entity_id seller_id"
        ),
        "blocks": columns(
            {(o.block, *side) for o in orders if o.block for side in (("buyer", o.buyer), ("seller", o.seller))},
            "block side node_id",
        ),
        "order_point": columns(
            {(n, order.point) for n, order in enumerate(orders) if order.point is not None}, "o point_id"
        ),
    }  # fmt: skip
    for name, table in tables.items():
        CON.register(name, pa.table(table))
    suspected = np.array([order.suspected for order in orders])
    find_rings(CON, np.array([order.score for order in orders]), suspected)
    found = CON.sql("FROM rings").to_arrow_table().to_pylist()
    assert [ring["suspicion"] for ring in found] == sorted((r["suspicion"] for r in found), reverse=True)
    return {ring["ring_id"]: ring for ring in found}, dict(CON.execute("FROM order_ring").fetchall())


def columns(rows: set[tuple[Any, ...]], names: str) -> dict[str, Any]:
    texts = {"component", "entity_id", "seller_id", "buyer_id", "side", "node_id"}
    values = list(zip(*sorted(rows), strict=True)) or [()] * len(names.split())
    types = [pa.string() if name in texts else pa.int64() for name in names.split()]
    return {name: pa.array(v, t) for name, v, t in zip(names.split(), values, types, strict=True)}


def plain(orders: Sequence[Order]) -> dict[tuple[str, str], list[int]]:
    """(kind, group) → ranks of its members, as the docstring words it."""
    members: dict[tuple[str, str], list[int]] = defaultdict(list)
    for o, order in enumerate(orders):
        for group in order.groups():
            members[group].append(o)
    guilty = {}
    for (kind, name), mine in members.items():
        suspected = [o for o in mine if orders[o].suspected]
        enough = 10 if kind == "consignment_point" else 3
        if len(suspected) >= enough and 3 * len(suspected) >= len(mine):
            guilty[kind, name] = suspected
    first: dict[tuple[str, str], list[int]] = defaultdict(list)
    for o, order in enumerate(orders):
        mine = [group for group in order.groups() if o in guilty.get(group, ())]
        if mine:
            first[mine[0]].append(o)
    return {group: mine for group, mine in first.items() if len(mine) >= 3}


@st.composite
def markets(draw: st.DrawFn) -> list[Order]:
    """Orders of a few buyers and sellers; the groups are those of (buyer, seller) pairs, as in a market."""
    sizes = draw(st.lists(st.sampled_from([1, 2, 3, 5]), min_size=4, max_size=4))
    step = draw(st.dictionaries(st.tuples(st.integers(0, 3), st.sampled_from("ab")), st.sampled_from("xy")))
    block_of_buyer = draw(st.lists(st.sampled_from([None, 1, 2]), min_size=4, max_size=4))
    block_of_seller = {seller: draw(st.sampled_from([1, 2])) for seller in "ab"}
    drawn = draw(
        st.lists(
            st.tuples(
                st.integers(0, 3),
                st.sampled_from("ab"),
                st.booleans(),
                st.sampled_from([None, 7, 8]),
                st.sampled_from([None, "c1", "c2"]),
            ),
            min_size=1,
            max_size=50,
        )
    )
    orders = []
    for n, (entity, seller, suspected, point, creator) in enumerate(drawn):
        block = block_of_buyer[entity]
        in_block = block if block == block_of_seller[seller] else None
        orders.append(
            Order(
                entity, seller, suspected, (n % 10) / 10, step.get((entity, seller)), in_block, point, creator,
                sizes[entity],
            )
        )  # fmt: skip
    return orders


@settings(max_examples=80, deadline=None, derandomize=True)
@given(markets())
def test_rings_are_those_of_plain_python(orders: list[Order]) -> None:
    found, ring_of = rings(orders)
    expected = plain(orders)
    members: dict[str, list[int]] = defaultdict(list)
    for o, ring in ring_of.items():
        members[ring].append(o)
    assert sorted(sorted(mine) for mine in members.values()) == sorted(expected.values())
    for (kind, _), mine in expected.items():
        ring = found.pop(ring_of[mine[0]])
        assert (ring["kind"], ring["order_count"]) == (kind, len(mine))
        assert ring["seller_ids"] == sorted({orders[o].seller for o in mine})
        assert ring["buyer_ids"] == sorted({orders[o].buyer for o in mine})
        creators = {orders[o].creator for o in mine} - {None}
        assert ring["creator_ids"] == sorted(creators, key=str)
        assert ring["suspicion"] == pytest.approx(sum(orders[o].score for o in mine) / len(mine), abs=1e-9)
        assert ring["first_order_at"] == START + timedelta(hours=mine[0])
        assert ring["last_order_at"] == START + timedelta(hours=mine[-1])
    assert not found


def test_a_rings_name_is_that_of_its_orders() -> None:
    ring = [Order(entity=n, lockstep="x") for n in range(4)]
    (name,) = rings(ring)[0]
    assert name.startswith("lockstep-")
    others = [Order(entity=9, suspected=False), Order(entity=8)]
    assert list(rings([*ring, *others])[0]) == [name]
    assert list(rings([Order(entity=n, lockstep="another number") for n in range(4)])[0]) == [name]
    assert list(rings([*ring, Order(entity=4, lockstep="x")])[0]) != [name]


@pytest.mark.parametrize(
    ("suspects", "others", "ring"), [(3, 6, True), (3, 7, False), (2, 0, False), (2, 9, False)]
)
def test_three_suspects_that_are_a_third_make_a_ring(suspects: int, others: int, ring: bool) -> None:
    orders = [Order(n, lockstep="x", suspected=n < suspects) for n in range(suspects + others)]
    found, ring_of = rings(orders)
    assert len(found) == ring
    assert set(ring_of) == (set(range(suspects)) if ring else set()), "the honest customer is no member"


def test_a_household_is_no_ring() -> None:
    assert rings([Order(size=2)] * 9) == ({}, {})


def test_a_warehouse_needs_more_than_a_few() -> None:
    assert rings([Order(n, point=7) for n in range(9)])[0] == {}
    assert len(rings([Order(n, point=7) for n in range(10)])[0]) == 1
