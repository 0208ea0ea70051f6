"""What each review's text is: how much it says, which others say the same, what it talks about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd

from features.near_duplicates import near_duplicates
from features.phrases import exclusive_letters, phrase_frequency
from features.text import (
    F64,
    I64,
    U64,
    Letters,
    document_frequency,
    fingerprints,
    firsts,
    frequency_bucket,
    letters,
    scripts,
    shingle_chunks,
    text_lengths,
)
from features.topics import category_votes

__all__ = ["describe_texts"]

LEVELS = {"exact": 1.0, "close": 0.6, "near": 0.4, "loose": 0.25}
"""Groups of texts, by the share of all uncommon shingles of two texts that both hold: the same letters, a
few words changed, a template reworded, a template reworded thoroughly."""
COMMON_SHARE = 0.05
COMMON_AT_LEAST = 100
MIN_TEXTS_OF_AREA = 200
"""With fewer texts in one currency area, no dictionary of its categories can be learnt."""
MIN_TOPIC_BITS = 3.0
_FILTER_BITS = 26
_SCRIPTS = 1 << 13


@dataclass(frozen=True, slots=True)
class _Corpus:
    """Reviews as rows: the distinct text each holds, and the texts themselves."""

    text_of: I64
    distinct: Letters
    common: npt.NDArray[np.bool_]


def describe_texts(con: duckdb.DuckDBPyConnection) -> None:
    """Create ``review_text`` from ``review_row`` (r, text, area, product, category) and ``review_title``.

    Columns: ``r``; ``tongue`` (currency area and script: who can be expected to write alike);
    ``text_letters`` (length in letters, an ideograph counts 2.5); ``telling_letters`` (letters that neither
    half the market nor the product's own title says); for each of ``LEVELS`` the group of texts
    ``{level}_id`` (-1 without letters) and ``{level}_core`` (letters that half of the group shares word for
    word and hardly anybody else writes); ``topic_bits`` (evidence for another category minus that for its
    own; NULL where the text names no category).
    """
    rows = con.sql("SELECT text, area, product, category FROM review_row ORDER BY r").to_arrow_table()
    every = letters(rows.column("text").combine_chunks())
    corpus = _corpus(every)
    area, product, category = (_column(rows, name) for name in ("area", "product", "category"))
    tongue = area * _SCRIPTS + scripts(every)
    bits = _topic_bits(con, corpus, area, category)
    groups = _groups(corpus)
    repeated = np.bincount(groups["loose_id"], minlength=1)[groups["loose_id"]] > 1
    telling, says_title = _beyond_title(con, corpus, product, repeated | (bits > 0))
    empty = np.diff(every.starts) == 0
    result = pd.DataFrame(
        {"r": np.arange(len(every)), "tongue": tongue, "text_letters": text_lengths(every)} | groups
    )
    result.loc[empty, [f"{level}_id" for level in LEVELS]] = -1
    result["telling_letters"] = telling
    result["exact_core"] = np.minimum(result["exact_core"], telling)
    result["topic_bits"] = np.where(says_title & (bits > 0), 0.0, bits)
    con.register("review_text_values", result)
    con.execute(
        "CREATE OR REPLACE TEMP TABLE review_text AS SELECT * REPLACE "
        "(CASE WHEN isnan(topic_bits) THEN NULL ELSE topic_bits END AS topic_bits) FROM review_text_values"
    )
    con.unregister("review_text_values")


def _groups(corpus: _Corpus) -> dict[str, npt.NDArray[Any]]:
    """Per review and level, the group of its text and the letters that are the group's own."""
    copies = np.bincount(corpus.text_of)
    similar = near_duplicates(corpus.distinct, corpus.common, tuple(LEVELS.values())[1:])
    frequency = phrase_frequency(corpus.distinct, copies)
    result: dict[str, npt.NDArray[Any]] = {}
    for level, label in zip(LEVELS, [np.arange(len(copies)), *similar], strict=True):
        result[f"{level}_id"] = label[corpus.text_of]
        core = exclusive_letters(corpus.distinct, copies, label, frequency)
        result[f"{level}_core"] = core[label][corpus.text_of]
    return result


def _column(rows: Any, name: str) -> I64:
    """An integer column, null as -1."""
    return np.asarray(rows.column(name).fill_null(-1).to_numpy(), dtype=np.int64)


def _corpus(every: Letters) -> _Corpus:
    """Number the distinct texts in the order they first appear."""
    mark = fingerprints(every)
    order = np.argsort(mark, kind="stable")
    new = firsts(mark[order])
    group = np.zeros(len(mark), dtype=np.int64)
    group[new[1:]] = 1
    text_of = np.empty(len(mark), dtype=np.int64)
    text_of[order] = np.cumsum(group)
    distinct = every.take(order[new])
    common = document_frequency(distinct) > max(COMMON_AT_LEAST, COMMON_SHARE * len(distinct))
    return _Corpus(text_of, distinct, common)


def _topic_bits(con: duckdb.DuckDBPyConnection, corpus: _Corpus, area: I64, category: I64) -> F64:
    """Foreign minus own category evidence per review, NaN where there is too little of both."""
    titles = con.sql("SELECT title, area, category FROM review_title ORDER BY area, product").to_arrow_table()
    title_letters = letters(titles.column("title").combine_chunks())
    title_area, title_category = _column(titles, "area"), _column(titles, "category")
    bits = np.full(len(area), np.nan)
    base = category.max(initial=0) + 1
    for one in np.flatnonzero(np.bincount(area[area >= 0], minlength=1) >= MIN_TEXTS_OF_AREA):
        rows = np.flatnonzero((area == one) & (category >= 0))
        key = corpus.text_of[rows] * base + category[rows]
        pair, inverse, copies = np.unique(key, return_inverse=True, return_counts=True)
        sold = np.flatnonzero(title_area == one)
        votes = category_votes(
            corpus.distinct.take(pair // base),
            pair % base,
            copies,
            title_letters.take(sold),
            title_category[sold],
        )
        known = np.maximum(votes.own, votes.foreign) >= MIN_TOPIC_BITS
        bits[rows] = np.where(known, votes.foreign - votes.own, np.nan)[inverse]
    return bits


def _beyond_title(
    con: duckdb.DuckDBPyConnection, corpus: _Corpus, product: I64, asked: npt.NDArray[np.bool_]
) -> tuple[F64, npt.NDArray[np.bool_]]:
    """Letters of each review that are uncommon and not in the product's title; and whether a word of it is.

    Only the rows ``asked`` for are compared with their title, through a bit table that errs by calling
    a shingle part of the title in a few percent of cases, the innocent side.
    """
    plain = _telling(corpus.distinct, corpus.common)
    telling, in_title = plain[corpus.text_of], np.zeros(len(product), dtype=np.bool_)
    rows = np.flatnonzero(asked & (product >= 0))
    titles = con.sql("SELECT DISTINCT product, title FROM review_title ORDER BY product").to_arrow_table()
    said = np.zeros(1 << _FILTER_BITS, dtype=np.bool_)
    title_product = _column(titles, "product")
    for owner, value, _ in shingle_chunks(letters(titles.column("title").combine_chunks())):
        said[_title_cell(value, title_product[owner])] = True
    texts = corpus.distinct.take(corpus.text_of[rows])
    begin = np.zeros(len(rows))
    own = np.zeros(len(rows))
    for owner, value, wide in shingle_chunks(texts):
        weight = np.where(corpus.common[frequency_bucket(value)], 0.0, np.where(wide, 2.5, 1.0))
        named = said[_title_cell(value, product[rows][owner])]
        begin += np.bincount(owner, weights=np.where(named, 0.0, weight), minlength=len(rows))
        own += np.bincount(owner, weights=np.where(named, weight, 0.0), minlength=len(rows))
    telling[rows] = begin
    in_title[rows] = own >= 2
    return telling, in_title


def _telling(texts: Letters, common: npt.NDArray[np.bool_]) -> F64:
    """Letters of each text that are in uncommon shingles."""
    total = np.zeros(len(texts))
    for owner, value, wide in shingle_chunks(texts):
        weight = np.where(common[frequency_bucket(value)], 0.0, np.where(wide, 2.5, 1.0))
        total += np.bincount(owner, weights=weight, minlength=len(texts))
    return total


def _title_cell(value: U64, product: I64) -> I64:
    """Where the bit table says whether a product's title holds a shingle."""
    mixed = (value ^ product.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) * np.uint64(
        0xC2B2AE3D27D4EB4F
    )
    return (mixed >> np.uint64(64 - _FILTER_BITS)).astype(np.int64)
