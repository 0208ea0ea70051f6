"""The review family on small markets: what is evidence, and what only looks like it."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest
from bare_market import bare_market, computed, value
from builders import Row, an_order, at
from hypothesis import given, settings
from hypothesis import strategies as st

from features import reviews

TEMPLATE = (
    "Was hesitating for a long time, finally ordered the {} and have {} regret at all, "
    "the workmanship is {} and the shop is {} patient"
)
SLOTS = (("", "no", "not any"), ("great", "fine", "superb"), ("so", "really", "very"))
WORDS = ["".join(random.Random(n).choices("abcdefghijklmnoprstuvw", k=4 + n % 5)) for n in range(400)]
"""What ordinary reviews say, in a language of the test's own."""


def a_review(number: int, **changes: object) -> Row:
    """A review of order number ``number``: five stars, five days after the order."""
    return {
        "review_id": f"r{number:04d}",
        "order_id": f"o{number:04d}",
        "rating": 5,
        "created_at": at(days=5),
        "text": "ok",
    } | changes


def ordinary(seed: int = 1, count: int = 300) -> tuple[list[Row], list[Row]]:
    """Orders at 30 sellers and their reviews: own words, some short praise, ratings and times as they come."""
    rng = random.Random(seed)
    orders, found = [], []
    for number in range(1, count + 1):
        seller = f"s{rng.randrange(30):02d}"
        delivered = at(days=2 + rng.random() * 4)
        orders.append(
            an_order(
                seller_id=seller, buyer_id=f"b{number:04d}", shipped_at=at(days=1), delivered_at=delivered
            )
        )
        text = " ".join(rng.choices(WORDS, k=rng.randint(6, 12))) if rng.random() < 0.7 else "very good"
        found.append(
            a_review(
                number,
                text=text,
                rating=rng.choice((1, 2, 3, 4, 5, 5, 5, 5)),
                seller_id=seller,
                buyer_id=f"b{number:04d}",
                product_id=f"p{seller}",
                created_at=at(days=6 + rng.random() * 8),
            )
        )
    return orders, found


def with_reviews(texts: Iterable[str], **changes: object) -> tuple[list[Row], list[Row], list[str]]:
    """The ordinary market and one more order with each of the texts: orders, reviews, ids of these orders."""
    orders, found = ordinary()
    ids = []
    for number, text in enumerate(texts, start=len(orders) + 1):
        row = {"seller_id": "s90", "buyer_id": f"b{number:04d}", "product_id": "p90"} | changes
        orders.append(an_order(seller_id=row["seller_id"], buyer_id=row["buyer_id"]))
        found.append(a_review(number, text=text, **row))
        ids.append(f"o{number:04d}")
    return orders, found, ids


def reworded(count: int, seed: int = 4) -> list[str]:
    rng = random.Random(seed)
    nouns = ("lamp", "kettle", "scarf", "drill", "puzzle", "bottle")
    return [TEMPLATE.format(rng.choice(nouns), *(rng.choice(slot) for slot in SLOTS)) for _ in range(count)]


def test_a_reworded_template_across_accounts_is_found_and_grouped() -> None:
    orders, found, ids = with_reviews(reworded(12))
    con = bare_market(orders, reviews=found)
    features = computed(reviews, con)
    for order in ids:
        assert value(features, order, "review_copies") == 11
        assert value(features, order, "review_core_letters") > 24
        assert value(features, order, "review_copied_share") < 0.06
        assert value(features, order, "review_copy_surprise") > 6
    honest = [row for order, row in features.items() if order not in ids]
    assert max(row["review_copy_surprise"] or 0 for row in honest) < 2
    assert max(row["review_core_letters"] or 0 for row in honest) < 16
    groups = con.execute(
        "SELECT order_id, cluster_id FROM order_review_cluster JOIN orders USING (o)"
    ).fetchall()
    assert {order for order, _ in groups} == set(ids)
    assert len({group for _, group in groups}) == 1


