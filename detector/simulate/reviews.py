"""What buyers write, and what they are paid to write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detector.simulate.draft import Review
from detector.simulate.frame import DAY, HOUR, Array
from detector.simulate.geo import words
from detector.simulate.life import Life
from detector.simulate.text import choose
from detector.simulate.world import World

__all__ = ["ReviewRows", "product_nouns", "write_reviews"]

_RING_LANGUAGES = ("en", "zh", "id")
_PAID = (Review.RING, Review.EARLY, Review.WRONG, Review.SHORT)


@dataclass(slots=True)
class ReviewRows:
    """One row per review; ``text`` is null where only stars were given."""

    order: Array
    at: Array
    rating: Array
    text: pa.StringArray


def product_nouns(language: str) -> list[str]:
    """The product words by noun position, in a language (English where it has no translation)."""
    nouns = [noun for category in words()["category"] for noun in category["nouns"]]
    return [words()["translations"][noun].get(language, noun) for noun in nouns]


def write_reviews(world: World, life: Life) -> ReviewRows:
    """Reviews known at the export: one order in four or so, most of them short and content."""
    orders, rng, n = world.orders, world.rng("reviews"), len(world.orders)
    mode = orders["review"]
    paid = np.isin(mode, _PAID)
    moment = np.where(life.arrived >= 0, life.arrived, life.completed)
    arrived = np.where(life.delivered >= 0, life.delivered, moment)
    rate = np.where(paid, 0.9, np.where(mode == Review.FAN, 0.7, 0.26))
    keen = (mode != Review.NONE) & (rng.random(n) < rate) & (life.cancelled < 0)
    keen &= (arrived >= 0) | ((mode == Review.EARLY) & (life.paid >= 0))
    rows = np.flatnonzero(keen)
    delay = (rng.gamma(1.1, 2.2, len(rows)) * DAY).astype(np.int64) + rng.integers(1, 3, len(rows)) * HOUR
    hasty = life.paid[rows] + (rng.uniform(1, 40, len(rows)) * HOUR).astype(np.int64)
    at = np.where(mode[rows] == Review.EARLY, hasty, arrived[rows] + delay)
    rating = _ratings(rng, life, rows, paid[rows] | (mode[rows] == Review.FAN))
    known = (at >= 0) & (at < world.params.end)
    rows, at, rating = rows[known], at[known], rating[known]
    return ReviewRows(rows, at, rating, _texts(rng, world, rows, rating))


def _ratings(rng: np.random.Generator, life: Life, rows: Array, praise: Array) -> Array:
    natural = rng.choice([1, 2, 3, 4, 5], len(rows), p=[0.06, 0.03, 0.06, 0.15, 0.70])
    sour = life.refunded[rows] >= 0
    natural = np.where(sour & (rng.random(len(rows)) < 0.7), rng.integers(1, 4, len(rows)), natural)
    return np.where(praise, np.where(rng.random(len(rows)) < 0.93, 5, 4), natural)


def _texts(rng: np.random.Generator, world: World, rows: Array, rating: Array) -> pa.StringArray:
    """Each review in its buyer's language; one in ten in English, one in seven without words."""
    orders, geo = world.orders, world.geo
    country = world.buyers["country"][orders["buyer"][rows]]
    languages = sorted(words()["reviews"])
    language = np.array([languages.index(name) for name in geo.languages])[country]
    language = np.where(rng.random(len(rows)) < 0.1, languages.index("en"), language)
    mode = orders["review"][rows]
    ringed = np.isin(mode, (Review.RING, Review.EARLY, Review.WRONG)) & (orders["script"][rows] >= 0)
    shop = orders["seller"][rows].astype(np.int64)
    noun = world.products["noun"][orders["product"][rows]].astype(np.int64)
    pieces: list[pa.Array] = []
    positions: list[Array] = []
    for code, name in enumerate(languages):
        at = np.flatnonzero((language == code) & ~ringed)
        if len(at):
            text = _honest(rng, name, noun[at], rating[at], mode[at] == Review.SHORT)
            pieces.append(pc.if_else(pa.array(mode[at] == Review.FAN), _fan_words(rng, name, shop[at]), text))
            positions.append(at)
    for row in np.flatnonzero(ringed):
        pieces.append(_scripted(rng, world, int(orders["script"][rows[row]]), int(mode[row]), int(noun[row])))
        positions.append(np.array([row]))
    if not pieces:
        return pa.array([], pa.string())
    back = np.argsort(np.concatenate(positions), kind="stable")
    return pa.concat_arrays(pieces).take(pa.array(back))


