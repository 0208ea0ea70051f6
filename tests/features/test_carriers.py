"""The carrier registry: made-up valid numbers are accepted, spoilt ones rejected, unknown carriers spared."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from number_maker import MAKERS, spoil

from features.carriers import (
    Verdict,
    candidates,
    carrier_code,
    check_number,
    check_numbers,
    foreign_numbers,
    registry,
)

SHAPES = {
    "Amazon Logistics": "TBA502887274000",
    "LaserShip": "LX17635036",
    "Yodel": "JJD0002257639032011",
    "YunExpress": "YT2229521272164446",
    "YTO": "YT2229521272164",
    "SF Express": "SF1234567890123",
    "J&T Express": "JT1234567890123",
    "ZTO": "73123456789012",
    "STO": "77123456789012",
    "Yunda": "4312345678901",
    "SPX Express": "SPXMY012345678901",
    "Flash Express": "TH01234ABCDEF",
    "Lazada LEX": "LEXPU0123456789",
    "Cainiao": "LP00123456789012",
    "Pos Malaysia": "PL123456789012",
}
"""One number of every carrier whose numbers have a shape but no published check digit."""


@pytest.mark.parametrize("kind", MAKERS)
def test_valid_numbers_are_accepted_and_spoilt_ones_rejected(kind: str) -> None:
    carrier, make = MAKERS[kind]
    rng = random.Random(kind)
    made = [make(rng) for _ in range(500)]
    good = pa.array([number for number, _ in made])
    bad = pa.array([spoil(number, place, rng) for number, place in made])
    carriers = pa.array([carrier] * len(made))
    assert set(check_numbers(good, carriers)) == {Verdict.VALID}
    assert set(check_numbers(bad, carriers)) == {Verdict.BAD_CHECK}


@pytest.mark.parametrize("carrier", SHAPES)
def test_shapes_without_a_check_digit(carrier: str) -> None:
    assert check_number(SHAPES[carrier], carrier) is Verdict.VALID
    assert check_number("NO-SUCH-1", carrier) in {Verdict.BAD_FORMAT, Verdict.UNUSUAL}


@given(st.text(max_size=30), st.sampled_from(["GHTK", "Ninja Van", "4PX", "Evri", "Ann's Vans", "", None]))
def test_a_carrier_without_a_public_pattern_is_never_contradicted(number: str, carrier: str | None) -> None:
    assert check_number(number, carrier) is Verdict.UNKNOWN


@given(st.text(min_size=1, max_size=30))
def test_whatever_the_number_a_verdict_is_given(number: str) -> None:
    assert check_number(number, "UPS") in Verdict
    assert candidates(number) <= registry().keys()


def test_one_by_one_as_all_at_once() -> None:
    rng = random.Random(7)
    names = [*SHAPES, "GHTK", None, "UPS", "FedEx", "USPS", "DPD", "China Post"]
    numbers = [make(rng)[0] for _, make in MAKERS.values() for _ in range(20)] + [
        *SHAPES.values(),
        None,
        "",
        "  ",
    ]
    pairs = [(number, rng.choice(names)) for number in numbers for _ in range(3)]
    together = check_numbers(pa.array([n for n, _ in pairs]), pa.array([c for _, c in pairs]))
    assert list(together) == [check_number(*pair) for pair in pairs]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("ups", "ups"),
        ("S.F. Express", "sf"),
        ("顺丰", "sf"),
        ("J&T Express (Thailand)", "jt"),
        ("DHL-Express", "dhl_express"),
        ("YunExpress", "yunexpress"),
        ("YTO Express", "yto"),
        ("Shopee Express", "spx"),
        ("FedEx International", "fedex"),
        ("DHL eCommerce", None),
        ("Ann's Vans", None),
        ("Express", None),
        (None, None),
    ],
)
def test_carriers_are_known_under_the_names_people_write(name: str | None, code: str | None) -> None:
    assert carrier_code(name) == code


def test_candidates_are_a_set() -> None:
    assert candidates("RB123456785GB") >= {"royal_mail", "usps", "post"}
    assert candidates("YT2229521272164") == {"yto"}
    assert candidates("YT2229521272164446") == {"yunexpress"}
    assert candidates("RB123456786GB") == set()
    assert candidates("RB123456785XX") == set()


def test_case_blanks_and_hyphens_do_not_matter() -> None:
    assert check_number(" 1z-5r89 3903.5756 7127", "UPS") is Verdict.VALID


def test_only_a_number_that_another_carrier_alone_issues_is_foreign() -> None:
    numbers = pa.array(["TBA502887274000", "799531274483", "SPXMY012345678901", "JUNK", None])
    carriers = pa.array(["UPS", "UPS", "Ann's Vans", "UPS", "UPS"])
    assert list(foreign_numbers(numbers, check_numbers(numbers, carriers))) == [
        True,
        False,
        False,
        False,
        False,
    ]


def test_the_registry_holds_together() -> None:
    for carrier in registry().values():
        assert carrier.confidence in {"high", "medium", "low"}
        assert all(shape.check is None or shape.width > 0 for shape in carrier.formats)
