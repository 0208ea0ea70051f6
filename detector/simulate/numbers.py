"""Tracking numbers as carriers issue them, with their check digits.

A format is a small template of the carrier table: literals, ``{12d}`` twelve serial digits, ``{x8}`` eight
serial characters of base 36, and named bodies with a check digit (``{s10:GB}``, ``{ups}``, ``{usps22}``,
``{fedex12}``, ``{fedex15}``, ``{dhl}``, ``{dpd}``, ``{ontrac}``).
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pyarrow as pa

from detector.simulate.frame import Array, mix
from detector.simulate.text import digits, fixed_width

__all__ = ["SERIAL_DIGITS", "mangle", "tracking_numbers"]

SERIAL_DIGITS = 9
"""Serials count below 10**9: every format has room for at least that many parcels."""
_BASE36 = np.frombuffer(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", dtype=np.uint8)


def tracking_numbers(template: str, serial: Array) -> pa.StringArray:
    """One valid number per serial: distinct serials below 10**9 give distinct numbers."""
    columns: list[Array] = []
    for literal, slot in re.findall(r"([^{]*)(?:\{([^}]*)\})?", template):
        if literal:
            columns.append(_literal(literal, len(serial)))
        if slot:
            columns.append(_slot(slot, serial))
    return fixed_width(np.hstack(columns))


def mangle(rng: np.random.Generator, numbers: list[str]) -> list[str]:
    """Numbers nobody issued: a wrong check digit, a lost or doubled character, a made-up pattern."""
    how = rng.integers(0, 4, len(numbers))
    salt = rng.integers(0, 10**9, len(numbers))
    return [_spoil(text, int(h), int(s)) for text, h, s in zip(numbers, how, salt, strict=True)]


def _spoil(text: str, how: int, salt: int) -> str:
    places = [i for i, c in enumerate(text) if c.isdigit()] or [0]
    at = places[salt % len(places)]
    if how <= 1:
        return (
            text[:at] + str((int(text[at]) + 1 + salt % 8) % 10 if text[at].isdigit() else 7) + text[at + 1 :]
        )
    if how == 2:
        return text[: len(text) - 1 - salt % 3]
    return str(salt)[:1] * 3 + text[:2] + str(salt)[:7]


def _literal(text: str, n: int) -> Array:
    return np.tile(np.frombuffer(text.encode(), dtype=np.uint8), (n, 1))


def _slot(slot: str, serial: Array) -> Array:
    if slot[0] == "x":
        return _base36(serial, int(slot[1:]))
    if slot[-1] == "d" and slot[:-1].isdigit():
        return _long_serial(serial, int(slot[:-1]))
    name, _, argument = slot.partition(":")
    return _NAMED[name](serial, argument)


def _long_serial(serial: Array, width: int) -> Array:
    """The serial behind digits that are the same for a depot's whole batch."""
    if width <= SERIAL_DIGITS:
        return digits(serial, width)
    depot = (mix(serial // 5000, 5) % np.uint64(9)).astype(np.int64) + 1
    lead = digits(depot * 10 ** (width - SERIAL_DIGITS - 1), width - SERIAL_DIGITS)
    return np.hstack([lead, digits(serial, SERIAL_DIGITS)])


def _base36(serial: Array, width: int) -> Array:
    powers = 36 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    spread = (serial * 2_654_435_761) % 36**width if width >= 7 else serial
    return np.asarray(_BASE36[(spread[:, None] // powers) % 36])


def _zto(serial: Array, _: str) -> Array:
    return np.asarray(np.array([51, 53, 54, 56], dtype=np.uint8)[serial // 7 % 4][:, None])


def _values(chars: Array) -> Array:
    return chars.astype(np.int64) - 48


def _check_column(check: Array) -> Array:
    return (check + 48).astype(np.uint8)[:, None]


def _s10(serial: Array, country: str) -> Array:
    n = len(serial)
    service = np.frombuffer(b"RLCEUVHQMA", dtype=np.uint8)[serial // 100_000_000 % 10][:, None]
    second = np.frombuffer(b"ABGNPRTXYZ", dtype=np.uint8)[serial // 10_000_000 % 10][:, None]
    body = digits(serial, 8)
    check = 11 - (_values(body) @ np.array([8, 6, 4, 2, 3, 5, 9, 7])) % 11
    check = np.where(check == 10, 0, np.where(check == 11, 5, check))
    return np.hstack([service, second, body, _check_column(check), _literal(country, n)])


def _ups(serial: Array, _: str) -> Array:
    shipper = _base36(mix(serial // 2000, 9).astype(np.int64) % 36**6, 6)
    body = np.hstack([shipper, digits(serial, SERIAL_DIGITS)])
    value = np.where(body >= 65, (body.astype(np.int64) - 3) % 10, body.astype(np.int64) - 48)
    check = -(value @ np.array([1, 2] * 7 + [1])) % 10
    return np.hstack([_literal("1Z", len(serial)), body, _check_column(check)])


def _gs1(body: Array) -> Array:
    """GS1 modulo 10: the digit beside the check digit counts three times."""
    weights = np.array([3, 1] * 17)[: body.shape[1]][::-1]
    return np.hstack([body, _check_column(-(_values(body) @ weights) % 10)])


def _usps22(serial: Array, _: str) -> Array:
    mailer = (mix(serial // 2000, 11) % np.uint64(900_000)).astype(np.int64) + 100_000
    return _gs1(np.hstack([_literal("94001", len(serial)), digits(mailer, 7), digits(serial, 9)]))


def _fedex12(serial: Array, _: str) -> Array:
    body = digits(serial + 70_000_000_000, 11)
    weights = np.array([3, 1, 7, 3, 1, 7, 3, 1, 7, 3, 1])
    return np.hstack([body, _check_column((_values(body) @ weights) % 11 % 10)])


def _fedex15(serial: Array, _: str) -> Array:
    return _gs1(digits(serial + 61_200_000_000_000, 14))


def _dhl(serial: Array, _: str) -> Array:
    return np.hstack([digits(serial, 9), _check_column(serial % 10**9 % 7)])


def _dpd(serial: Array, _: str) -> Array:
    body = digits(serial + 15_500_000_000_000, 14)
    product = np.full(len(serial), 36)
    for column in _values(body).T:
        total = (product + column) % 36
        product = np.where(total == 0, 36, total) * 2 % 37
    return np.hstack([body, _BASE36[(37 - product) % 36][:, None]])


def _ontrac(serial: Array, _: str) -> Array:
    body = digits(serial + 1_000_000_000_000, 13)
    total = 4 + _values(body) @ np.array([2, 1] * 6 + [2])
    return np.hstack([_literal("C", len(serial)), body, _check_column(-total % 10)])


_NAMED: dict[str, Callable[[Array, str], Array]] = {
    "zto": _zto,
    "s10": _s10,
    "ups": _ups,
    "usps22": _usps22,
    "fedex12": _fedex12,
    "fedex15": _fedex15,
    "dhl": _dhl,
    "dpd": _dpd,
    "ontrac": _ontrac,
}