def _honest(rng: np.random.Generator, language: str, noun: Array, rating: Array, short: Array) -> pa.Array:
    """Short praise, or an opening sentence about the thing and perhaps one or two details."""
    pool: dict[str, Any] = words()["reviews"][language]
    n, style = len(noun), rng.random(len(noun))
    name = choose(product_nouns(language), noun)
    brief = choose(pool["short"], (rng.random(n) ** 1.5 * len(pool["short"])).astype(np.int64))
    opening = choose(pool["opening"], rng.integers(0, len(pool["opening"]), n))
    bad = choose(pool["bad"], rng.integers(0, len(pool["bad"]), n))
    lead = pc.if_else(pa.array(rating <= 2), bad, opening)
    first = choose(pool["detail"], rng.integers(0, len(pool["detail"]), n))
    second = choose(pool["detail"], rng.integers(0, len(pool["detail"]), n))
    lead = _named(lead, name)
    blank = "" if language in ("zh", "ja") else " "
    longer = pc.binary_join_element_wise(lead, first, blank)
    longest = pc.binary_join_element_wise(longer, second, blank)
    text = pc.if_else(pa.array(style < 0.62), lead, pc.if_else(pa.array(style < 0.88), longer, longest))
    text = pc.if_else(pa.array((style < 0.42) & (rating > 2) | short), brief, text)
    silent = (rng.random(n) < 0.14) & ~short
    return pc.if_else(pa.array(silent), pa.scalar(None, pa.string()), text)


def _fan_words(rng: np.random.Generator, language: str, shop: Array) -> pa.Array:
    """What a community says: one of three short phrases of its own, with hearts."""
    phrases = words()["reviews"][language]["short"]
    own = (shop + rng.integers(0, 3, len(shop))) % len(phrases)
    return pc.binary_join_element_wise(choose(phrases, own), choose((" ❤️", "❤️❤️❤️"), shop % 2), "")


def _named(text: pa.Array, name: pa.Array) -> pa.Array:
    """Put each name where its sentence has a brace pair."""
    halves = pc.split_pattern(text, "{}", max_splits=1)
    has = pc.greater(pc.list_value_length(halves), 1)
    whole = pc.list_element(halves, 0)
    tail = pc.struct_field(pc.extract_regex(text, r"\{\}(?P<tail>(?s:.*))$"), "tail")
    filled = pc.binary_join_element_wise(whole, name, pc.fill_null(tail, ""), "")
    return pc.if_else(has, filled, text)


def _scripted(rng: np.random.Generator, world: World, script: int, mode: int, noun: int) -> pa.Array:
    """A ring's template with its slots filled anew; half the rings use one template only."""
    language = _RING_LANGUAGES[script % 3]
    templates, slots = words()["ring_reviews"][language], words()["ring_slots"][language]
    only = script % 2 == 0
    template = templates[script % len(templates)] if only else templates[int(rng.integers(len(templates)))]
    thing = (noun + 7) % len(product_nouns("en")) if mode == Review.WRONG else noun
    filled = template.replace("{a}", product_nouns(language)[thing])
    for slot, options in slots.items():
        filled = filled.replace("{" + slot + "}", options[int(rng.integers(len(options)))])
    return pa.array([filled], pa.string())