def test_short_praise_is_no_evidence_however_often() -> None:
    orders, found, ids = with_reviews(["very good"] * 40)
    con = bare_market(orders, reviews=found)
    features = computed(reviews, con)
    assert all(value(features, order, "review_core_letters") < 16 for order in ids)
    assert all(value(features, order, "review_copy_surprise") < 3 for order in ids)
    assert con.execute("SELECT count(*) FROM order_review_cluster").fetchall() == [(0,)]


def test_one_account_that_repeats_itself_copies_nobody() -> None:
    orders, found, ids = with_reviews(reworded(10), buyer_id="b9999")
    features = computed(reviews, bare_market(orders, reviews=found))
    assert all(value(features, order, "review_copies") == 0 for order in ids)
    assert all(value(features, order, "review_core_letters") == 0 for order in ids)
    assert all(value(features, order, "review_copy_surprise") == 0 for order in ids)


def test_two_alike_are_a_household_at_most() -> None:
    orders, found, ids = with_reviews([reworded(1)[0]] * 2)
    features = computed(reviews, bare_market(orders, reviews=found))
    assert all(value(features, order, "review_copies") == 1 for order in ids)
    assert all(value(features, order, "review_core_letters") == 0 for order in ids)


def test_a_shop_that_alone_serves_a_language_is_not_held_to_be_copying() -> None:
    texts = [
        f"给妈妈买的{noun}，她很喜欢。{tail}"
        for noun in ("蜂蜜", "水杯")
        for tail in ("下次还会来。", "价格合适。")
    ]
    orders, found, ids = with_reviews(texts * 3)
    features = computed(reviews, bare_market(orders, reviews=found))
    assert all(value(features, order, "review_copy_surprise") < 4 for order in ids)


def test_a_review_of_another_category_is_off_the_topic() -> None:
    rng = random.Random(3)
    nouns = {
        "kitchen": "kettle",
        "beauty": "lipstick",
        "tools": "screwdriver",
        "pets": "dogleash",
        "toys": "dollhouse",
    }
    orders, found, products = [], [], []
    for number in range(1, 301):
        category = rng.choice(list(nouns))
        products.append(
            {"product_id": f"p{number}", "category": category, "title": f"New {nouns[category]} {number}"}
        )
        orders.append(an_order(buyer_id=f"b{number}"))
        words = " ".join(rng.choices(WORDS, k=4))
        found.append(a_review(number, text=f"this {nouns[category]} {words}", product_id=f"p{number}"))
    found[0] |= {"text": "love the lipstick, this lipstick stays on"}
    products[0] |= {"category": "kitchen", "title": "New kettle 1"}
    found[1] |= {"text": "thank you so much indeed"}
    features = computed(reviews, bare_market(orders, reviews=found, products=products))
    assert value(features, "o0001", "review_topic_mismatch_bits") > 4
    assert features["o0002"]["review_topic_mismatch_bits"] is None
    others = [row["review_topic_mismatch_bits"] for order, row in features.items() if order > "o0002"]
    assert max(bits for bits in others if bits is not None) <= 0


def lag_market(order: Row, review: Row, **tables: list[Row]) -> dict[str, float | None]:
    orders, found = ordinary(count=40)
    orders.append(an_order(order_id="mine", buyer_id="me") | order)
    found.append(a_review(999, order_id="mine", buyer_id="me", seller_id="s1") | review)
    return computed(reviews, bare_market(orders, reviews=found, **tables))["mine"]


def test_hours_are_counted_from_dispatch_and_delivery() -> None:
    row = lag_market({"shipped_at": at(days=2), "delivered_at": at(days=4)}, {"created_at": at(days=1)})
    assert row["review_hours_after_shipment"] == -24
    assert row["review_hours_after_delivery"] == -72
    assert row["review_early_norm"] is not None
    assert row["review_early_norm"] < 0.1


