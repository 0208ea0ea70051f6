"""Repeat buying, cohorts and places against plain Python."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from builders import AS_OF, START, Row, a_market, an_item, an_order, at, by_order, shuffled

from features import identity, repeat
from features.repeat import FEATURES, FOCUS_CAP

Values = dict[str, dict[str, Any]]


def computed(orders: Iterable[Row], **tables: Iterable[Row]) -> tuple[Values, dict[str, str]]:
    """The family's values, and the buyers' entities."""
    con = a_market(orders, **tables).con
    identity.compute(con, AS_OF)
    repeat.compute(con, AS_OF)
    entity_of = dict(con.execute("SELECT buyer_id, entity_id FROM buyer_entity").fetchall())
    return by_order(con, "f_repeat"), entity_of


def log_ratio(found: float, expected: float) -> float:
    excess = found * math.log(found / expected) - (found - expected) if found > expected else 0.0
    return min(FOCUS_CAP, excess)


def some_market(seed: int) -> tuple[list[Row], dict[str, list[Row]]]:
    random = np.random.default_rng(seed)

    def pick(count: int) -> int:
        return int(random.integers(count))

    orders = [
        an_order(
            order_id=f"o{n:03d}",
            buyer_id=f"b{pick(40):02d}",
            seller_id=f"s{pick(6)}",
            created_at=at(hours=pick(2000)),
            device_id=f"d{pick(60)}",
            ip_address=[None, f"10.0.{pick(4)}.{pick(9)}", "2001:db8::1"][pick(8) % 3],
            ship_to_country=[None, "US", "DE"][pick(3)],
            ship_to_postcode=[None, "***", "10115", " 10115", "SW1A 1AA", "sw1a 1aa"][pick(6)],
        )
        for n in range(120)
    ]
    buyers = [
        {"buyer_id": f"b{n:02d}", "registered_at": at(days=-3 * pick(4), hours=pick(30))}
        if pick(8)
        else {"buyer_id": f"b{n:02d}"}
        for n in range(36)
    ]
    products = [{"product_id": f"p{n}", "category": ["toys", None, "tea"][n % 3]} for n in range(7)]
    items = [
        an_item(order["order_id"], line_no=f"{k}", product_id=f"p{pick(9)}" if pick(9) else None)
        for order in orders
        for k in range(pick(3))
    ]
    return orders, {"buyers": buyers, "products": products, "order_items": items}


class Plain:
    def __init__(self, orders: list[Row], entity_of: dict[str, str], tables: dict[str, list[Row]]) -> None:
        self.orders = sorted(orders, key=lambda order: (order["created_at"], order["order_id"]))
        self.entity = {order["order_id"]: entity_of[order["buyer_id"]] for order in orders}
        self.registered = {row["buyer_id"]: row.get("registered_at") for row in tables["buyers"]}
        self.category = {row["product_id"]: row["category"] or "" for row in tables["products"]}
        self.products = defaultdict(set)
        for item in tables["order_items"]:
            if item["product_id"] is not None:
                self.products[item["order_id"]].add(item["product_id"])

    def day(self, order: Row) -> Any:
        known = self.registered.get(order["buyer_id"])
        return known and known.date()

    def network(self, order: Row) -> Any:
        address = order["ip_address"] or ""
        return address.rsplit(".", 1)[0] if address.count(".") == 3 else None

    def postcode(self, order: Row) -> Any:
        country, code = order["ship_to_country"], order["ship_to_postcode"]
        return None if None in (country, code) or "***" in code else (country, code.strip().lower())

    def focus(
        self, order: Row, group: Callable[[Row], Any], population: Callable[[Row], Any]
    ) -> float | None:
        """Of the visits (entity, seller, group) of the population: those of the group at the seller."""
        if group(order) is None:
            return None
        visits = {
            (self.entity[o["order_id"]], o["seller_id"], group(o), population(o))
            for o in self.orders
            if group(o) is not None
        }
        here = sum(v[1] == order["seller_id"] and v[2] == group(order) for v in visits) - 1
        same = [v for v in visits if v[3] == population(order)]
        at_seller = sum(v[1] == order["seller_id"] for v in same) - 1
        others_of_group = sum(v[2] == group(order) for v in same) - here
        expected = max(at_seller * others_of_group / len(same), 1e-3)
        return log_ratio(here, expected)

    def pair(self, order: Row) -> list[Row]:
        entity = self.entity[order["order_id"]]
        return [
            o
            for o in self.orders
            if self.entity[o["order_id"]] == entity and o["seller_id"] == order["seller_id"]
        ]

    def repeats(self, order: Row) -> list[tuple[int, float]]:
        """Of each product of the order: other orders of the entity that hold it, and their excess."""
        bought: dict[tuple[str, str], set[str]] = defaultdict(set)
        for order_id, products in self.products.items():
            for product in products:
                bought[self.entity[order_id], product].add(order_id)
        found = []
        for product in self.products[order["order_id"]]:
            category = self.category.get(product, "")
            peers = [len(ids) - 1 for (_, p), ids in bought.items() if self.category.get(p, "") == category]
            again = (sum(peers) + 1) / (len(peers) + 20)
            others = len(bought[self.entity[order["order_id"]], product]) - 1
            found.append((others, log_ratio(others, again)))
        return found

    def features(self, order: Row) -> dict[str, float | None]:
        registered = self.registered.get(order["buyer_id"])
        pair = [o["created_at"] for o in self.pair(order)]
        gaps = [(b - a).total_seconds() / 3600 for a, b in pairwise(pair)]
        repeats = self.repeats(order)
        age = registered and (order["created_at"] - registered).total_seconds() / 86_400
        return {
            "buyer_age_days": age if age is not None and age >= 0 else None,
            "cohort_focus": self.focus(order, self.day, lambda _: ""),
            "network_focus": self.focus(order, self.network, lambda _: ""),
            "postcode_focus": self.focus(order, self.postcode, lambda o: o["ship_to_country"]),
            "pair_orders": len(pair),
            "same_product_orders": max((n for n, _ in repeats), default=None),
            "same_product_excess": max((excess for _, excess in repeats), default=None),
            "pair_gap_hours": statistics.median(gaps) if gaps else None,
        }


@pytest.mark.parametrize("seed", range(5))
def test_the_features_are_those_of_plain_python(seed: int) -> None:
    orders, tables = some_market(seed)
    found, entity_of = computed(orders, **tables)
    plain = Plain(orders, entity_of, tables)
    assert {feature.name for feature in FEATURES} == set(found["o000"])
    for order in orders:
        assert found[order["order_id"]] == pytest.approx(plain.features(order), abs=2e-9), order


def test_the_order_of_rows_changes_nothing() -> None:
    orders, tables = some_market(11)
    mixed = {name: shuffled(rows) for name, rows in tables.items()}
    assert computed(orders, **tables) == computed(shuffled(orders), **mixed)


def test_without_the_optional_tables_their_features_are_unknown() -> None:
    found, _ = computed([an_order(), an_order()])
    unknown = {name for name, value in found["o0001"].items() if value is None}
    assert unknown == {feature.name for feature in FEATURES} - {"pair_orders", "pair_gap_hours"}


def test_a_cohort_that_meets_at_one_seller_stands_out() -> None:
    """Twelve accounts of one evening meet at a small shop; those of the market are of sixty-one days."""
    crowd = [an_order(buyer_id=f"c{n}", seller_id=f"s{n % 10}") for n in range(300)]
    cohort = [an_order(order_id=f"new{n}", buyer_id=f"new{n}", seller_id="small") for n in range(12)]
    buyers = [{"buyer_id": f"c{n}", "registered_at": at(days=-90 - n % 61)} for n in range(300)]
    buyers += [{"buyer_id": f"new{n}", "registered_at": at(days=-2, minutes=n)} for n in range(12)]
    found, _ = computed([*crowd, *cohort], buyers=buyers)
    assert min(found[f"new{n}"]["cohort_focus"] for n in range(12)) > 20
    assert max(found[f"o{n:04d}"]["cohort_focus"] for n in range(1, 301)) < 5


def test_weekly_tea_is_not_an_excess_where_the_category_is_bought_weekly() -> None:
    """Everybody buys tea ten times and one a lamp five times: the lamps are the surprise."""
    tea = [
        an_order(order_id=f"t{b}-{n}", buyer_id=f"b{b}", created_at=START)
        for b in range(40)
        for n in range(10)
    ]
    lamps = [an_order(order_id=f"l{n}", buyer_id="b0") for n in range(5)]
    singles = [an_order(order_id=f"x{n}", buyer_id=f"x{n}") for n in range(60)]
    items = [an_item(o["order_id"], product_id="tea") for o in tea]
    items += [an_item(o["order_id"], product_id="lamp") for o in [*lamps, *singles]]
    products = [{"product_id": name, "category": name} for name in ("tea", "lamp")]
    found, _ = computed([*tea, *lamps, *singles], order_items=items, products=products)
    assert found["t3-0"]["same_product_orders"] == 9
    assert found["t3-0"]["same_product_excess"] < 3 < found["l0"]["same_product_excess"]
