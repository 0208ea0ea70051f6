"""Valid numbers are valid by an independent reading of each carrier's rule; spoilt ones are not."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from detector.simulate.geo import read_rows
from detector.simulate.numbers import mangle, tracking_numbers

SERIALS = np.random.default_rng(5).integers(0, 10**9, 300)


def s10(number: str) -> bool:
    if not re.fullmatch(r"[A-Z]{2}\d{9}[A-Z]{2}", number):
        return False
    total = sum(int(d) * w for d, w in zip(number[2:10], (8, 6, 4, 2, 3, 5, 9, 7), strict=True))
    return int(number[10]) == {10: 0, 11: 5}.get(11 - total % 11, 11 - total % 11)


def ups(number: str) -> bool:
    if not re.fullmatch(r"1Z[A-Z0-9]{15}\d", number):
        return False
    total = 0
    for position, char in enumerate(number[2:17], start=1):
        value = int(char) if char.isdigit() else (ord(char) - 3) % 10
        total += value * (2 if position % 2 == 0 else 1)
    return (total + int(number[17])) % 10 == 0


def three_one(number: str) -> bool:
    """GS1: from the right, the check digit counts once, its neighbour three times, and so on."""
    return (
        number.isdigit()
        and sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(reversed(number))) % 10 == 0
    )


def usps(number: str) -> bool:
    return len(number) == 22 and three_one(number)


def fedex15(number: str) -> bool:
    return len(number) == 15 and three_one(number)


def fedex12(number: str) -> bool:
    if not re.fullmatch(r"\d{12}", number):
        return False
    total = sum(int(d) * (3, 1, 7)[i % 3] for i, d in enumerate(number[:11]))
    return total % 11 % 10 == int(number[11])


def dhl(number: str) -> bool:
    return re.fullmatch(r"\d{10}", number) is not None and int(number[:9]) % 7 == int(number[9])


def dpd(number: str) -> bool:
    """ISO/IEC 7064 MOD 37,36: the running product with the check character comes out as 1."""
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    if not re.fullmatch(r"\d{14}[0-9A-Z]", number):
        return False
    product = 36
    for digit in number[:14]:
        total = (product + int(digit)) % 36 or 36
        product = total * 2 % 37
    return (product + alphabet.index(number[14])) % 36 == 1


def ontrac(number: str) -> bool:
    if not re.fullmatch(r"C\d{14}", number):
        return False
    digits = [4, *(int(d) for d in number[1:])]
    return (sum(d * (2 if i % 2 else 1) for i, d in enumerate(digits[:14])) + digits[14]) % 10 == 0


ORACLES: dict[str, tuple[Callable[[str], bool], str]] = {
    "{s10:GB}": (s10, "RB123456785GB"),
    "{ups}": (ups, "1Z5R89390357567127"),
    "{usps22}": (usps, "9400111202555842332669"),
    "{fedex12}": (fedex12, "986578788855"),
    "{fedex15}": (fedex15, "920241085725456"),
    "{dhl}": (dhl, "3318810025"),
    "{dpd}": (dpd, ""),
    "{ontrac}": (ontrac, "C11031500001879"),
}


@pytest.mark.parametrize("template", ORACLES)
def test_check_digits(template: str) -> None:
    oracle, published = ORACLES[template]
    if published:
        assert oracle(published)
    assert all(oracle(number) for number in tracking_numbers(template, SERIALS).to_pylist())


@pytest.mark.parametrize(
    "row", read_rows("carriers.csv"), ids=lambda row: f"{row['country']}-{row['carrier']}"
)
def test_serials_give_distinct_numbers(row: dict[str, str]) -> None:
    serials = np.arange(20_000) * 387_420_489 % 10**9
    numbers = tracking_numbers(row["format"], serials).to_pylist()
    assert len(set(numbers)) == len(numbers)


PATTERNS = {
    "SF Express": r"SF[0-9A-Z]\d{12}",
    "ZTO": r"7[3-68]\d{12}",
    "YTO": r"YT\d{13}",
    "YunExpress": r"YT\d{16}",
    "STO": r"(77|43)\d{12,15}",
    "Yunda": r"\d{13}|\d{15}",
    "Yodel": r"J?JD\d{16}",
    "Amazon Logistics": r"TB[ACM]\d{12}",
    "LaserShip": r"L[AIEHNX][1-3]\d{7}",
    "SPX": r"SPX[A-Z]{2}\d{11}[0-9A-Z]|TH\d{12}[0-9A-Z]",
    "Flash Express": r"THT?\d{4}[0-9A-Z]{6,10}",
    "Lazada LEX": r"LEX(PU|DO)\d{10}",
    "Cainiao": r"LP\d{14}|CNUSUP\d{8,11}",
    "J&T Express": r"JT\d{12,13}|J[A-Z]\d{10}|\d{12}",
    "Wise Express": r"WS\w+",
}


@pytest.mark.parametrize("carrier", PATTERNS)
def test_patterns(carrier: str) -> None:
    templates = [row["format"] for row in read_rows("carriers.csv") if row["carrier"] == carrier]
    assert templates
    for template in templates:
        for number in tracking_numbers(template, SERIALS[:50]).to_pylist():
            assert re.fullmatch(PATTERNS[carrier], number), number


@pytest.mark.parametrize("template", ORACLES)
def test_spoilt_numbers_mostly_fail(template: str) -> None:
    oracle, _ = ORACLES[template]
    spoilt = mangle(np.random.default_rng(1), tracking_numbers(template, SERIALS).to_pylist())
    assert sum(oracle(number) for number in spoilt) <= 0.12 * len(spoilt)