@pytest.mark.parametrize("which", ["scan", "parcel", "combined"])
def test_the_earliest_known_time_counts(which: str) -> None:
    order = {"shipped_at": at(days=3), "delivered_at": at(days=6), "combined_group_id": "g"}
    early = {"shipped_at": at(days=1), "delivered_at": at(days=2)}
    parcel = {"shipment_id": "x", "order_id": "mine", "shipped_at": at(days=1)}
    scans = [
        {"shipment_id": "x", "event_at": at(days=2), "status": "DELIVERED"},
        {"shipment_id": "x", "event_at": at(days=-30), "status": "DELIVERED"},
    ]
    orders, found = ordinary(count=40)
    orders += [an_order(order_id="mine", **order)]
    if which == "combined":
        orders += [an_order(order_id="twin", combined_group_id="g", **early)]
    found.append(a_review(999, order_id="mine", created_at=at(days=3)))
    con = bare_market(
        orders,
        reviews=found,
        shipments=[] if which == "combined" else [parcel],
        tracking_events=scans if which == "scan" else [],
    )
    row = computed(reviews, con)["mine"]
    assert row["review_hours_after_shipment"] == 48
    assert row["review_hours_after_delivery"] == (-72 if which == "parcel" else 24)


def test_an_order_that_waits_for_dispatch_is_judged_and_a_replacement_is_not() -> None:
    waiting = lag_market({"status": "AWAITING_SHIPMENT"}, {})
    assert waiting["review_hours_after_shipment"] is not None
    assert waiting["review_hours_after_shipment"] < -24
    replaced = lag_market({"is_replacement": True, "shipped_at": at(days=9), "delivered_at": at(days=9)}, {})
    assert replaced["review_hours_after_shipment"] is None
    assert replaced["review_hours_after_delivery"] is None


def test_praise_upon_delivery_is_the_sellers_habit_or_it_is_nothing() -> None:
    orders, found = ordinary()
    for number in range(301, 313):
        seller = "hasty" if number < 312 else "s01"
        orders.append(an_order(seller_id=seller, buyer_id=f"b{number}", delivered_at=at(days=3)))
        found.append(
            a_review(number, created_at=at(days=3, minutes=9), seller_id=seller, buyer_id=f"b{number}")
        )
    features = computed(reviews, bare_market(orders, reviews=found))
    assert value(features, "o0305", "seller_rushed_reviews_surprise") > 3
    assert value(features, "o0312", "seller_rushed_reviews_surprise") == 0


@pytest.mark.parametrize("delivered", [True, False])
def test_a_burst_of_stars_is_explained_by_deliveries_or_not_at_all(delivered: bool) -> None:
    orders, found = ordinary()
    last = len(orders)
    for number in range(last + 1, last + 301):
        times = {"shipped_at": at(days=3), "delivered_at": at(days=6)} if delivered else {}
        orders.append(an_order(seller_id="live", buyer_id=f"b{number}", **times))
        if number % 5 == 0:
            found.append(a_review(number, seller_id="live", buyer_id=f"b{number}", created_at=at(days=8)))
    surprise = value(computed(reviews, bare_market(orders, reviews=found)), "o0400", "review_burst_surprise")
    assert surprise < 1 if delivered else surprise > 4


def test_a_rating_is_compared_with_others_that_are_no_copies_of_it() -> None:
    orders, found, ids = with_reviews([reworded(1)[0]] * 5)
    for number in range(306, 312):
        orders.append(an_order(seller_id="s90", buyer_id=f"c{number}"))
        found.append(
            a_review(number, rating=1, text="", seller_id="s90", product_id="p90", buyer_id=f"c{number}")
        )
    features = computed(reviews, bare_market(orders, reviews=found))
    assert value(features, ids[0], "review_rating_residual") > 2.5
    assert value(features, "o0306", "review_rating_residual") < -1


