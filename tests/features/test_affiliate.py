"""The affiliate family on small markets: clicks, links between the parties, campaigns."""

from __future__ import annotations

import random

import pytest
from bare_market import bare_market, computed, value
from builders import Row, an_identifier, an_item, an_order, at

from features import affiliate

SOME_IDENTIFIER = [an_identifier("device", "d0")]


def a_click(creator: str = "c1", **changes: object) -> Row:
    return {"creator_id": creator, "product_id": "p1", "clicked_at": at(hours=-1)} | changes


def a_sale(order_id: str, creator: str = "c1", **changes: object) -> Row:
    row = {
        "order_id": order_id,
        "creator_id": creator,
        "buyer_id": f"buyer of {order_id}",
        "channel": "video",
    }
    return an_order(**(row | changes))


def ordinary(seed: int = 1, count: int = 600) -> tuple[list[Row], list[Row]]:
    """Sales of 30 creators for 15 sellers, all but one in twelve with a click, some minutes or hours before."""
    rng = random.Random(seed)
    orders, clicks = [], []
    for n in range(count):
        creator, when = f"c{rng.randrange(30):02d}", at(days=rng.random() * 40)
        order = a_sale(
            f"m{n:03d}",
            creator,
            seller_id=f"s{rng.randrange(15):02d}",
            buyer_id=f"b{rng.randrange(500):03d}",
            device_id=f"d{n}",
            created_at=when,
            completed_at=at(days=45 + rng.random() * 20),
        )
        order |= {"refunded_at": at(days=70)} if rng.random() < 0.04 else {}
        orders.append(order)
        if rng.random() < 11 / 12:
            before = at(days=(when - at()).total_seconds() / 86400, minutes=-rng.uniform(2, 600))
            clicks.append(a_click(creator, buyer_id=order["buyer_id"], clicked_at=before))
        clicks += [a_click(creator, buyer_id=f"v{n}-{k}", clicked_at=when) for k in range(3)]
    return orders, clicks


# -------------------------------------------------------------------------------------------------- clicks


@pytest.mark.parametrize(
    ("click", "found"),
    [
        ({"buyer_id": "me"}, True),
        ({"device_id": "phone"}, True),
        ({"ip_address": "1.2.3.4"}, True),
        ({"buyer_id": "you", "device_id": "desk", "ip_address": "1.2.3.5"}, False),
        ({"buyer_id": "me", "creator_id": "c2"}, False),
        ({"buyer_id": "me", "clicked_at": at(minutes=1)}, False),
        ({"buyer_id": "me", "clicked_at": at(days=-31)}, False),
    ],
)
def test_a_click_counts_for_its_buyer_device_or_address_within_thirty_days(click: Row, found: bool) -> None:
    sale = a_sale("mine", buyer_id="me", device_id="phone", ip_address="1.2.3.4")
    other = a_click(buyer_id="somebody", clicked_at=at(days=-2))
    row = computed(affiliate, bare_market([sale], affiliate_clicks=[a_click(**click), other]))["mine"]
    assert row["affiliate_click_missing"] == (0 if found else 1)
    assert (row["click_to_order_seconds"] is None) == (not found)


def test_the_last_click_counts() -> None:
    clicks = [
        a_click(buyer_id="me", clicked_at=at(hours=-5)),
        a_click(device_id="phone", clicked_at=at(seconds=-7)),
    ]
    sale = a_sale("mine", buyer_id="me", device_id="phone")
    assert (
        value(
            computed(affiliate, bare_market([sale], affiliate_clicks=clicks)),
            "mine",
            "click_to_order_seconds",
        )
        == 7
    )


def test_sales_without_clicks_are_the_creators_beyond_the_markets_gaps() -> None:
    orders, clicks = ordinary()
    orders += [a_sale(f"x{n:02d}", "farm", created_at=at(days=n)) for n in range(20)]
    orders.append(a_sale("once", "c03", created_at=at(days=3)))
    found = computed(affiliate, bare_market(orders, affiliate_clicks=clicks))
    assert value(found, "x05", "creator_unclicked_surprise") > 4
    assert (
        value(found, "once", "affiliate_click_surprise")
        > 0.5
        > value(found, "x05", "affiliate_click_surprise")
    )
    others = [row["creator_unclicked_surprise"] or 0 for order, row in found.items() if order[0] == "m"]
    assert max(others) < 2.5


def test_a_channel_without_clicks_is_no_surprise() -> None:
    orders, clicks = ordinary()
    orders += [
        a_sale(f"l{n:03d}", f"c{n % 30:02d}", channel="live", created_at=at(days=n % 40)) for n in range(300)
    ]
    found = computed(affiliate, bare_market(orders, affiliate_clicks=clicks))
    assert max(row["creator_unclicked_surprise"] or 0 for row in found.values()) < 2.5


