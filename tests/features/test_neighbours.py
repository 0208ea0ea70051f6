"""Neighbours' lifts against brute force over pairs of orders."""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import product

import numpy as np
import pytest
from builders import AS_OF, Row, a_market, an_item, an_order, at

from features import identity
from features.keys import create_main_product
from features.neighbours import (
    LOWEST,
    NEIGHBOURHOODS,
    Neighbourhood,
    Neighbours,
    neighbour_keys,
)

KEYS = sorted(
    {key for hood in NEIGHBOURHOODS for key in (hood.group, hood.apart, hood.within) if key is not None}
)


def some_keys(random: np.random.Generator, orders: int) -> dict[str, np.ndarray]:
    """Codes of few groups; where an order may be outside a group, some are."""
    optional = {"product", "point", "wording", "creator", "block"}
    keys = {
        name: random.integers(-1 if name in optional else 0, 1 + orders // (3 + k), orders)
        for k, name in enumerate(KEYS)
    }
    pair = keys["entity"] * orders + keys["seller"]
    return keys | {"order": np.arange(orders), "pair": pair}


def brute(suspicion: list[float], keys: dict[str, list[int]], hood: Neighbourhood) -> list[float]:
    """Each order's lift from a loop over all the others."""
    base = math.fsum(suspicion) / len(suspicion)

    def others(mine: int, group: list[int]) -> list[float]:
        apart = keys[hood.apart]
        return [
            suspicion[n]
            for n in range(len(suspicion))
            if group[mine] >= 0 and group[n] == group[mine] and apart[n] != apart[mine]
        ]

    def mean(seen: list[float], usual: float) -> float:
        return (hood.prior * usual + math.fsum(seen)) / (hood.prior + len(seen))

    lifts = []
    for mine in range(len(suspicion)):
        usual = base if hood.within is None else mean(others(mine, keys[hood.within]), base)
        seen = others(mine, keys[hood.group])
        forgiven = hood.forgives is not None and len(seen) >= hood.forgives
        lift = math.log(mean(sorted(seen)[: len(seen) - forgiven], usual) / usual)
        lifts.append(min(max(lift, LOWEST), hood.highest) if seen else math.nan)
    return lifts


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("hood", NEIGHBOURHOODS, ids=lambda hood: hood.name)
def test_lifts_are_those_of_brute_force(seed: int, hood: Neighbourhood) -> None:
    random = np.random.default_rng(seed)
    orders = int(random.integers(1, 90))
    suspicion, keys = random.random(orders) ** 6, some_keys(random, orders)
    found = Neighbours(keys).features(suspicion)[hood.name]
    expected = brute(suspicion.tolist(), {name: codes.tolist() for name, codes in keys.items()}, hood)
    assert found.tolist() == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_no_order_is_evidence_against_itself() -> None:
    """Two orders swap their suspicion, so the mean stays: lifts change only for those they are neighbours of."""
    random = np.random.default_rng(1)
    keys = some_keys(random, 60)
    calm = random.random(60) ** 6
    swapped = calm.copy()
    swapped[[7, 8]] = calm[[8, 7]]
    before, after = Neighbours(keys).features(calm), Neighbours(keys).features(swapped)
    for hood in NEIGHBOURHOODS:
        apart = keys[hood.apart]
        sees = np.zeros(60, dtype=bool)
        for other in (7, 8):
            for group in (keys[hood.group], keys[hood.within or hood.group]):
                sees |= (group == group[other]) & (apart != apart[other])
        same = before[hood.name][~sees], after[hood.name][~sees]
        np.testing.assert_allclose(*same, atol=1e-9)


def test_suspect_neighbours_lift_and_clean_ones_lower() -> None:
    keys = {name: np.zeros(40, dtype=np.int64) for name in KEYS} | {"order": np.arange(40)}
    keys |= {"seller": np.repeat([0, 1], 20), "entity": np.arange(40), "pair": np.arange(40)}
    lift = Neighbours(keys).features(np.repeat([0.5, 0.001], 20))["seller_context"]
    assert lift[0] > 0.3
    assert lift[39] < -1


def test_one_loud_order_among_five_is_forgiven_two_are_not() -> None:
    """One misdelivered parcel of a subscription, and a pair whose parcels are often so."""
    names = ("product", "block", "point", "wording", "creator", "order", "customers", "seller_day")
    keys = {name: np.arange(40) for name in names}
    keys |= {name: np.maximum(np.arange(40) - 5, 0) for name in ("seller", "entity", "pair")}
    quiet = np.full(40, 0.01)
    lifts = []
    for loud in (1, 2):
        suspicion = quiet.copy()
        suspicion[:loud] = 1.0
        lifts.append(Neighbours(keys).features(suspicion)["pair_context"])
    assert (lifts[0][:6] < 0).all()
    assert (lifts[1][2:6] > 1).all()


def test_a_market_without_orders_has_no_lifts() -> None:
    nothing = {name: np.zeros(0, dtype=np.int64) for name in KEYS}
    assert {len(lift) for lift in Neighbours(nothing).features(np.zeros(0)).values()} == {0}


def test_keys_group_the_orders_that_share_something() -> None:
    random = np.random.default_rng(3)
    rows: list[Row] = [
        an_order(
            order_id=f"o{n:02d}",
            buyer_id=f"b{random.integers(9)}",
            seller_id=f"s{random.integers(4)}",
            device_id=f"d{random.integers(9)}",
            creator_id=[None, "c1", "c2"][random.integers(3)],
            created_at=at(hours=int(random.integers(72))),
        )
        for n in range(40)
    ]
    items = [
        an_item(f"o{n:02d}", line_no=f"{k}", product_id=f"p{n % 5 + k}") for n in range(30) for k in (1, 0)
    ]
    con = a_market(rows, order_items=items).con
    identity.compute(con, AS_OF)
    con.execute(
        "CREATE TABLE block_pairs AS SELECT DISTINCT entity_id, 's1' AS seller_id, 4 AS block FROM buyer_entity"
    )
    create_main_product(con)
    con.execute("CREATE TABLE order_point AS SELECT o, o % 3 AS point_id FROM orders WHERE o % 2 = 0")
    con.execute(
        "CREATE TABLE order_review_cluster AS SELECT o, o % 4 AS cluster_id FROM orders WHERE o % 3 = 0"
    )
    entity_of = dict(con.execute("SELECT buyer_id, entity_id FROM buyer_entity").fetchall())

    ordered = sorted(rows, key=lambda row: (row["created_at"], row["order_id"]))
    shops = defaultdict(set)
    for row in rows:
        shops[entity_of[row["buyer_id"]]].add(row["seller_id"])
    bought = {row["order_id"]: f"p{int(row['order_id'][1:]) % 5}" for row in ordered}
    shared = {
        "seller": [row["seller_id"] for row in ordered],
        "entity": [entity_of[row["buyer_id"]] for row in ordered],
        "pair": [(entity_of[row["buyer_id"]], row["seller_id"]) for row in ordered],
        "customers": [(row["seller_id"], len(shops[entity_of[row["buyer_id"]]]) > 1) for row in ordered],
        "block": [4 if row["seller_id"] == "s1" else None for row in ordered],
        "seller_day": [(row["seller_id"], row["created_at"].date()) for row in ordered],
        "creator": [row["creator_id"] for row in ordered],
        "product": [bought[row["order_id"]] if row["order_id"] < "o30" else None for row in ordered],
        "point": [n % 3 if n % 2 == 0 else None for n in range(40)],
        "wording": [n % 4 if n % 3 == 0 else None for n in range(40)],
    }
    keys = neighbour_keys(con)
    assert keys["order"].tolist() == list(range(40))
    for name, values in shared.items():
        codes = keys[name].tolist()
        assert [code < 0 for code in codes] == [value is None for value in values]
        for left, right in product(range(40), repeat=2):
            if values[left] is not None:
                assert (codes[left] == codes[right]) == (values[left] == values[right]), name
