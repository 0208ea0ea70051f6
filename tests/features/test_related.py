"""Ties between sellers and buyers: each path by an example, all of them against plain Python."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from builders import AS_OF, Row, a_market, an_identifier, an_order, at, by_order

from features import identity, related
from features.identifiers import KIND_STRENGTH
from features.related import MAX_DEGREE

Account = tuple[str, str]

CERTAIN = 0.99
"""Strength of one shared document or bank account: no single identifier leaves no doubt."""


def computed(orders: Iterable[Row], links: Iterable[Row]) -> dict[str, dict[str, Any]]:
    market = a_market(orders, account_identifiers=links)
    identity.compute(market.con, AS_OF)
    related.compute(market.con, AS_OF)
    return by_order(market.con, "f_related")


def tie(orders: Iterable[Row], links: Iterable[Row]) -> float:
    """The first order's tie to its seller."""
    found: float = computed(orders, links)["o0001"]["seller_link_strength"]
    return found


def seller(kind: str, value: str, account: str = "s1") -> Row:
    return an_identifier(kind, value, account, "seller")


ELSEWHERE = seller("document", "of somebody else", "s9")


def test_an_owner_who_buys_from_the_own_shop() -> None:
    """Owner: the buyer's card is the seller's."""
    links = [seller("payment", "card"), an_identifier("payment", "card", "b1")]
    assert tie([an_order()], links) == pytest.approx(KIND_STRENGTH["payment"])


def test_two_shared_identifiers_say_more_than_one() -> None:
    links = [
        *(seller(kind, f"the {kind} 555123") for kind in ("payment", "phone")),
        *(an_identifier(kind, f"the {kind} 555123", "b1") for kind in ("payment", "phone")),
    ]
    expected = 1 - (1 - KIND_STRENGTH["payment"]) * (1 - KIND_STRENGTH["phone"])
    assert tie([an_order()], links) == pytest.approx(expected)


def test_a_family_that_pays_with_the_shop_s_card_is_one_tie() -> None:
    """Four accounts and the shop on one card: the four are one household, so only two share it."""
    links = [
        seller("payment", "card"),
        *(an_identifier("payment", "card", f"b{n}") for n in range(1, 5)),
    ]
    orders = [an_order(buyer_id=f"b{n}") for n in range(1, 5)]
    assert tie(orders, links) == pytest.approx(KIND_STRENGTH["payment"])


def test_neighbours_at_the_shop_s_address_are_tied_less_each() -> None:
    links = [
        seller("address", "12 High Street 10115"),
        *(an_identifier("address", "12 High Street 10115", buyer) for buyer in ("b1", "b2")),
    ]
    expected = KIND_STRENGTH["address"] / math.log2(3)
    assert tie([an_order(), an_order(buyer_id="b2")], links) == pytest.approx(expected)


def test_a_relative_of_the_owner_is_tied_through_the_household() -> None:
    links = [seller("document", "ID"), an_identifier("document", "ID", "owner")]
    orders = [
        an_order(buyer_id="relative", device_id="tablet"),
        an_order(buyer_id="owner", device_id="tablet"),
    ]
    assert tie(orders, links) == pytest.approx(CERTAIN)


def test_a_second_shop_of_one_owner() -> None:
    links = [
        seller("bank_account", "IBAN", "s1"),
        seller("bank_account", "IBAN", "s2"),
        seller("payment", "card", "s2"),
        an_identifier("payment", "card", "b1"),
    ]
    expected = 0.9 * KIND_STRENGTH["payment"] * CERTAIN
    assert tie([an_order()], links) == pytest.approx(expected)


@pytest.mark.parametrize("agent", ["creator", "partner"])
def test_a_buyer_tied_to_the_seller_s_agent(agent: str) -> None:
    links = [
        seller("phone", "5551234"),
        an_identifier("phone", "5551234", "agent", agent),
        an_identifier("email", "a@example.com", "agent", agent),
        an_identifier("email", "a@example.com", "b1"),
    ]
    expected = 0.8 * KIND_STRENGTH["phone"] * KIND_STRENGTH["email"]
    assert tie([an_order()], links) == pytest.approx(expected)


@pytest.mark.parametrize(("accounts", "tied"), [(MAX_DEGREE, True), (MAX_DEGREE + 1, False)])
def test_an_identifier_of_too_many_accounts_ties_nobody(accounts: int, tied: bool) -> None:
    links = [
        seller("device", "till"),
        *(an_identifier("device", "till", f"b{n}") for n in range(1, accounts)),
    ]
    assert (tie([an_order()], links) > 0) is tied


def test_a_stranger_is_not_tied() -> None:
    assert tie([an_order()], [ELSEWHERE, an_identifier("phone", "5551234", "b1")]) == 0


def test_without_identifiers_of_sellers_nothing_is_known() -> None:
    orders = [an_order(device_id="d"), an_order(buyer_id="b2", device_id="d")]
    values = computed(orders, [an_identifier("phone", "5551234", "b1")]).values()
    assert {value for row in values for value in row.values()} == {None}


def test_tied_orders_are_counted_at_the_seller_and_for_the_pair() -> None:
    links = [
        seller("payment", "card"),
        an_identifier("payment", "card", "owner"),
        an_identifier("document", "X", "s2", "seller"),
    ]
    orders = [an_order(buyer_id="owner"), an_order(buyer_id="owner"), an_order(), an_order(seller_id="s2")]
    found = computed(orders, links)
    assert [found[f"o{n:04d}"]["seller_linked_orders"] for n in (1, 3, 4)] == [2, 2, 0]
    assert [found[f"o{n:04d}"]["pair_linked_orders"] for n in (1, 3, 4)] == [2, 0, 0]


