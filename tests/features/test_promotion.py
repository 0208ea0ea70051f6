"""The promotion family on small markets: subsidies, flash sales, prices and steps."""

from __future__ import annotations

import random
from statistics import median_low

import numpy as np
import pytest
from bare_market import bare_market, computed, value
from builders import Row, an_item, an_order, at
from hypothesis import given
from hypothesis import strategies as st

from features import promotion
from features.promotion import usual_price

NAN = float("nan")


def subsidised(share: float = 0.3) -> Row:
    return {"total_minor": round(2500 * (1 - share)), "platform_discount_minor": round(2500 * share)}


def ordinary(seed: int = 1, count: int = 400) -> list[Row]:
    """Orders of 150 settled buyers at 20 sellers over 60 days; one in eight with a subsidy, few reversed."""
    rng = random.Random(seed)
    rows = []
    for number in range(count):
        row = an_order(
            order_id=f"m{number:04d}",
            seller_id=f"s{rng.randrange(20):02d}",
            buyer_id=f"b{rng.randrange(150):03d}",
            created_at=at(days=rng.random() * 60),
            platform_discount_minor=0,
        )
        row |= subsidised(0.1) if rng.random() < 0.12 else {}
        row |= {"status": "CANCELLED", "cancelled_at": row["created_at"]} if rng.random() < 0.05 else {}
        rows.append(row)
    return rows


def buyers_of(orders: list[Row], newcomers: set[str]) -> list[Row]:
    """Everybody registered a year ago, the newcomers on the day before the first order."""
    return [
        {"buyer_id": buyer, "registered_at": at(days=-1 if buyer in newcomers else -365)}
        for buyer in sorted({row["buyer_id"] for row in orders})
    ]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9)), max_size=40))
def test_the_usual_price_is_the_low_median_from_five_sales_on(lines: list[tuple[int, int]]) -> None:
    lines = sorted(lines, key=lambda line: line[1])
    key = np.array([k for k, _ in lines], dtype=np.uint64)
    price = np.array([p for _, p in lines], dtype=np.float64)
    found = usual_price(key, price)
    for position, (mine, _) in enumerate(lines):
        same = [p for k, p in lines if k == mine]
        if len(same) < 5:
            assert np.isnan(found[position])
        else:
            assert found[position] == median_low(same)


# ----------------------------------------------------------------------------------------------- subsidies


def factory(count: int, seller: str = "s01") -> tuple[list[Row], set[str]]:
    names = [f"new{n:02d}" for n in range(count)]
    rows = [
        an_order(
            order_id=name, seller_id=seller, buyer_id=name, created_at=at(days=1 + n % 9), **subsidised()
        )
        for n, name in enumerate(names)
    ]
    return rows, set(names)


def test_a_voucher_factory_is_found_by_its_entity_and_its_seller() -> None:
    fakes, names = factory(12)
    orders = ordinary() + fakes
    con = bare_market(orders, buyers=buyers_of(orders, names), entities=dict.fromkeys(names, "ring"))
    found = computed(promotion, con)
    for order in names:
        assert value(found, order, "new_user_subsidy") == 1
        assert value(found, order, "entity_new_user_subsidies") == 11
        assert value(found, order, "entity_new_user_subsidy_surprise") > 3
    honest = [row for order, row in found.items() if order not in names]
    assert max(row["entity_new_user_subsidies"] or 0 for row in honest) == 0
    assert max(row["entity_new_user_subsidy_surprise"] or 0 for row in honest) < 2


def test_a_family_with_a_voucher_each_is_small() -> None:
    fakes, names = factory(3)
    orders = ordinary() + fakes
    con = bare_market(orders, buyers=buyers_of(orders, names), entities=dict.fromkeys(names, "family"))
    found = computed(promotion, con)
    assert all(value(found, order, "entity_new_user_subsidies") == 2 for order in names)


