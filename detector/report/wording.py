"""The words and number formats of figures and report. A seller is suspected, never more than that."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from detector.contract import CLAUSE_IDS

__all__ = [
    "CLAUSE_TEXTS",
    "DECISIONS",
    "RECOMMENDATIONS",
    "RING_KINDS",
    "ClauseText",
    "clause_name",
    "count",
    "duration",
    "from_code",
    "percent",
    "plural",
    "shortened",
]


class ClauseText(NamedTuple):
    name: str
    meaning: str


CLAUSE_TEXTS: dict[str, ClauseText] = {
    "self_dealing": ClauseText(
        "Self-dealing", "ordered by the seller, by people related to the seller, or by a gang"
    ),
    "tracking_mismatch": ClauseText(
        "Tracking mismatch", "the parcel's trace does not agree with the addresses of the order"
    ),
    "invalid_tracking": ClauseText("Invalid tracking", "the tracking number is invalid or made up"),
    "repeat_buying": ClauseText(
        "Repeat buying", "one buyer or a group often buys the same from particular sellers"
    ),
    "reviews": ClauseText("Reviews", "reviews without reference value, or that do not match the product"),
    "abuse": ClauseText(
        "Abuse", "sales inflated, or subsidies, vouchers, commissions or flash sales drawn on"
    ),
}
DECISIONS: dict[str, str] = {
    "hold": "Hold: stop it until somebody has looked",
    "review": "Review: somebody should look",
    "allow": "Allow",
}
RECOMMENDATIONS: dict[str, str] = {"open_case": "Open a case", "watch": "Watch", "none": "Nothing"}
RING_KINDS: dict[str, str] = {
    "identity": "Shared identifiers",
    "dense_block": "Dense block",
    "lockstep": "Lockstep",
    "consignment_point": "One consignment point",
}


def clause_name(code: str) -> str:
    """``self_dealing`` → ``Self-dealing (2.1.a)``; a code the policy does not know is only made readable."""
    if code not in CLAUSE_TEXTS:
        return from_code(code)
    return f"{CLAUSE_TEXTS[code].name} ({CLAUSE_IDS[code]})"


def from_code(code: str) -> str:
    """``DELIVERED_ELSEWHERE`` → ``Delivered elsewhere``."""
    return re.sub(r"[_\s]+", " ", code).strip().capitalize()


def count(number: float) -> str:
    """A whole number with thousands separators; a dash where it is not known."""
    return "–" if math.isnan(number) else f"{round(number):,}"


def plural(number: int, one: str, many: str | None = None) -> str:
    """``1 order``, ``1,200 orders``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def percent(part: float, whole: float) -> str:
    """A share as text, its space unbreakable; what is there never shows as nought."""
    if not whole:
        return "–"
    share = 100 * part / whole
    if 0 < share < 0.1:
        return "<\u00a00.1\u00a0%"
    return f"{share:.1f}\u00a0%" if share < 10 else f"{share:.0f}\u00a0%"


def duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds // 60:.0f} min {seconds % 60:02.0f} s"


def shortened(text: str, length: int = 14) -> str:
    """A long id with its middle left out, so that it fits beside a mark."""
    if len(text) <= length:
        return text
    head = (length - 1) // 2
    return f"{text[:head]}…{text[len(text) - (length - 1 - head) :]}"
