"""Tracking numbers: which carriers could have printed one, and whether it fits the declared carrier.

The registry is data (``carriers.toml``). A passed check digit is weak evidence (one random string in ten
passes); a failed one is strong only where that carrier is declared. A carrier that the registry does not
know, or of which no reliable public pattern exists, is never contradicted.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pycountry

from features.checkdigits import CHECKS

__all__ = [
    "Carrier",
    "Verdict",
    "candidates",
    "carrier_code",
    "check_clean",
    "check_number",
    "check_numbers",
    "foreign_numbers",
    "normalise",
    "registry",
]

_SEPARATORS = r"[\s\-_.]+"
_GENERIC = (
    "express",
    "logistics",
    "courier",
    "couriers",
    "delivery",
    "parcel",
    "international",
    "intl",
    "group",
)
_MARKETS = ("china", "thailand", "malaysia", "indonesia", "vietnam", "philippines", "singapore", "usa")
_MARKET_CODES = ("cn", "th", "my", "id", "vn", "ph", "sg", "us", "uk", "gb")


class Verdict(IntEnum):
    """What the registry says of a number under its declared carrier.

    ``UNKNOWN``: not known (no number, unknown carrier, no reliable pattern); never evidence.
    ``VALID``: the shape fits and the check digit, where the shape has one, is right.
    ``UNUSUAL``: a shape not seen of this carrier, whose patterns are not wholly public.
    ``BAD_FORMAT``: a shape that this carrier does not print. ``BAD_CHECK``: its shape, wrong check digit.
    """

    UNKNOWN = 0
    VALID = 1
    UNUSUAL = 2
    BAD_FORMAT = 3
    BAD_CHECK = 4


@dataclass(frozen=True, slots=True)
class Format:
    """One shape of a carrier's numbers: a whole-number pattern and, maybe, a check over its tail."""

    pattern: str
    check: str | None = None
    width: int = 0
    exclusive: bool = False


@dataclass(frozen=True, slots=True)
class Carrier:
    """One carrier of the registry; ``confidence`` is about its patterns, see ``carriers.toml``."""

    code: str
    confidence: str
    formats: tuple[Format, ...]


_OTHERWISE = {"high": Verdict.BAD_FORMAT, "medium": Verdict.UNUSUAL, "low": Verdict.UNKNOWN}


@cache
def carrier_file() -> dict[str, Any]:
    """The parsed ``carriers.toml``."""
    return tomllib.loads(files("features").joinpath("carriers.toml").read_text(encoding="utf-8"))


@cache
def registry() -> dict[str, Carrier]:
    """Every known carrier by code, in the order of the file."""
    countries = "|".join(sorted(country.alpha_2 for country in pycountry.countries))
    return {
        entry["code"]: Carrier(
            entry["code"],
            entry["confidence"],
            tuple(
                Format(**{**shape, "pattern": shape["pattern"].replace("ISO_COUNTRY", f"({countries})")})
                for shape in entry["formats"]
            ),
        )
        for entry in carrier_file()["carrier"]
    }


def _alias_key(name: str) -> str:
    return re.sub(r"[^\w]|_", "", name.casefold())


@cache
def _aliases() -> dict[str, str]:
    return {
        _alias_key(alias): entry["code"]
        for entry in carrier_file()["carrier"]
        for alias in (entry["code"], *entry["aliases"])
    }


def carrier_code(name: str | None) -> str | None:
    """The registry's code of a declared carrier name, None if it is not known.

    Case, blanks and punctuation do not matter, nor do words like 'Express' or a country behind the name.

    >>> carrier_code("S.F. Express"), carrier_code("J&T Express (Thailand)"), carrier_code("Ann's Vans")
    ('sf', 'jt', None)
    """
    key = _alias_key(name or "")
    while key:
        if key in _aliases():
            return _aliases()[key]
        suffix = next((word for word in (*_GENERIC, *_MARKETS, *_MARKET_CODES) if key.endswith(word)), None)
        if suffix is None or key == suffix:
            return None
        key = key.removesuffix(suffix)
    return None


def normalise(numbers: pa.Array) -> pa.Array:
    """Upper case, without blanks, hyphens, dots and underscores; an empty number becomes null."""
    clean = pc.utf8_upper(numbers)
    if pc.any(pc.match_substring_regex(clean, _SEPARATORS)).as_py():
        clean = pc.replace_substring_regex(clean, _SEPARATORS, "")
    return pc.if_else(pc.equal(clean, ""), pa.scalar(None, pa.string()), clean)


def check_numbers(numbers: pa.Array, carriers: pa.Array) -> npt.NDArray[np.int8]:
    """The ``Verdict`` of each number under the carrier declared beside it.

    Parameters
    ----------
    numbers, carriers
        String arrays of equal length, null where not known.

    Returns
    -------
    numpy.ndarray
        ``int8``, one ``Verdict`` per number.
    """
    return check_clean(normalise(numbers), carriers)