def voucher_sellers(days: int) -> tuple[list[Row], set[str]]:
    """Newcomers everywhere, one in ten with a voucher; at s90 all forty, spread over so many days."""
    rng = random.Random(5)
    rows = [
        an_order(
            order_id=f"n{n:03d}",
            buyer_id=f"n{n:03d}",
            seller_id=f"s{rng.randrange(20):02d}",
            created_at=at(days=n % 20),
            **(subsidised() if rng.random() < 0.1 else {"platform_discount_minor": 0}),
        )
        for n in range(400)
    ]
    rows += [
        an_order(
            order_id=f"v{n:02d}",
            buyer_id=f"v{n:02d}",
            seller_id="s90",
            created_at=at(days=n % days),
            **subsidised(),
        )
        for n in range(40)
    ]
    return rows, {row["buyer_id"] for row in rows}


def test_vouchers_day_after_day_are_the_sellers_and_those_of_one_event_are_not() -> None:
    slow, names = voucher_sellers(days=20)
    found = computed(promotion, bare_market(slow, buyers=buyers_of(slow, names)))
    assert value(found, "v07", "seller_new_user_subsidy_surprise") > 3
    event, names = voucher_sellers(days=1)
    found = computed(promotion, bare_market(event, buyers=buyers_of(event, names)))
    assert found["v07"]["seller_new_user_subsidy_surprise"] is None


def test_on_a_voucher_day_everybody_uses_one() -> None:
    orders = ordinary() + [
        an_order(
            order_id=f"d{n:03d}",
            buyer_id=f"b{n:03d}",
            seller_id=f"s{n % 20:02d}",
            created_at=at(days=30),
            **subsidised(),
        )
        for n in range(150)
    ]
    found = computed(promotion, bare_market(orders, buyers=buyers_of(orders, set())))
    day = [row for order, row in found.items() if order.startswith("d")]
    assert max(row["seller_subsidised_surprise"] or 0 for row in day) < 3
    assert max(row["new_user_subsidy"] or 0 for row in day) == 0


def test_an_account_is_no_newcomer_when_its_age_is_unknown_and_the_data_begin() -> None:
    orders = [
        an_order(order_id="early", buyer_id="a", created_at=at(days=1), **subsidised()),
        an_order(order_id="late", buyer_id="b", created_at=at(days=40), **subsidised()),
        an_order(order_id="again", buyer_id="a", created_at=at(days=41), **subsidised()),
    ]
    found = computed(promotion, bare_market([an_order(order_id="zero", buyer_id="z"), *orders]))
    assert [found[order]["new_user_subsidy"] for order in ("early", "late", "again")] == [None, 1, 0]


def test_claim_and_cancel_by_an_entity_at_a_seller() -> None:
    reversed_order = {"status": "CANCELLED", "cancelled_at": at(days=3)} | subsidised()
    fakes = [
        an_order(order_id=f"c{n:02d}", seller_id="s90", buyer_id=f"c{n % 3}", created_at=at(days=n))
        | reversed_order
        for n in range(15)
    ]
    found = computed(
        promotion, bare_market(ordinary() + fakes, entities=dict.fromkeys(("c0", "c1", "c2"), "one"))
    )
    assert value(found, "c05", "subsidy_reversed") == 1
    assert value(found, "c05", "entity_claim_cancel_surprise") > 4
    assert value(found, "c05", "seller_claim_cancel_surprise") > 3
    plain = next(order for order, row in found.items() if row["subsidy_share"] == 0)
    assert found[plain]["subsidy_reversed"] is None
    assert found[plain]["entity_claim_cancel_surprise"] is None


def test_refunds_after_completion_are_compared_with_the_market() -> None:
    rng = random.Random(3)
    orders = []
    for n in range(400):
        seller = f"s{n % 20:02d}"
        late = seller == "s03" or rng.random() < 0.03
        done = at(days=5 + n % 7)
        orders.append(
            an_order(
                order_id=f"r{n:03d}",
                seller_id=seller,
                completed_at=done,
                refunded_at=at(days=20) if late else None,
            )
        )
    found = computed(promotion, bare_market(orders))
    assert value(found, "r003", "refund_hours_after_completion") == (20 - 8) * 24
    assert value(found, "r003", "seller_late_refund_surprise") > 3
    assert (
        max(
            row["seller_late_refund_surprise"] or 0
            for order, row in found.items()
            if int(order[1:]) % 20 != 3
        )
        < 2
    )


