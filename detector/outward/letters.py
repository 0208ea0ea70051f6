"""Letters: a notice in words, as plain text and as HTML, in the seller's language and the market's time.

Each kind of notice is one template per language (``templates/en/violation.j2``), written once for both
forms: it calls ``paragraph``, ``heading``, ``bullets`` and ``facts`` of ``form.txt.j2`` or ``form.html.j2``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from detector.enforcement.days import parse_instant
from detector.money import format_money

__all__ = ["LANGUAGES", "Language", "Letter", "Sender", "language_of", "letter"]

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")
_CHINESE_MARKETS = frozenset({"CN", "HK", "MO", "TW"})
_TEMPLATES = Path(__file__).parent / "templates"
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


@dataclass(frozen=True, slots=True)
class Sender:
    """Who writes. ``seller_centre_url``: where appeals are filed; None: named in words only."""

    marketplace: str
    seller_centre_url: str | None


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter; ``subject`` is one line without control characters."""

    subject: str
    text: str
    html: str


def language_of(chosen: str | None, country: str | None) -> Language:
    """The seller's language: the one chosen, else that of the country (ISO 3166), else English.

    >>> language_of(None, "CN"), language_of("en", "CN"), language_of("zh-Hant-TW", None)
    ('zh', 'en', 'zh')
    """
    primary = (chosen or "").replace("_", "-").partition("-")[0].lower()
    for language in LANGUAGES:
        if primary == language:
            return language
    return "zh" if country in _CHINESE_MARKETS else "en"


def letter(notice: Mapping[str, Any], language: Language, sender: Sender) -> Letter:
    """The notice (``outward.notices``) as a letter. The same notice gives the same letter."""
    content = _clean(notice)
    context = {"notice": content, "sender": sender, "said": _in(language)}
    context |= _dates(ZoneInfo(content["timezone"]), language)
    name = f"{language}/{content['kind']}.j2"
    plain = _environment("txt").get_template(name).make_module(context)
    rich = _environment("html").get_template(name).make_module(context)
    subject = str(vars(plain)["subject"])  # what the template has set
    page = _environment("html").get_template("page.html.j2")
    return Letter(
        subject=subject,
        text=re.sub(r"\n{3,}", "\n\n", str(plain)).strip() + "\n",
        html=page.render(language=language, subject=subject, body=rich, sender=sender) + "\n",
    )


@cache
def _environment(form: Literal["txt", "html"]) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=form == "html",
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["form"] = f"form.{form}.j2"
    environment.filters["money"] = _money
    environment.filters["words"] = _words
    return environment


def _words(codes: Sequence[str], words: Mapping[str, str]) -> list[str]:
    return [words[code] for code in codes]


def _money(amounts: Mapping[str, int]) -> str:
    return ", ".join(format_money(amounts[currency], currency) for currency in sorted(amounts))


def _in(language: Language) -> Callable[[Mapping[str, str]], str]:
    """A sentence that exists in several languages, in this one if there."""
    return lambda message: message.get(language) or next(iter(message.values()), "")


def _dates(zone: ZoneInfo, language: Language) -> dict[str, Any]:
    """``moment(instant)``: the minute; ``last_day(until)``: the day that ends at ``until``."""

    def date(at: datetime) -> str:
        if language == "zh":
            return f"{at.year}年{at.month}月{at.day}日"
        return f"{at.day} {_MONTHS[at.month - 1]} {at.year}"

    def moment(instant: str) -> str:
        at = parse_instant(instant).astimezone(zone)
        return f"{date(at)}{' ' if language == 'zh' else ', '}{at:%H:%M}"

    def last_day(until: str) -> str:
        return date((parse_instant(until) - timedelta(microseconds=1)).astimezone(zone))

    return {"moment": moment, "last_day": last_day}


def _clean(value: Any) -> Any:
    """The same data with every string on one line: no line breaks, no control or direction characters."""
    if isinstance(value, Mapping):
        return {key: _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    if isinstance(value, str):
        spaced = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in value)
        return " ".join(spaced.split())
    return value