def check_clean(clean: pa.Array, carriers: pa.Array) -> npt.NDArray[np.int8]:
    """``check_numbers`` for numbers that ``normalise`` has been over."""
    names = carriers.dictionary_encode()
    codes = [carrier_code(name) for name in names.dictionary.to_pylist()]
    named = names.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    known = clean.is_valid().to_numpy(zero_copy_only=False)
    verdicts = np.zeros(len(clean), np.int8)
    for code in sorted({code for code in codes if code}):
        mine = [index for index, other in enumerate(codes) if other == code]
        rows = np.flatnonzero(np.isin(named, mine) & known)
        verdicts[rows] = _under(registry()[code], clean.take(pa.array(rows)))
    return verdicts


def _under(carrier: Carrier, numbers: pa.Array) -> npt.NDArray[np.int8]:
    """Verdicts of non-null, normalised numbers under one carrier; the kindest of its formats counts."""
    if not carrier.formats:
        return np.full(len(numbers), Verdict.UNKNOWN, np.int8)
    shaped = np.zeros(len(numbers), bool)
    valid = np.zeros(len(numbers), bool)
    for shape in carrier.formats:
        fits, passes = _match(shape, numbers)
        shaped |= fits
        valid |= passes
    otherwise = np.where(shaped, Verdict.BAD_CHECK, _OTHERWISE[carrier.confidence])
    return np.where(valid, Verdict.VALID, otherwise).astype(np.int8)


def _match(shape: Format, numbers: pa.Array) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Whether each non-null number has the shape, and whether its check digit is right as well."""
    pattern = f"^(?:{shape.pattern})$"
    fits = pc.match_substring_regex(numbers, pattern).to_numpy(zero_copy_only=False)
    passes = fits.copy()
    if shape.check:
        rows = np.flatnonzero(fits)
        passes[rows] = CHECKS[shape.check](_tail(numbers.take(pa.array(rows)), shape.width))
    return fits, passes


def _tail(numbers: pa.Array, width: int) -> npt.NDArray[np.uint8]:
    """The last ``width`` bytes of every (ASCII) number as a matrix, read from the Arrow buffers."""
    if not len(numbers):
        return np.zeros((0, width), np.uint8)
    _, offset_buffer, data = numbers.cast(pa.string()).buffers()
    ends = np.frombuffer(offset_buffer, np.int32)[numbers.offset + 1 : numbers.offset + len(numbers) + 1]
    return np.asarray(np.frombuffer(data, np.uint8)[ends[:, None] + np.arange(-width, 0)])


def check_number(number: str | None, carrier: str | None) -> Verdict:
    """The verdict on one number: what ``check_numbers`` answers for it.

    >>> check_number("1Z 5R89 3903 5756 7127", "UPS"), check_number("1Z5R89390357567128", "UPS")
    (<Verdict.VALID: 1>, <Verdict.BAD_CHECK: 4>)
    >>> check_number("12345", "Ann's Vans")
    <Verdict.UNKNOWN: 0>
    """
    return Verdict(check_numbers(_strings([number]), _strings([carrier]))[0])


def candidates(number: str | None) -> frozenset[str]:
    """Codes of all carriers that could have printed the number; empty when none is known.

    >>> sorted(candidates("YT2229521272164446")), sorted(candidates("799531274483"))
    (['yunexpress'], ['fedex', 'jt', 'sf'])
    """
    clean = normalise(_strings([number]))
    if clean.null_count:
        return frozenset()
    return frozenset(
        carrier.code
        for carrier in registry().values()
        if any(_match(shape, clean)[1][0] for shape in carrier.formats)
    )


def foreign_numbers(numbers: pa.Array, verdicts: npt.NDArray[np.int8]) -> npt.NDArray[np.bool_]:
    """Whether each number has a shape that only another carrier prints than the known one declared.

    Parameters
    ----------
    numbers
        Normalised numbers, null where not known.
    verdicts
        What ``check_numbers`` says of them; only shapes that the declared carrier does not print are judged.
    """
    foreign = np.zeros(len(numbers), bool)
    rows = np.flatnonzero(np.isin(verdicts, (Verdict.UNUSUAL, Verdict.BAD_FORMAT)))
    if not len(rows):
        return foreign
    clean = numbers.take(pa.array(rows))
    exclusive = [shape for carrier in registry().values() for shape in carrier.formats if shape.exclusive]
    for shape in exclusive:
        foreign[rows] |= _match(shape, clean)[1]
    return foreign


def _strings(values: Sequence[str | None]) -> pa.Array:
    return pa.array(values, pa.string())
