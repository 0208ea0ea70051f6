"""Money as people read it. Amounts are integers in the minor unit of their currency everywhere else."""

from __future__ import annotations

__all__ = ["currency_exponent", "format_money"]

# ISO 4217, list one: the currencies whose minor unit is not a hundredth. ISO gives the metals, the test
# code and the units of account no minor unit ("N.A."): their amounts are whole units.
_EXPONENTS: dict[str, int] = {
    code: exponent
    for exponent, codes in {
        0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF "
        "XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA XXX",
        3: "BHD IQD JOD KWD LYD OMR TND",
        4: "CLF UYW",
    }.items()
    for code in codes.split()
}


def currency_exponent(currency: str) -> int:
    """Digits after the decimal point of an ISO 4217 currency: 2 unless the list says otherwise.

    >>> currency_exponent("USD"), currency_exponent("JPY"), currency_exponent("KWD")
    (2, 0, 3)
    """
    return _EXPONENTS.get(currency, 2)


def format_money(amount_minor: int, currency: str) -> str:
    """An amount in minor units as text, exact to the last digit.

    >>> format_money(1234567, "USD"), format_money(1234567, "JPY"), format_money(-5, "KWD")
    ('USD 12,345.67', 'JPY 1,234,567', 'KWD -0.005')
    """
    exponent = currency_exponent(currency)
    sign = "-" if amount_minor < 0 else ""
    whole, rest = divmod(abs(int(amount_minor)), 10**exponent)
    fraction = f".{rest:0{exponent}d}" if exponent else ""
    return f"{currency} {sign}{whole:,}{fraction}"
