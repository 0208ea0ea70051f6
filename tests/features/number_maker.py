"""Makes valid and invalid tracking numbers of every carrier with a check digit, digit by digit.

Written from the carriers' published rules alone; it shares nothing with ``features.checkdigits``.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable

ALPHANUMERIC = string.digits + string.ascii_uppercase


def digits(rng: random.Random, count: int) -> str:
    return "".join(rng.choice(string.digits) for _ in range(count))


def s10_check(serial: str) -> str:
    rest = sum(int(d) * w for d, w in zip(serial, (8, 6, 4, 2, 3, 5, 9, 7), strict=True)) % 11
    return {0: "5", 1: "0"}.get(rest, str(11 - rest))


def thrice_check(body: str) -> str:
    """GS1 mod 10: from the right, every other digit counts thrice, the rightmost first."""
    total = sum(int(d) * (3 if i % 2 == 0 else 1) for i, d in enumerate(reversed(body)))
    return str(-total % 10)


def letter_value(character: str) -> int:
    return int(character) if character.isdigit() else (ord(character) - 3) % 10


def ups_check(body: str) -> str:
    total = sum(letter_value(c) * (2 if place % 2 == 0 else 1) for place, c in enumerate(body, start=1))
    return str(-total % 10)


def ontrac_check(body: str) -> str:
    return ups_check(body)  # the letter is the first of fourteen places, even places count twice


def fedex_check(body: str) -> str:
    return str(sum(int(d) * (3, 1, 7)[i % 3] for i, d in enumerate(body)) % 11 % 10)


def dpd_check(body: str) -> str:
    """ISO/IEC 7064 mod 37, 36: the character that makes the whole string check out."""
    for check in ALPHANUMERIC:
        state = 36
        for character in body:
            state = (state + ALPHANUMERIC.index(character)) % 36 or 36
            state = state * 2 % 37
        if (state + ALPHANUMERIC.index(check)) % 36 == 1:
            return check
    raise AssertionError(body)


def with_check(prefix: str, body: str, check: Callable[[str], str], suffix: str = "") -> tuple[str, int]:
    """The number and the position of its check character."""
    return prefix + body + check(body) + suffix, len(prefix) + len(body)


MAKERS: dict[str, tuple[str, Callable[[random.Random], tuple[str, int]]]] = {
    "s10": ("China Post", lambda r: with_check("R" + r.choice("ABX"), digits(r, 8), s10_check, r.choice(["CN", "GB"]))),
    "s10 usps": ("USPS", lambda r: with_check("LZ", digits(r, 8), s10_check, "US")),
    "s10 royal mail": ("Royal Mail", lambda r: with_check("RM", digits(r, 8), s10_check, "GB")),
    "ups": ("UPS", lambda r: with_check("1Z", "".join(r.choices(ALPHANUMERIC, k=15)), ups_check)),
    "fedex 12": ("FedEx", lambda r: with_check("", digits(r, 11), fedex_check)),
    "fedex 15": ("FedEx Ground", lambda r: with_check("", digits(r, 14), thrice_check)),
    "usps 20": ("USPS", lambda r: with_check("", digits(r, 19), thrice_check)),
    "usps 22": ("USPS", lambda r: with_check("", "9" + r.choice("2345") + digits(r, 19), thrice_check)),
    "usps 26": ("USPS", lambda r: with_check("", "9" + r.choice("2345") + digits(r, 23), thrice_check)),
    "usps zip": ("USPS", lambda r: with_check("420" + digits(r, 5), "94" + digits(r, 19), thrice_check)),
    "dhl 10": ("DHL Express", lambda r: with_check("", digits(r, 9), lambda body: str(int(body) % 7))),
    "dpd 14": ("DPD", lambda r: with_check("", digits(r, 14), dpd_check)),
    "dpd 27": ("DPD", lambda r: with_check("", digits(r, 27), dpd_check)),
    "canada post": ("Canada Post", lambda r: with_check("", digits(r, 15), thrice_check)),
    "ontrac": ("OnTrac", lambda r: with_check("", r.choice("CD") + digits(r, 13), ontrac_check)),
}  # fmt: skip
"""Kind of number → carrier to declare, and a maker of valid ones with the place of their check character."""


def spoil(number: str, place: int, rng: random.Random) -> str:
    """The number with another check character of the same kind."""
    kind = string.digits if number[place].isdigit() else string.ascii_uppercase
    other = rng.choice([character for character in kind if character != number[place]])
    return number[:place] + other + number[place + 1 :]