def gang(back: bool) -> dict[str, dict[str, Any]]:
    """The people of s1 buy at s2, and, where ``back``, those of s2 at s1."""
    links = [
        *(seller("payment", f"card{n}", f"s{n}") for n in (1, 2)),
        *(an_identifier("payment", f"card{n}", f"of_s{n}") for n in (1, 2)),
    ]
    orders = [an_order(buyer_id="of_s1", seller_id="s2") for _ in range(3)]
    orders += [an_order(buyer_id="of_s2", seller_id="s1" if back else "s3") for _ in range(2)]
    return computed([*orders, an_order(buyer_id="b1", seller_id="s2")], links)


def test_sellers_whose_people_buy_from_each_other_are_a_gang() -> None:
    found = gang(back=True)
    assert [row["gang_orders"] for row in (found["o0001"], found["o0004"], found["o0006"])] == [3, 2, 0]


def test_a_seller_who_shops_at_another_is_no_gang_but_a_seller() -> None:
    found = gang(back=False)
    assert {row["gang_orders"] for row in found.values()} == {0}
    assert found["o0001"]["buyer_is_sellers"] == pytest.approx(KIND_STRENGTH["payment"])
    assert found["o0006"]["buyer_is_sellers"] == 0


class Plain:
    """The features of one market in plain Python, from the module's words."""

    def __init__(self, orders: list[Row], links: list[Row], entity_of: dict[str, str]) -> None:
        self.orders, self.entity_of = orders, entity_of
        self.users: dict[tuple[str, str], set[Account]] = defaultdict(set)
        for link in links:
            value = (link["identifier_kind"], link["identifier_value"])
            self.users[value].add((link["account_kind"], link["account_id"]))
        self.ties: dict[tuple[str, str], float] = defaultdict(float)
        self._find_ties()

    def direct(self, left: Account, right: Account) -> float:
        doubt = 1.0
        for (kind, _), users in self.users.items():
            if left in users and right in users and len(users) <= MAX_DEGREE:
                sharing = {
                    (sort, self.entity_of.get(name, name) if sort == "buyer" else name)
                    for sort, name in users
                }
                doubt *= 1 - min(CERTAIN, KIND_STRENGTH[kind] / math.log2(max(2, len(sharing))))
        return 1 - doubt

    def _find_ties(self) -> None:
        accounts = sorted(set().union(*self.users.values()))
        sellers = [account for account in accounts if account[0] == "seller"]
        for buyer in self.entity_of:
            for shop in sellers:
                ways = [self.direct(shop, ("buyer", buyer))]
                for other in accounts:
                    first, second = self.direct(shop, other), self.direct(other, ("buyer", buyer))
                    if other[0] == "seller" and other != shop and first >= 0.4:
                        ways.append(0.9 * first * second)
                    if other[0] in ("creator", "partner"):
                        ways.append(0.8 * first * second)
                key = (self.entity_of[buyer], shop[1])
                self.ties[key] = max(self.ties[key], *ways)

    def count(self, entity: str, shop: str) -> int:
        return sum(self.entity_of[o["buyer_id"]] == entity and o["seller_id"] == shop for o in self.orders)

    def sent(self, home: str, target: str) -> int:
        """Orders of the people of ``home`` at ``target``."""
        strong = {e for (e, shop), strength in self.ties.items() if shop == home and strength >= 0.4 - 1e-9}
        return 0 if home == target else sum(self.count(entity, target) for entity in strong)

    def features(self, order: Row) -> dict[str, float]:
        entity, shop = self.entity_of[order["buyer_id"]], order["seller_id"]
        strength = self.ties.get((entity, shop), 0.0)
        entities = set(self.entity_of.values())
        homes = {s for (e, s), value in self.ties.items() if e == entity and value >= 0.4 and s != shop}
        others = [value for (e, s), value in self.ties.items() if e == entity and s != shop]
        return {
            "seller_link_strength": strength,
            "seller_linked_orders": sum(
                self.count(e, shop) for e in entities if self.ties.get((e, shop), 0) >= 0.4
            ),
            "pair_linked_orders": self.count(entity, shop) if strength > 0 else 0,
            "gang_orders": sum(self.sent(home, shop) for home in homes if self.sent(shop, home)),
            "buyer_is_sellers": 0.0 if strength > 0 else max(others, default=0.0),
        }


@pytest.mark.parametrize("seed", range(6))
def test_the_features_are_those_of_plain_python(seed: int) -> None:
    random = np.random.default_rng(seed)
    orders = [
        an_order(
            order_id=f"o{n:03d}",
            buyer_id=f"b{random.integers(10)}",
            seller_id=f"s{random.integers(4)}",
            created_at=at(hours=n),
        )
        for n in range(40)
    ]
    accounts = [
        *(("buyer", f"b{n}") for n in range(10)),
        *(("seller", f"s{n}") for n in range(4)),
        *(("creator", "c0"), ("partner", "p0")),
    ]
    links = {
        (accounts[random.integers(16)], random.choice(["payment", "bank_account"]), int(random.integers(14)))
        for _ in range(26)
    }
    rows = [an_identifier(kind, f"{n}", account, of) for (of, account), kind, n in sorted(links)]
    market = a_market(orders, account_identifiers=rows)
    identity.compute(market.con, AS_OF)
    entity_of = dict(market.con.execute("SELECT buyer_id, entity_id FROM buyer_entity").fetchall())
    related.compute(market.con, AS_OF)
    plain, found = Plain(orders, rows, entity_of), by_order(market.con, "f_related")
    for order in orders:
        assert found[order["order_id"]] == pytest.approx(plain.features(order), abs=2e-9), order
