"""What a text talks about: votes of its shingles for the product categories they belong to.

A shingle belongs to a category when most of its uses, in titles and reviews, are in that category, at
odds far above those of the category's size. No word list and no language model: the market's own
texts are the dictionary.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.text import F64, I64, SHINGLE_WIDTH, U64, Letters, shingle_chunks

__all__ = ["CategoryVotes", "category_votes"]

MAX_CATEGORIES = 64
_BUCKETS = 1 << 17
_MIN_USES = 8
_MIN_SHARE = 0.5
_MIN_ODDS = 8.0
_MAX_BITS = 6.0


@dataclass(frozen=True, slots=True)
class CategoryVotes:
    """Bits of evidence per text: ``own`` for its own category, ``foreign`` for the best other one.

    float64 arrays; both 0 for a text that names nothing, and for a text of a category not judged.
    """

    own: F64
    foreign: F64


def category_votes(
    texts: Letters, category: I64, copies: I64, titles: Letters, title_category: I64
) -> CategoryVotes:
    """Weigh each text's shingles for its own category against the strongest other category.

    Parameters
    ----------
    texts, category, copies
        n distinct texts (of one language area), the category number of each (-1 = unknown), and how many
        reviews of that category have it.
    titles, title_category
        Product titles and theirs, of the same numbering.

    Notes
    -----
    Only the 64 categories with most texts are judged. Overlapping shingles repeat each other, so their
    bits are divided by the shingle's width.
    """
    dense = _largest(category, title_category)
    own, owner = _fold(category, dense), _fold(title_category, dense)
    belongs, bits = _lexicon(((titles, owner, np.ones(len(titles), np.int64)), (texts, own, copies)))
    result = CategoryVotes(np.zeros(len(texts)), np.zeros(len(texts)))
    for first, last, votes in _votes(texts, belongs, bits):
        mine = own[first:last]
        row = np.arange(last - first)
        result.own[first:last] = np.where(mine >= 0, votes[row, mine], 0.0)
        votes[row[mine >= 0], mine[mine >= 0]] = 0.0
        result.foreign[first:last] = np.where(mine >= 0, votes.max(axis=1, initial=0.0), 0.0)
    return result


def _largest(*numberings: I64) -> I64:
    """The category numbers that are judged, ascending."""
    every = np.concatenate(numberings)
    count = np.bincount(every[every >= 0])
    largest = np.argsort(-count, kind="stable")[:MAX_CATEGORIES]
    return np.sort(largest[count[largest] > 0])


def _fold(category: I64, kept: I64) -> I64:
    """Position of each category among those kept, -1 elsewhere."""
    if not len(kept):
        return np.full(len(category), -1, dtype=np.int64)
    at = np.minimum(np.searchsorted(kept, category), len(kept) - 1)
    return np.where(kept[at] == category, at, -1)


def _lexicon(
    sources: tuple[tuple[Letters, I64, I64], ...],
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Per shingle bucket: the category it belongs to and how many bits that says (0 where to none)."""
    uses = np.zeros(_BUCKETS * MAX_CATEGORIES, dtype=np.int32)
    for text, category, copies in sources:
        for owner, value, _ in shingle_chunks(text):
            known = category[owner] >= 0
            cell = _bucket(value[known]) * MAX_CATEGORIES + category[owner[known]]
            np.add.at(uses, cell, copies[owner[known]].astype(np.int32))
    table = uses.reshape(_BUCKETS, MAX_CATEGORIES)
    total, size = table.sum(axis=1), table.sum(axis=0)
    belongs = table.argmax(axis=1)
    share = (table[np.arange(_BUCKETS), belongs] + 0.5) / (total + 1.0)
    usual = (size[belongs] + 0.5) / (size.sum() + 1.0)
    odds = share / (1.0 - share) * (1.0 - usual) / usual
    telling = (total >= _MIN_USES) & (share >= _MIN_SHARE) & (odds >= _MIN_ODDS)
    bits = np.where(telling, np.minimum(np.log2(np.maximum(odds, 1.0)), _MAX_BITS), 0.0)
    return belongs.astype(np.int8), bits.astype(np.float32)


def _votes(
    texts: Letters, belongs: npt.NDArray[np.int8], bits: npt.NDArray[np.float32]
) -> Iterator[tuple[int, int, F64]]:
    """Chunks of texts with their bits per category, shape (last - first, 64)."""
    first = 0
    for owner, value, _ in shingle_chunks(texts):
        last = int(owner[-1]) + 1 if len(owner) else first
        bucket = _bucket(value)
        telling = np.flatnonzero(bits[bucket] > 0)
        bucket, owner = bucket[telling], owner[telling]
        cell = (owner - first) * MAX_CATEGORIES + belongs[bucket]
        count = np.bincount(cell, weights=bits[bucket], minlength=(last - first) * MAX_CATEGORIES)
        yield first, last, count.reshape(last - first, MAX_CATEGORIES) / SHINGLE_WIDTH
        first = last


def _bucket(value: U64) -> I64:
    return (value >> np.uint64(47)).astype(np.int64)