# --------------------------------------------------------------------------------------------- flash sales


def a_flash_sale(**changes: object) -> Row:
    return {
        "promotion_id": "f1",
        "product_id": "p1",
        "kind": "flash_sale",
        "price_minor": 800,
        "starts_at": at(days=60),
        "ends_at": at(days=62),
    } | changes


def bought(order_id: str, day: float, price: int, buyer: str = "", **changes: object) -> tuple[Row, Row]:
    """An order of one piece of p1 and its line."""
    row = {
        "order_id": order_id,
        "buyer_id": buyer or order_id,
        "created_at": at(days=day),
        "total_minor": price,
    }
    line = an_item(order_id, unit_price_minor=price, list_price_minor=1200)
    return an_order(**(row | changes)), line


def flash_market(lines: list[tuple[Row, Row]], *sales: Row) -> dict[str, dict[str, float | None]]:
    start = an_order(order_id="zero", buyer_id="z", created_at=at(days=0))
    con = bare_market(
        [start, *(order for order, _ in lines)],
        order_items=[line for _, line in lines],
        promotions=list(sales),
    )
    return computed(promotion, con)


HISTORY = [bought(f"h{n}", day, 1000) for n, day in enumerate((10, 20, 65, 70, 75))]


def in_sale(order_id: str = "sale", **changes: object) -> tuple[Row, Row]:
    return bought(order_id, 60.5, 800, promotion_id="f1", **changes)


def test_a_flash_price_is_held_against_the_lowest_price_paid() -> None:
    found = flash_market(
        [*HISTORY, in_sale(), bought("low", 45, 640), bought("high", 50, 1000)], a_flash_sale()
    )
    assert value(found, "sale", "flash_price_over_base") == pytest.approx(0.25)
    assert value(found, "sale", "flash_hours") == 48
    assert value(found, "sale", "flash_overlaps") == 0
    assert found["low"]["flash_hours"] is None


def test_a_cancelled_order_a_gift_or_another_currency_sets_no_base() -> None:
    lines = [
        *HISTORY,
        in_sale(),
        bought("base", 45, 1000),
        bought("gone", 46, 500, status="CANCELLED"),
        bought("sample", 46, 400, is_sample=True),
        bought("gift", 47, 1000, total_minor=1, shipping_fee_minor=0, platform_discount_minor=0),
        bought("yen", 48, 90, currency="JPY"),
    ]
    found = flash_market(lines, a_flash_sale())
    assert value(found, "sale", "flash_price_over_base") == pytest.approx(-0.2)


def test_the_base_is_what_the_seller_got() -> None:
    """1000 less 300 of the seller's, 200 of the platform's, 90 shipping on top: the seller got 700."""
    lines = [
        *HISTORY,
        in_sale(),
        bought("base", 45, 1000, total_minor=590, platform_discount_minor=200, shipping_fee_minor=90),
    ]
    assert value(flash_market(lines, a_flash_sale()), "sale", "flash_price_over_base") == pytest.approx(
        800 / 700 - 1
    )


def test_without_history_the_list_price_is_the_limit() -> None:
    found = flash_market([in_sale()], a_flash_sale(price_minor=1200))
    assert value(found, "sale", "flash_price_over_base") > 0
    found = flash_market([in_sale()], a_flash_sale(price_minor=1199))
    assert value(found, "sale", "flash_price_over_base") == 0


def test_an_unseen_history_is_not_held_against_the_seller() -> None:
    early = bought("sale", 10, 800, promotion_id="f1")
    found = flash_market([early], a_flash_sale(price_minor=1300, starts_at=at(days=9), ends_at=at(days=11)))
    assert found["sale"]["flash_price_over_base"] is None


