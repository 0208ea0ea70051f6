from __future__ import annotations

from collections import Counter

import pycountry
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.contract import CLAUSES
from detector.money import currency_exponent, format_money
from detector.report import wording


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (0, "USD", "USD 0.00"),
        (5, "EUR", "EUR 0.05"),
        (123456, "JPY", "JPY 123,456"),
        (1234567, "BHD", "BHD 1,234.567"),
        (-10, "USD", "USD -0.10"),
        (10_005, "CLF", "CLF 1.0005"),
    ],
)
def test_money_is_shown_in_the_currencys_own_digits(amount: int, currency: str, text: str) -> None:
    assert format_money(amount, currency) == text


@given(st.integers(-(10**18), 10**18), st.sampled_from(["USD", "JPY", "KWD", "CLF"]))
def test_no_digit_of_an_amount_is_lost(amount: int, currency: str) -> None:
    shown = format_money(amount, currency).removeprefix(f"{currency} ").replace(",", "").replace(".", "")
    assert int(shown) == amount


def test_every_listed_exception_is_a_currency_of_iso_4217() -> None:
    known = {currency.alpha_3 for currency in pycountry.currencies}
    counts = Counter(currency_exponent(code) for code in known)
    assert {exponent: counts[exponent] for exponent in (0, 3, 4)} == {0: 17 + 13, 3: 7, 4: 2}


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 10, "0.0 %"), (1, 100_000, "< 0.1 %"), (1, 3, "33 %"), (1, 40, "2.5 %"), (3, 0, "–")],
)
def test_a_share_that_is_there_never_shows_as_nought(part: int, whole: int, text: str) -> None:
    assert wording.percent(part, whole).replace("\u00a0", " ") == text


def test_every_clause_has_words() -> None:
    assert set(wording.CLAUSE_TEXTS) == set(CLAUSES)
    assert wording.clause_name("invalid_tracking") == "Invalid tracking (2.1.c)"
    assert wording.clause_name("NEW_CLAUSE") == "New clause"


def test_a_long_id_keeps_both_ends() -> None:
    assert wording.shortened("abcdefghijklmnopqrstuvwxyz", 9) == "abcd…wxyz"
    assert wording.shortened("short") == "short"
