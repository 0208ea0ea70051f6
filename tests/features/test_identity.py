"""Who is who: components against networkx, hubs apart from farms, and the measures in plain Python."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable

import networkx as nx
import numpy as np
import pytest
from builders import AS_OF, Row, a_crowd, a_market, an_identifier, an_order, at, by_order, shuffled
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.ingest import Ingested
from features import identity
from features.identity import component_labels


def resolved(orders: Iterable[Row], **tables: Iterable[Row]) -> Ingested:
    market = a_market(orders, **tables)
    identity.compute(market.con, AS_OF)
    return market


def entities(market: Ingested) -> dict[str, set[str]]:
    """Entity id → its buyers."""
    members = defaultdict(set)
    for buyer, entity, _ in market.con.execute("FROM buyer_entity").fetchall():
        members[entity].add(buyer)
    for entity, buyers in members.items():
        assert entity == min(buyers), "an entity is named after its first buyer"
    return dict(members)


def together(market: Ingested, buyers: Iterable[str]) -> bool:
    return any(set(buyers) <= members for members in entities(market).values())


def alone(market: Ingested, buyers: Iterable[str]) -> bool:
    found = entities(market)
    return all(found.get(buyer) == {buyer} for buyer in buyers)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(1, 12), st.lists(st.tuples(st.integers(0, 11), st.integers(0, 6)), max_size=20))
def test_components_are_networkx_s(accounts: int, edges: list[tuple[int, int]]) -> None:
    edges = [(account % accounts, identifier) for account, identifier in edges]
    graph = nx.Graph()
    graph.add_nodes_from(range(accounts))
    graph.add_edges_from((account, f"i{identifier}") for account, identifier in edges)
    expected = {frozenset(n for n in part if isinstance(n, int)) for part in nx.connected_components(graph)}

    pairs = np.array(edges, dtype=np.int64).reshape(-1, 2)
    labels = component_labels(accounts, pairs[:, 0], pairs[:, 1])
    found = {frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels.tolist())}
    assert found == expected - {frozenset()}


@settings(max_examples=8, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 9),
            st.sampled_from(["device_id", "payment_id", "recipient_phone"]),
            st.integers(0, 5),
        ),
        min_size=1,
        max_size=14,
    )
)
def test_entities_are_components_over_private_identifiers(links: list[tuple[int, str, int]]) -> None:
    orders = [an_order(buyer_id=f"b{b}", **{kind: f"+4930555000{value}"}) for b, kind, value in links]
    graph = nx.Graph((f"b{b}", (kind, value)) for b, kind, value in links)
    crowded = {
        node
        for node in graph
        if not isinstance(node, str) and graph.degree(node) > identity.RARE_DEGREE["device"]
    }
    graph.remove_nodes_from(crowded)
    expected = [{n for n in part if isinstance(n, str)} for part in nx.connected_components(graph)]
    assert sorted(map(sorted, entities(resolved(orders)).values())) == sorted(
        map(sorted, filter(None, expected))
    )


def test_a_household_is_one_entity() -> None:
    """A couple shares a tablet, their child their card: a chain of rare links."""
    rows = [
        *a_crowd(100),
        an_order(buyer_id="mother", device_id="tablet", payment_id="visa"),
        an_order(buyer_id="father", device_id="tablet"),
        an_order(buyer_id="child", payment_id="visa"),
    ]
    assert together(resolved(rows), ["mother", "father", "child"])


def test_registered_identifiers_join_as_those_of_orders_do() -> None:
    papers = [an_identifier("document", "ID-1", "a"), an_identifier("document", "ID-1", "b")]
    rows = [an_order(buyer_id="a"), an_order(buyer_id="b"), an_order(buyer_id="c")]
    assert entities(resolved(rows, account_identifiers=papers)) == {"a": {"a", "b"}, "c": {"c"}}


HUBS: dict[str, dict[str, str]] = {
    "dormitory": {
        "ship_to_address": "7 College Road",
        "ship_to_postcode": "97001",
        "ip_address": "192.0.2.1",
    },
    "office network": {"ip_address": "192.0.2.2"},
    "forwarder": {
        "ship_to_address": "900 Cargo Way",
        "ship_to_postcode": "97077",
        "recipient_phone": "+1 503 555 0100",
    },
    "shared kiosk": {"device_id": "kiosk"},
    "prepaid card": {"payment_id": "platform-wallet"},
}


@pytest.mark.parametrize("shared", HUBS.values(), ids=HUBS.keys())
def test_people_behind_a_hub_stay_apart(shared: dict[str, str]) -> None:
    users = {f"c{n:05d}" for n in range(60)}
    rows = [row | shared if row["buyer_id"] in users else row for row in a_crowd()]
    assert alone(resolved(rows), users)


@pytest.mark.parametrize("targets", [1, 2, 3])
def test_a_farm_of_25_accounts_on_one_device_is_one_entity(targets: int) -> None:
    farm = [
        an_order(
            buyer_id=f"f{n:02d}",
            device_id="farm",
            ship_to_country="US",
            seller_id=f"shop{40 + (n + k) % targets:03d}",
            created_at=at(days=n),
        )
        for n in range(25)
        for k in range(2)
    ]
    market = resolved([*a_crowd(), *farm])
    assert together(market, [f"f{n:02d}" for n in range(25)])
    assert alone(market, [row["buyer_id"] for row in a_crowd()])


def test_a_farm_behind_a_public_network_takes_nobody_with_it() -> None:
    farm = [
        an_order(
            buyer_id=f"f{n}",
            device_id="farm",
            ip_address="192.0.2.9",
            seller_id="shop045",
            ship_to_country="US",
        )
        for n in range(25)
    ]
    crowd = [row | {"ip_address": "192.0.2.9"} for row in a_crowd(200)]
    market = resolved([*crowd, *farm])
    assert together(market, {row["buyer_id"] for row in farm})
    assert alone(market, {row["buyer_id"] for row in crowd})


def test_masked_and_missing_identifiers_link_nobody() -> None:
    rows = [
        an_order(buyer_id="a", device_id="***", recipient_phone="+1***"),
        an_order(buyer_id="b", device_id="***", recipient_phone="+1***"),
        an_order(buyer_id="c"),
    ]
    assert alone(resolved(rows), "abc")


def test_the_order_of_rows_changes_nothing() -> None:
    rows = [
        *({"order_id": f"x{n}"} | row for n, row in enumerate(a_crowd(150))),
        *(
            an_order(order_id=f"f{n}", buyer_id=f"f{n}", device_id="farm", seller_id=f"shop{40 + n % 2:03d}")
            for n in range(12)
        ),
    ]
    first, second = resolved(rows), resolved(shuffled(rows))
    assert entities(first) == entities(second)
    assert by_order(first.con, "f_identity") == by_order(second.con, "f_identity")


def surprise(found: float, expected: float) -> float:
    return found * math.log(found / expected) - (found - expected) if found > expected else 0.0


class Plain:
    """The measures of one market in plain Python, from the module's words."""

    def __init__(self, rows: list[Row], entity_of: dict[str, str]) -> None:
        self.rows, self.entity_of = rows, entity_of
        self.shops = defaultdict(set)
        self.country: dict[str, str] = {}
        for row in rows:
            self.shops[row["buyer_id"]].add(row["seller_id"])
        for buyer in self.shops:
            known = [row["ship_to_country"] for row in rows if row["buyer_id"] == buyer]
            self.country[buyer] = min(filter(None, known), default="")

    def focus(self, members: set[str], seller: str) -> float:
        """Surprise that so many of ``members`` bought from the seller."""
        at_seller = {buyer for buyer in members if seller in self.shops[buyer]}
        country = min(self.country[buyer] for buyer in at_seller)
        people = [buyer for buyer in self.shops if self.country[buyer] == country]
        chance = sum(seller in self.shops[buyer] for buyer in people) / len(people)
        mean_visits = sum(len(self.shops[buyer]) for buyer in people) / len(people)
        visits = sum(len(self.shops[buyer]) for buyer in members)
        expected = len(members) * min(1.0, chance * visits / len(members) / mean_visits)
        return 0.0 if len(at_seller) < 2 else min(50.0, surprise(len(at_seller), expected))

    def features(self, row: Row) -> dict[str, float | None]:
        buyer, seller = row["buyer_id"], row["seller_id"]
        members = {other for other in self.shops if self.entity_of[other] == self.entity_of[buyer]}
        orders = [r for r in self.rows if r["buyer_id"] in members]
        there = [r for r in orders if r["seller_id"] == seller]
        return {
            "entity_accounts": len(members),
            "entity_seller_accounts": sum(seller in self.shops[b] for b in members) - 1,
            "entity_seller_share": (len(there) - 1) / (len(orders) - 1) if len(orders) > 1 else None,
            "entity_focus": self.focus(members, seller) if len(members) > 1 else None,
            "hub_focus": self._hub_focus(buyer, seller),
        }

    def _hub_focus(self, buyer: str, seller: str) -> float | None:
        shared = [
            {other["buyer_id"] for other in self.rows if other.get(kind) == value}
            for kind, value in {
                (k, r[k]) for r in self.rows if r["buyer_id"] == buyer for k in KINDS if r.get(k)
            }
        ]
        groups = [users for users in shared if len(users) > 1]
        return max(self.focus(users, seller) for users in groups) if groups else None


KINDS = ("device_id", "payment_id")


def mixed_rows(choose: Callable[[int], int]) -> list[Row]:
    """A small market of two countries with shared devices and cards."""
    return [
        an_order(
            order_id=f"o{n:03d}",
            buyer_id=f"b{choose(30):02d}",
            seller_id=f"s{choose(8)}",
            device_id=f"d{choose(25)}" if choose(3) else None,
            payment_id=f"p{choose(20)}" if choose(2) else None,
            ship_to_country=("US", "DE", None)[choose(3)],
            created_at=at(hours=n),
        )
        for n in range(70)
    ]


@pytest.mark.parametrize("seed", range(6))
def test_the_measures_are_those_of_plain_python(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = mixed_rows(lambda n: int(random.integers(n)))
    market = resolved(rows)
    entity_of = dict(market.con.execute("SELECT buyer_id, entity_id FROM buyer_entity").fetchall())
    plain, found = Plain(rows, entity_of), by_order(market.con, "f_identity")
    for row in rows:
        expected = plain.features(row)
        assert found[row["order_id"]] == pytest.approx(expected, abs=2e-9, nan_ok=True), row
