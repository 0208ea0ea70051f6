"""Several customers of one product who buy little else, again and again, in no rhythm."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
from builders import AS_OF, Row, a_market, an_item, an_order, at, shuffled

from features import identity, rebuyers
from features.excess import surprise
from features.keys import create_main_product

UNEVEN = (0.0, 3.0, 17.0, 24.0, 41.0)
"""Days of orders in no rhythm."""


def visits(buyer: str, product: str, days: Iterable[float], pieces: int = 1) -> Iterator[tuple[Row, Row]]:
    """One buyer's orders of one product, each with its line."""
    for n, day in enumerate(days):
        key = f"{buyer} {product} {n}"
        yield (
            an_order(order_id=key, buyer_id=buyer, created_at=at(days=day)),
            an_item(key, product_id=product, quantity=pieces),
        )


def others() -> list[tuple[Row, Row]]:
    """The market's usual returning customers: thirty products, two orders each by four buyers."""
    return [
        pair for p in range(30) for b in range(4) for pair in visits(f"c{p} {b}", f"tea {p}", (0.5 + b, 9.0))
    ]


def computed(rows: list[tuple[Row, Row]]) -> dict[str, float]:
    """Order id → surprise, where known."""
    orders, items = zip(*rows, strict=True)
    con = a_market(shuffled(orders), order_items=items).con
    create_main_product(con)
    identity.compute(con, AS_OF)
    rebuyers.compute(con, AS_OF)
    found = con.execute("SELECT order_id, product_rebuyers_surprise FROM f_rebuyers JOIN orders USING (o)")
    return {order: value for order, value in found.fetchall() if value is not None}


def a_gang(size: int, **changes: object) -> list[tuple[Row, Row]]:
    return [pair for n in range(size) for pair in visits(f"g{n}", "hero", [d + n / 7 for d in UNEVEN])]


def test_a_gang_that_buys_one_product_up_stands_out() -> None:
    found = computed([*others(), *a_gang(4)])
    assert {order.split()[0] for order in found} == {"g0", "g1", "g2", "g3"}
    assert len(set(found.values())) == 1
    assert min(found.values()) >= 1


def test_the_value_is_the_surprise_of_the_others_against_the_market() -> None:
    """Cells and market are the products' returning customers; the shop's own are left out of the rate."""
    found = computed([*others(), *a_gang(4)])
    pairs, gang = 120, 4
    rate = gang / (pairs + gang)
    micro = round(1e6 * (30 * rate) / (pairs + 30)) * gang * 3 / 4 / 1e6
    assert found["g0 hero 0"] == pytest.approx(float(surprise(3, micro, 50.0)), abs=0.6)


def test_one_regular_is_a_regular() -> None:
    assert computed([*others(), *a_gang(1)]) == {}


@pytest.mark.parametrize(
    "days", [(0.0, 7.0, 14.0, 21.0, 28.0), (0.0, 7.0, 14.0, 28.0, 35.0)], ids=["weekly", "a week skipped"]
)
def test_subscribers_have_a_rhythm(days: tuple[float, ...]) -> None:
    rows = [pair for n in range(4) for pair in visits(f"g{n}", "hero", [d + n for d in days])]
    assert computed([*others(), *rows]) == {}


def test_shopkeepers_take_several_pieces() -> None:
    rows = [pair for n in range(4) for pair in visits(f"g{n}", "hero", UNEVEN, pieces=12)]
    assert computed([*others(), *rows]) == {}


def test_who_shops_for_other_things_too_is_a_customer() -> None:
    rows = a_gang(4) + [
        pair for n in range(4) for k in range(6) for pair in visits(f"g{n}", f"tea {k}", (50.0 + k,))
    ]
    assert computed([*others(), *rows]) == {}