def test_orders_seconds_after_the_click_are_the_creators() -> None:
    orders, clicks = ordinary()
    for n in range(12):
        orders.append(a_sale(f"q{n:02d}", "quick", buyer_id=f"q{n}", created_at=at(days=n)))
        clicks.append(a_click("quick", buyer_id=f"q{n}", clicked_at=at(days=n, seconds=-4)))
    found = computed(affiliate, bare_market(orders, affiliate_clicks=clicks))
    assert value(found, "q03", "click_to_order_seconds") == 4
    assert value(found, "q03", "creator_quick_orders_surprise") > 4


def test_a_creator_whose_every_click_buys() -> None:
    orders, clicks = ordinary()
    for n in range(30):
        orders.append(a_sale(f"q{n:02d}", "sure", buyer_id=f"q{n}", created_at=at(days=n)))
        clicks.append(a_click("sure", buyer_id=f"q{n}", clicked_at=at(days=n, hours=-1)))
    found = computed(affiliate, bare_market(orders, affiliate_clicks=clicks))
    sure = value(found, "q03", "creator_conversion_surprise")
    assert sure > max(
        row["creator_conversion_surprise"] or 0 for order, row in found.items() if order[0] == "m"
    )


def test_one_device_behind_clicks_and_orders_of_several_buyers() -> None:
    orders, clicks = ordinary()
    orders += [
        a_sale(f"x{n}", "c01", device_id="farm", buyer_id=f"x{n}", created_at=at(days=3, hours=n))
        for n in range(5)
    ]
    clicks += [
        a_click("c01", device_id="farm", buyer_id=f"y{n}", clicked_at=at(days=3, minutes=n)) for n in range(8)
    ]
    clicks += [a_click("c01", device_id="farm", buyer_id="x0", clicked_at=at(days=30))]
    found = computed(affiliate, bare_market(orders, affiliate_clicks=clicks))
    assert value(found, "x2", "creator_device_accounts") == 12
    assert value(found, "x2", "device_day_clicks") == 8
    assert value(found, "m001", "creator_device_accounts") == 0


def test_a_dormitory_behind_one_address_buys_from_many_creators() -> None:
    orders, _ = ordinary()
    for n in range(60):
        orders.append(a_sale(f"d{n:02d}", f"c{n % 30:02d}", ip_address="dorm", created_at=at(days=n % 30)))
    orders += [a_sale(f"f{n:02d}", "c07", ip_address="farm", created_at=at(days=n)) for n in range(8)]
    found = computed(affiliate, bare_market(orders))
    assert value(found, "f03", "creator_ip_surprise") > 4
    assert max(value(found, f"d{n:02d}", "creator_ip_surprise") for n in range(60)) < 2


# ---------------------------------------------------------------------------------------------------- links


def linked(*links: tuple[str, str, str, str, float], **orders: object) -> dict[str, float | None]:
    creators = [{"creator_id": "c1", "partner_id": "agency"}]
    con = bare_market(
        [a_sale("mine", buyer_id="me", **orders)],
        account_identifiers=SOME_IDENTIFIER,
        creators=creators,
        entities={"me": "household"},
        links=links,
    )
    con.execute("INSERT INTO buyer_entity VALUES ('spouse', 'household', 2)")
    return computed(affiliate, con)["mine"]


def test_own_clicks_are_found_through_the_household_and_the_partner() -> None:
    assert linked(("buyer", "spouse", "creator", "c1", 0.8))["creator_buyer_link"] == 0.8
    assert linked(("buyer", "me", "partner", "agency", 0.6))["creator_buyer_link"] == 0.6
    assert linked(("buyer", "me", "creator", "c2", 0.9))["creator_buyer_link"] == 0
    assert linked(("seller", "s1", "partner", "agency", 0.7))["creator_seller_link"] == 0.7


def test_a_cycle_needs_two_links() -> None:
    own = ("buyer", "me", "creator", "c1", 0.9)
    house = ("seller", "s1", "creator", "c1", 0.5)
    staff = ("buyer", "me", "seller", "s1", 0.7)
    assert linked(own)["affiliate_cycle_strength"] == 0
    assert linked(own, house)["affiliate_cycle_strength"] == 0.5
    assert linked(own, house, staff)["affiliate_cycle_strength"] == 0.7


def test_a_captive_creator_sells_to_the_same_few_again_and_again() -> None:
    orders, _ = ordinary()
    orders += [
        a_sale(f"x{n:02d}", "captive", seller_id="s90", buyer_id=f"x{n % 5}", created_at=at(days=n))
        for n in range(25)
    ]
    found = computed(affiliate, bare_market(orders))
    assert value(found, "x03", "creator_seller_entity_orders") == 4
    assert value(found, "x03", "creator_repeat_buyers_surprise") > 4
    assert (
        max(row["creator_repeat_buyers_surprise"] or 0 for order, row in found.items() if order[0] == "m") < 2
    )


