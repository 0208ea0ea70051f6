"""The buyer–seller graph against plain Python and networkx: co-buying, lockstep, dense blocks."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date
from itertools import chain, combinations, product
from random import Random

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from builders import AS_OF, Row, a_crowd, a_market, an_order, at, by_order, shuffled
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.ingest import Ingested
from features import graph, identity
from features.dense_blocks import MAX_SELLERS, _densest, dense_blocks
from features.graph import MAX_MEETING
from features.ring_graph import ring_graph

Edges = list[tuple[int, int]]


def computed(orders: Iterable[Row], **tables: Iterable[Row]) -> Ingested:
    market = a_market(orders, **tables)
    identity.compute(market.con, AS_OF)
    graph.compute(market.con, AS_OF)
    return market


def some_orders(seed: int, size: int = 260) -> list[Row]:
    random = np.random.default_rng(seed)
    return [
        an_order(
            order_id=f"o{n:03d}",
            buyer_id=f"b{int(30 * random.random() ** 1.5):02d}",
            seller_id=f"s{int(14 * random.random() ** 1.7):02d}",
            created_at=at(days=int(random.integers(25)), hours=int(random.integers(8))),
            ship_to_country=("US", "GB", None)[n % 3],
        )
        for n in range(size)
    ]


class Plain:
    """Co-buying and lockstep of one market, from the module's words; every buyer is an entity."""

    def __init__(self, orders: list[Row], category_of: dict[str, str]) -> None:
        self.orders, self.category_of = orders, category_of
        self.sellers: dict[str, set[str]] = defaultdict(set)
        for order in orders:
            self.sellers[order["buyer_id"]].add(order["seller_id"])
        self.shoppers = {b: s for b, s in self.sellers.items() if 2 <= len(s) <= MAX_SELLERS}
        self.country = {
            b: min(
                (o["ship_to_country"] for o in orders if o["buyer_id"] == b and o["ship_to_country"]),
                default="",
            )
            for b in self.sellers
        }
        self.pairs = self._pairs()
        self.partners = self._partners()

    def _pairs(self) -> dict[frozenset[str], float]:
        """Pair of sellers → surprise that so many bought at both."""
        common = Counter(
            frozenset(pair) for shops in self.shoppers.values() for pair in combinations(sorted(shops), 2)
        )
        by_category = Counter()
        for pair, count in common.items():
            by_category[self._categories(pair)] += count
        sizes = {c: Counter(self._visits(c)) for c in set(self.country.values())}
        density = {c: self._density(c) for c in sizes}
        usual: Counter[tuple[str, str]] = Counter()
        for country, visits in sizes.items():
            of_category = Counter()
            for seller, count in visits.items():
                of_category[self.category_of.get(seller, "")] += count
            for a, b in product(of_category, repeat=2):
                if a <= b:
                    usual[a, b] += density[country] * of_category[a] * of_category[b] / (2 if a == b else 1)
        found = {}
        for pair, count in common.items():
            x, y = pair
            lift = max(1.0, (by_category[self._categories(pair)] + 20) / (20 + usual[self._categories(pair)]))
            expected = lift * sum(density[c] * visits[x] * visits[y] for c, visits in sizes.items())
            if count >= 3 and count - 1 > expected:
                excess = (count - 1) * math.log((count - 1) / expected) - (count - 1 - expected)
                found[pair] = min(60.0, excess)
        return found

    def _visits(self, country: str) -> list[str]:
        return [s for b, shops in self.shoppers.items() if self.country[b] == country for s in shops]

    def _density(self, country: str) -> float:
        """Pairs of sellers that a country's buyers share, of all the pairs of its visits."""
        own = [len(shops) for b, shops in self.shoppers.items() if self.country[b] == country]
        return sum(n * (n - 1) for n in own) / max(sum(own), 1) ** 2

    def _categories(self, pair: Iterable[str]) -> tuple[str, str]:
        first, second = sorted(self.category_of.get(seller, "") for seller in pair)
        return first, second

    def _present(self) -> dict[str, dict[date, set[str]]]:
        """Seller → day → the shoppers who were there, of days that were no crowd."""
        present: dict[str, dict[date, set[str]]] = defaultdict(lambda: defaultdict(set))
        for order in self.orders:
            if order["buyer_id"] in self.shoppers:
                present[order["seller_id"]][order["created_at"].date()].add(order["buyer_id"])
        return {
            s: {day: there for day, there in days.items() if len(there) <= MAX_MEETING}
            for s, days in present.items()
        }

    def _partners(self) -> dict[tuple[str, str], int]:
        """(entity, seller) → entities met there on one day, and at another seller too."""
        met = defaultdict(set)
        for seller, days in self._present().items():
            for pair in chain.from_iterable(combinations(sorted(there), 2) for there in days.values()):
                met[pair].add(seller)
        found: Counter[tuple[str, str]] = Counter()
        for pair, sellers in met.items():
            if len(sellers) >= 2:
                found.update((buyer, seller) for buyer in pair for seller in sellers)
        return found

    def lockstep(self, buyer: str, seller: str) -> float:
        """Surprise of the partners, given how many were met here and elsewhere and how many there are."""
        partners = self.partners.get((buyer, seller), 0)
        met = {
            s: sum(len(there) - 1 for there in days.values() if buyer in there)
            for s, days in self._present().items()
        }
        shoppers = sum(self.country[b] == self.country[buyer] for b in self.shoppers)
        if not partners:
            return 0.0
        expected = 2 * met[seller] * (sum(met.values()) - met[seller]) / shoppers
        excess = partners * math.log(partners / expected) - (partners - expected)
        return min(60.0, excess) if partners > expected else 0.0

    def cobuy(self, buyer: str, seller: str) -> list[float]:
        others = self.shoppers.get(buyer, set()) - {seller}
        return [self.pairs[p] for p in (frozenset((seller, other)) for other in others) if p in self.pairs]

    def features(self, order: Row) -> dict[str, float | None]:
        buyer, seller = order["buyer_id"], order["seller_id"]
        shopper, found = buyer in self.shoppers, self.cobuy(buyer, seller)
        others = [b for b in self.sellers if seller in self.sellers[b] and b != buyer]
        neighbours = sum(max(self.cobuy(b, seller), default=0.0) for b in others) / (len(others) + 3)
        share = sum(excess >= 5 for excess in found) / max(len(self.sellers[buyer]) - 1, 1)
        return {
            "cobuy_surprise": max(found, default=0.0) if shopper else None,
            "cobuy_share": share if shopper else None,
            "cobuy_neighbours": neighbours,
            "lockstep_partners": self.partners.get((buyer, seller), 0),
            "lockstep_surprise": self.lockstep(buyer, seller),
        }


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("with_categories", [False, True])
def test_cobuying_and_lockstep_are_those_of_plain_python(seed: int, with_categories: bool) -> None:
    orders = some_orders(seed)
    category_of = {f"s{n:02d}": ("tea", "toys", "lamps")[n % 3] for n in range(14) if with_categories}
    products = [
        {"product_id": f"{seller}-{k}", "seller_id": seller, "category": category}
        for seller, category in category_of.items()
        for k in range(2)
    ]
    market = computed(orders, products=products)
    plain, found = Plain(orders, category_of), by_order(market.con, "f_graph")
    for order in orders:
        expected = plain.features(order)
        values = {name: found[order["order_id"]][name] for name in expected}
        assert values == pytest.approx(expected, abs=2e-9), order