def test_accounts_that_praise_the_same_products_in_the_same_weeks() -> None:
    orders, found = ordinary()
    number = len(orders)
    for week in range(5):
        for buyer in ("x1", "x2", "x3", "x4"):
            number += 1
            row = {"seller_id": f"s{week:02d}", "buyer_id": buyer}
            orders.append(an_order(**row))
            found.append(
                a_review(number, product_id=f"q{week}", created_at=at(days=7 * week, hours=1), **row)
            )
    features = computed(reviews, bare_market(orders, reviews=found))
    assert value(features, "o0301", "review_coreviewers") == 3
    assert value(features, "o0301", "review_coreviewer_surprise") > 2
    assert value(features, "o0001", "review_coreviewers") == 0
    one_person = bare_market(orders, reviews=found, entities=dict.fromkeys(("x1", "x2", "x3", "x4"), "x"))
    assert value(computed(reviews, one_person), "o0301", "review_coreviewers") == 0


def test_serial_praise_on_one_day_counts_other_sellers() -> None:
    orders, found = ordinary()
    for number in range(301, 321):
        orders.append(an_order(seller_id=f"s{number % 4:02d}", buyer_id="fan"))
        found.append(a_review(number, seller_id=f"s{number % 4:02d}", buyer_id="fan", created_at=at(days=9)))
    features = computed(reviews, bare_market(orders, reviews=found))
    assert value(features, "o0301", "reviewer_same_day_sellers") == 3
    assert value(features, "o0301", "reviewer_five_star_surprise") > 1
    assert features["o0001"]["reviewer_five_star_surprise"] is None


def test_empty_five_stars_have_no_value_and_are_compared_with_the_market() -> None:
    orders, found, ids = with_reviews(["", "👍", "777", "!!", "", "", "", ""])
    features = computed(reviews, bare_market(orders, reviews=found))
    assert all(value(features, order, "review_no_value") == 1 for order in ids)
    assert value(features, ids[0], "seller_no_value_surprise") > 3
    assert value(features, "o0001", "review_no_value") == 0


def test_a_seller_whose_deliveries_all_bring_five_stars() -> None:
    orders, found = ordinary()
    for number in range(301, 341):
        orders.append(
            an_order(
                seller_id="adored" if number < 321 else "quiet",
                buyer_id=f"b{number}",
                delivered_at=at(days=3),
            )
        )
        if number < 321:
            found.append(a_review(number, seller_id="adored", buyer_id=f"b{number}"))
    features = computed(reviews, bare_market(orders, reviews=found))
    adored, quiet = (value(features, order, "seller_five_star_rate_surprise") for order in ("o0301", "o0321"))
    assert adored > 0.3 > quiet == 0


def test_a_review_without_order_belongs_to_the_last_purchase_before_it() -> None:
    orders = [an_order(created_at=at(days=d)) for d in (0, 3, 6)]
    review = a_review(1, order_id=None, buyer_id="b1", seller_id="s1", created_at=at(days=4), rating=2)
    features = computed(reviews, bare_market(orders, reviews=[review]))
    assert [features[order]["review_rating"] for order in ("o0001", "o0002", "o0003")] == [None, 2, None]


def test_without_reviews_nothing_is_known() -> None:
    features = computed(reviews, bare_market([an_order(delivered_at=at(days=2))]))
    assert set(features["o0001"].values()) == {None}


def test_without_texts_only_ratings_and_times_are_judged() -> None:
    orders, found = ordinary(count=60)
    features = computed(reviews, bare_market(orders, reviews=[row | {"text": None} for row in found]))
    row = features["o0001"]
    assert row["review_no_value"] is None
    assert row["review_copies"] is None
    assert row["review_topic_mismatch_bits"] is None
    assert row["review_rating"] is not None
    assert row["review_hours_after_delivery"] is not None


@settings(max_examples=3, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(rng: random.Random) -> None:
    orders, found, _ = with_reviews(reworded(8))
    orders = [{"order_id": f"o{n:04d}"} | row for n, row in enumerate(orders, start=1)]
    before = bare_market(orders, reviews=found)
    expected = computed(reviews, before)
    rng.shuffle(orders)
    rng.shuffle(found)
    shuffled = bare_market(orders, reviews=found)
    assert computed(reviews, shuffled) == expected
    groups = "SELECT order_id, cluster_id FROM order_review_cluster JOIN orders USING (o) ORDER BY ALL"
    assert before.execute(groups).fetchall() == shuffled.execute(groups).fetchall()