def test_one_loyal_buyer_does_not_make_the_creator_captive_for_itself() -> None:
    orders, _ = ordinary()
    orders += [
        a_sale(f"x{n:02d}", "c90", seller_id="s90", buyer_id="fan", created_at=at(days=n)) for n in range(9)
    ]
    orders += [a_sale(f"y{n:02d}", "c90", seller_id="s90", created_at=at(days=n)) for n in range(9)]
    found = computed(affiliate, bare_market(orders))
    assert value(found, "x03", "creator_repeat_buyers_surprise") == 0


def test_new_accounts_and_late_refunds_are_the_creators() -> None:
    orders, _ = ordinary()
    orders += [
        a_sale(
            f"x{n:02d}",
            "farm",
            buyer_id=f"x{n}",
            created_at=at(days=n),
            completed_at=at(days=50),
            refunded_at=at(days=60),
        )
        for n in range(20)
    ]
    buyers = [
        {"buyer_id": buyer, "registered_at": at(days=-2 if buyer[0] == "x" else -400)}
        for buyer in {row["buyer_id"] for row in orders}
    ]
    found = computed(affiliate, bare_market(orders, buyers=buyers))
    assert value(found, "x03", "creator_new_accounts_surprise") > 4
    assert value(found, "x03", "creator_late_refund_surprise") > 4
    assert (
        max(row["creator_late_refund_surprise"] or 0 for order, row in found.items() if order[0] == "m") < 2.5
    )


# ------------------------------------------------------------------------------------------------ campaigns


def campaign_market(order: Row, products: list[str]) -> dict[str, float | None]:
    terms = {
        "creator_commission_bp": 7000,
        "partner_commission_bp": 1500,
        "starts_at": at(days=-5),
        "ends_at": at(days=5),
    }
    ordinary_terms = [
        {"campaign_id": f"k{n}", "product_id": "p9", "creator_commission_bp": 1000} for n in range(99)
    ]
    sale = a_sale("mine", campaign_id="k") | order
    lines = [an_item("mine", line_no=str(n), product_id=product) for n, product in enumerate(products)]
    campaign = {"campaign_id": "k", "product_id": "p1"} | terms
    return computed(affiliate, bare_market([sale], order_items=lines, campaigns=[campaign, *ordinary_terms]))[
        "mine"
    ]


def test_an_order_is_held_beside_the_terms_of_its_campaign() -> None:
    row = campaign_market({}, ["p2", "p1"])
    assert row["commission_total_bp"] == 8500
    assert row["commission_rarity"] == 0.01
    assert row["campaign_hours_outside"] == 0
    assert row["campaign_product_missing"] == 0


def test_outside_the_period_and_outside_the_products() -> None:
    assert campaign_market({"created_at": at(days=6)}, ["p1"])["campaign_hours_outside"] == 24
    assert campaign_market({"created_at": at(days=-6)}, ["p1"])["campaign_hours_outside"] == 24
    row = campaign_market({}, ["p2"])
    assert row["campaign_product_missing"] == 1
    assert row["campaign_hours_outside"] is None


def test_an_unlisted_campaign_and_an_order_without_items_are_unknown() -> None:
    assert campaign_market({"campaign_id": "gone"}, ["p1"])["campaign_product_missing"] is None
    assert campaign_market({}, [])["campaign_product_missing"] is None


def test_what_is_known_of_the_creator() -> None:
    creator = {
        "creator_id": "c1",
        "registered_at": at(days=-10),
        "follower_count": 12,
        "public_video_count": 3,
        "identity_verified": False,
    }
    row = computed(affiliate, bare_market([a_sale("mine")], creators=[creator]))["mine"]
    assert row["creator_follower_count"] == 12
    assert row["creator_public_video_count"] == 3
    assert row["creator_identity_verified"] == 0
    assert row["creator_age_days"] == 10


def test_without_creators_clicks_links_or_campaigns_nothing_is_known() -> None:
    found = computed(affiliate, bare_market([an_order(order_id="plain"), a_sale("sale")]))
    assert set(found["plain"].values()) == {None}
    known = {name for name, known in found["sale"].items() if known is not None}
    assert known == {"creator_seller_entity_orders"}


def test_the_order_of_rows_does_not_matter() -> None:
    orders, clicks = ordinary()
    expected = computed(affiliate, bare_market(orders, affiliate_clicks=clicks))
    rng = random.Random(1)
    rng.shuffle(orders)
    rng.shuffle(clicks)
    assert computed(affiliate, bare_market(orders, affiliate_clicks=clicks)) == expected