def test_a_crowded_day_is_no_meeting_however_often_its_buyers_order() -> None:
    """The limit counts the buyers of a day, not their orders."""

    def partners(buyers: int, orders_each: int) -> float | None:
        rows = [
            an_order(buyer_id=f"b{b}", seller_id=f"s{s}", created_at=at(days=s, minutes=n))
            for b in range(buyers)
            for s in range(2)
            for n in range(orders_each)
        ]
        return by_order(computed(rows).con, "f_graph")["o0001"]["lockstep_partners"]

    assert partners(MAX_MEETING, 1) == MAX_MEETING - 1
    assert partners(MAX_MEETING, 2) == MAX_MEETING - 1
    assert partners(MAX_MEETING + 1, 1) == 0


def test_lockstep_rings_are_networkx_s_components() -> None:
    rows = [
        an_order(buyer_id=buyer, seller_id=f"s{visit}", created_at=at(days=visit))
        for visit, buyers in enumerate(["abc", "abc", "bd", "bd", "xy", "xyz", "z", "q"])
        for buyer in buyers
    ]
    market = computed(rows)
    pairs = market.con.execute("SELECT entity_a, entity_b FROM lockstep_pairs").fetchall()
    rings = dict(market.con.execute("SELECT entity_id, component FROM lockstep_rings").fetchall())
    parts = list(nx.connected_components(nx.Graph(pairs)))
    assert sorted(map(sorted, parts)) == [["a", "b", "c", "d"], ["x", "y"]]
    assert rings == {buyer: min(part) for part in parts for buyer in part}