def test_two_flash_sales_of_a_product_at_once_and_one_too_long() -> None:
    other = a_flash_sale(promotion_id="f2", starts_at=at(days=61), ends_at=at(days=66))
    later = a_flash_sale(promotion_id="f3", starts_at=at(days=80), ends_at=at(days=81))
    found = flash_market(
        [*HISTORY, in_sale(), bought("two", 63, 800, promotion_id="f2")], a_flash_sale(), other, later
    )
    assert value(found, "sale", "flash_overlaps") == 1
    assert value(found, "two", "flash_hours") == 120


def test_orders_that_prop_up_the_baseline_stand_out_and_ordinary_ones_do_not() -> None:
    props = [bought(f"prop{n}", 40 + n, 2400, buyer="puppet") for n in range(6)]
    found = flash_market([*HISTORY, *props, bought("usual", 50, 1000), in_sale()], a_flash_sale())
    assert value(found, "prop0", "flash_baseline_log2") == pytest.approx(np.log2(2.4))
    assert value(found, "prop0", "flash_baseline_entities") == 2
    assert value(found, "usual", "flash_baseline_log2") == 0
    assert found["h0"]["flash_baseline_log2"] is None


def test_a_new_product_sold_at_one_price_before_its_sale_is_in_order() -> None:
    lines = [bought(f"new{n}", 40 + n, 1000) for n in range(8)]
    found = flash_market([*lines, in_sale()], a_flash_sale())
    assert all(value(found, f"new{n}", "flash_baseline_log2") == 0 for n in range(8))


# ------------------------------------------------------------------------------------------ prices and steps


def test_a_price_is_compared_with_its_sku_or_else_its_product() -> None:
    rng = random.Random(2)
    orders, items = [], []
    for n in range(40):
        orders.append(an_order(order_id=f"o{n:02d}", buyer_id=f"b{n}"))
        large = n % 2 == 0
        price = (2000 if large else 1000) + rng.choice((-20, 0, 20))
        items.append(an_item(f"o{n:02d}", sku_id="large" if large else "small", unit_price_minor=price))
    items[0]["unit_price_minor"] = 8000
    items[1]["sku_id"] = "rare"
    items.append(an_item("o02", line_no="2", product_id="p2", unit_price_minor=50))
    found = computed(promotion, bare_market(orders, order_items=items))
    assert value(found, "o00", "unit_price_log2") == pytest.approx(2.0, abs=0.05)
    assert abs(value(found, "o02", "unit_price_log2")) < 0.05
    assert abs(value(found, "o01", "unit_price_log2")) < 1.1


def test_steps_are_judged_only_where_the_market_reports_them() -> None:
    done = {"paid_at": at(hours=1), "delivered_at": at(days=3)}
    full = [an_order(order_id="right", shipped_at=at(days=1), **done), an_order(order_id="skipped", **done)]
    found = computed(promotion, bare_market(full))
    assert value(found, "right", "order_steps_skipped") == 0
    assert value(found, "skipped", "order_steps_skipped") == 1
    found = computed(promotion, bare_market(full[1:]))
    assert found["skipped"]["order_steps_skipped"] is None


def test_without_discounts_promotions_and_items_nothing_is_known() -> None:
    found = computed(promotion, bare_market([an_order(), an_order(buyer_id="b2")]))
    assert all(set(row.values()) == {None} for row in found.values())


def test_the_order_of_rows_does_not_matter() -> None:
    fakes, names = factory(9)
    orders = ordinary() + fakes
    items = [an_item(row["order_id"], unit_price_minor=900 + n % 7) for n, row in enumerate(orders)]
    people = buyers_of(orders, names)
    expected = computed(
        promotion, bare_market(orders, buyers=people, order_items=items, promotions=[a_flash_sale()])
    )
    rng = random.Random(1)
    for rows in (orders, items, people):
        rng.shuffle(rows)
    shuffled = bare_market(orders, buyers=people, order_items=items, promotions=[a_flash_sale()])
    assert computed(promotion, shuffled) == expected
