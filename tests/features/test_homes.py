"""A home and a ring: where the accounts of one entity get their parcels."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from builders import AS_OF, Row, a_market, an_order, by_order

from features import homes, identity


def computed(orders: Iterable[Row]) -> list[float | None]:
    """The orders' number of homes, in the given order."""
    con = a_market(orders).con
    identity.compute(con, AS_OF)
    homes.compute(con, AS_OF)
    return [row["entity_seller_homes"] for _, row in sorted(by_order(con, "f_homes").items())]


def accounts(*postcodes: str | None, **changes: str) -> list[Row]:
    """Accounts on one tablet that buy at one shop, each with its own parcels' postcode."""
    return [
        an_order(
            buyer_id=f"b{n}", device_id="tablet", ship_to_country="DE", ship_to_postcode=postcode, **changes
        )
        for n, postcode in enumerate(postcodes)
    ]


@pytest.mark.parametrize(
    ("postcodes", "places"),
    [
        (("10115", "10115", " 10115"), 1.0),
        (("10115", "20095", "10115"), 2.0),
        (("10115", "20095", None), 2.0),
        (("10115", "***"), None),
        ((None, None), None),
    ],
)
def test_places_are_counted_and_a_hidden_one_may_be_the_second(
    postcodes: tuple[str | None, ...], places: float | None
) -> None:
    assert computed(accounts(*postcodes)) == [places] * len(postcodes)


def test_a_parcel_to_the_office_is_no_second_home() -> None:
    office = an_order(buyer_id="b0", device_id="tablet", ship_to_country="DE", ship_to_postcode="20095")
    assert computed([*accounts("10115", "10115"), *accounts("10115"), office]) == [1.0] * 4


def test_only_accounts_that_bought_at_the_seller_count() -> None:
    elsewhere = accounts("10115", "10115", "20095", seller_id="s2")
    assert computed([*accounts("10115", "10115"), *elsewhere]) == [1.0, 1.0, 2.0, 2.0, 2.0]


def test_a_lone_account_has_no_ring() -> None:
    assert computed([an_order(ship_to_country="DE", ship_to_postcode="10115")]) == [None]