def arrays(edges: Edges) -> tuple[np.ndarray, np.ndarray]:
    table = np.array(sorted(set(edges)), dtype=np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def reference_blocks(
    edges: Edges, candidates: set[tuple[int, int]], limit: int
) -> list[tuple[set[int], set[int], float]]:
    """The documented search, on a networkx graph."""
    whole = as_graph(edges)
    weight = {edge: 1 / math.log(whole.degree(("s", edge[1])) + 5) for edge in edges}
    left = [e for e in edges if e in candidates and 2 <= whole.degree(("b", e[0])) <= MAX_SELLERS]
    blocks = []
    for _ in range(limit):
        if not left:
            break
        core = densest_part(reference_core(left, weight), weight)
        shops = {s for _, s in core}
        inside = [edge for edge in left if edge[1] in shops]
        ties = Counter(b for b, _ in inside)
        members = [edge for edge in inside if ties[edge[0]] >= min(2, max(ties.values()))]
        buyers, sellers = {b for b, _ in members}, {s for _, s in members}
        expected = (
            sum(whole.degree(("b", b)) for b in buyers)
            * sum(whole.degree(("s", s)) for s in sellers)
            / len(edges)
        )
        count = len(members)
        surprise = count * math.log(count / expected) - (count - expected) if count > expected else 0.0
        surprise /= len(buyers) + len(sellers)
        if len(buyers) >= 3 and len(sellers) >= 2 and surprise >= 1:
            blocks.append((buyers, sellers, surprise))
        left = [edge for edge in left if edge not in set(members)]
    return blocks


def reference_core(edges: Edges, weight: dict[tuple[int, int], float]) -> Edges:
    """Peel in rounds: who holds no more than 1.05 of the density goes; the densest remainder stays."""
    alive, best, best_density = list(edges), list(edges), -1.0
    while alive:
        strength: dict[tuple[str, int], float] = defaultdict(float)
        for b, s in alive:
            strength["b", b] += weight[b, s]
            strength["s", s] += weight[b, s]
        density = sum(weight[edge] for edge in alive) / len(strength)
        if density > best_density + 1e-12:
            best, best_density = alive, density
        kept = [(b, s) for b, s in alive if min(strength["b", b], strength["s", s]) > 1.05 * density]
        if len(kept) == len(alive):
            weakest = min(value for (side, _), value in strength.items() if side == "b")
            kept = [(b, s) for b, s in alive if strength["b", b] > weakest]
        alive = kept
    return best


def densest_part(core: Edges, weight: dict[tuple[int, int], float]) -> Edges:
    """The connected part with the most weight per node; of equals, the one with the first buyer."""
    drawn = as_graph(core)
    parts = sorted(nx.connected_components(drawn), key=min)
    inside = [[edge for edge in core if ("b", edge[0]) in part] for part in parts]
    density = [
        sum(weight[edge] for edge in edges) / len(part) for edges, part in zip(inside, parts, strict=True)
    ]
    return inside[density.index(max(density))]


def as_graph(edges: Edges) -> nx.Graph:
    return nx.Graph((("b", b), ("s", s)) for b, s in edges)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.sets(st.tuples(st.integers(0, 14), st.integers(0, 8)), min_size=1, max_size=60),
    st.integers(1, 6),
    st.randoms(use_true_random=False),
)
def test_blocks_are_the_reference_s(edges: set[tuple[int, int]], limit: int, random: Random) -> None:
    candidates = {edge for edge in sorted(edges) if random.random() < 0.8}
    allowed = np.array([edge in candidates for edge in sorted(edges)])
    found = dense_blocks(*arrays(list(edges)), allowed, limit=limit)
    expected = reference_blocks(sorted(edges), candidates, limit)
    assert [(set(b.buyers.tolist()), set(b.sellers.tolist())) for b in found] == [e[:2] for e in expected]
    assert [block.surprise for block in found] == pytest.approx([e[2] for e in expected], abs=2e-9)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.sets(st.tuples(st.integers(0, 5), st.integers(0, 4)), min_size=1, max_size=24))
def test_peeling_reaches_half_of_the_densest_part(edges: set[tuple[int, int]]) -> None:
    """The guarantee of peeling in rounds: at least 1 / (2 · 1.05) of the optimum, here by trying all."""
    buyer, seller = arrays(list(edges))
    weight = 1 / np.log(np.bincount(seller) + 5.0)

    def density(rows: np.ndarray) -> float:
        nodes = len(np.unique(buyer[rows])) + len(np.unique(seller[rows]))
        return float(weight[seller[rows]].sum()) / nodes if rows.any() else 0.0

    buyers, sellers = np.unique(buyer), np.unique(seller)
    best = 0.0
    for chosen in range(1, 2 ** len(sellers)):
        inside = np.isin(seller, [s for k, s in enumerate(sellers) if chosen >> k & 1])
        for kept in range(1, 2 ** len(buyers)):
            best = max(
                best, density(inside & np.isin(buyer, [b for k, b in enumerate(buyers) if kept >> k & 1]))
            )
    assert density(_densest(buyer, seller, weight)) >= best / 2.1 - 1e-9


def planted(crowd_seed: int, blocks: int) -> tuple[list[Row], dict[str, int]]:
    """A crowd, and ``blocks`` groups of 15 buyers at 6 shops each with three quarters of the edges, and one
    more edge each as camouflage."""
    random = np.random.default_rng(crowd_seed)
    rows, block_of = a_crowd(500, 200, seed=crowd_seed), {}
    for block in range(blocks):
        for n in range(15):
            buyer = f"ring{block}-{n:02d}"
            block_of[buyer] = block
            targets = [s for s in range(6) if random.random() < 0.75]
            shops = [*(f"target{block}-{s}" for s in targets), f"shop{15 * block + n:03d}"]
            rows += [
                an_order(buyer_id=buyer, seller_id=shop, created_at=at(days=int(random.integers(60))))
                for shop in shops
            ]
    return rows, block_of


def test_several_planted_blocks_are_found_and_nobody_else_is() -> None:
    rows, block_of = planted(3, blocks=5)
    market = computed(rows)
    found = market.con.execute("SELECT block, node_id FROM blocks WHERE side = 'buyer'").fetchall()
    members = defaultdict(set)
    for block, buyer in found:
        members[block].add(buyer)
    for block in range(5):
        true = {buyer for buyer, mine in block_of.items() if mine == block}
        assert max(len(true & part) / len(true | part) for part in members.values()) > 0.7
    flagged = market.con.execute("""
        SELECT count(DISTINCT buyer_id) FILTER (buyer_id LIKE 'c%'),
               count(DISTINCT buyer_id) FILTER (buyer_id LIKE 'ring%')
        FROM orders JOIN f_graph USING (o) WHERE block_surprise > 0
    """).fetchall()[0]
    assert flagged[0] <= 5
    assert flagged[1] >= 60


def test_who_buys_at_no_shop_outside_the_block_is_counted() -> None:
    """Nine of each fifteen do not even buy their camouflage."""
    rows = [
        row
        for row in planted(3, blocks=5)[0]
        if row["buyer_id"][-2:] >= "09" or row["buyer_id"][0] != "r" or row["seller_id"][0] == "t"
    ]
    con = computed(rows).con
    visited: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        visited[row["buyer_id"]].add(row["seller_id"])
    inside: dict[int, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for buyer, seller, block in con.execute("SELECT entity_id, seller_id, block FROM block_pairs").fetchall():
        inside[block][buyer].add(seller)
    expected: dict[tuple[str, str], tuple[int, float]] = defaultdict(lambda: (0, 0.0))
    for members in inside.values():
        closed = [buyer for buyer, shops in members.items() if shops == visited[buyer]]
        others = len(closed) - 1
        for buyer in closed:
            for shop in members[buyer]:
                expected[buyer, shop] = others, pytest.approx(others / (len(members) - 1), abs=1e-9)
    assert max(others for others, _ in expected.values()) >= 4
    found = con.execute("""
        SELECT buyer_id, seller_id, block_closed_members, block_closed_share FROM orders JOIN f_graph USING (o)
    """).fetchall()
    assert {(b, s): (others, share) for b, s, others, share in found} == {
        (b, s): expected[b, s] for b, s, _, _ in found
    }


def test_the_order_of_rows_changes_nothing() -> None:
    rows = [{"order_id": f"x{n}"} | row for n, row in enumerate(planted(4, blocks=2)[0])]
    assert by_order(computed(rows).con, "f_graph") == by_order(computed(shuffled(rows)).con, "f_graph")


def test_a_ring_s_graph_for_people() -> None:
    orders = pd.DataFrame(
        {"buyer_id": ["a", "a", "b"], "seller_id": ["x", "x", "x"], "score": [0.2, 0.7, 0.4]}
    )
    drawn = ring_graph(orders)
    assert dict(drawn.nodes(data="kind")) == {
        ("buyer", "a"): "buyer",
        ("buyer", "b"): "buyer",
        ("seller", "x"): "seller",
    }
    assert drawn.get_edge_data(("buyer", "a"), ("seller", "x")) == {"orders": 2, "score": 0.7}
