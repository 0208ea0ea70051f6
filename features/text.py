"""Texts as sets of character shingles: the same for every language, with or without spaces.

A text is reduced to its letters (width, case, digits, punctuation, emoji and invisible characters do not
count) and cut into overlapping shingles. Everything runs on flat arrays: one array of code points for all
texts, one array of starts.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "Letters",
    "distinct",
    "document_frequency",
    "fingerprints",
    "firsts",
    "frequency_bucket",
    "letters",
    "mix",
    "scripts",
    "shingle_chunks",
    "text_lengths",
]

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]

SHINGLE_WIDTH = 4
"""Letters of an alphabet; an ideograph or a syllable says about as much as two of them."""
FREQUENCY_BUCKETS = 1 << 20
_CHUNK_POINTS = 500_000
_CHUNK_TEXTS = 50_000
_PLAIN_LETTERS = (slice(0x3400, 0x4DC0), slice(0x4E00, 0xA000), slice(0xAC00, 0xD7A4))
"""Ideographs and Hangul syllables: letters in their only form."""
_STEP = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Letters:
    """The letters of n texts: ``points`` uint32 of all texts end to end, ``starts`` int64 of length n + 1."""

    points: npt.NDArray[np.uint32]
    starts: I64

    def __len__(self) -> int:
        return len(self.starts) - 1

    def take(self, index: I64) -> Letters:
        """The texts at ``index``, in that order."""
        length = np.diff(self.starts)[index]
        starts = _starts(length)
        within = np.arange(starts[-1]) - np.repeat(starts[:-1], length)
        return Letters(self.points[np.repeat(self.starts[:-1][index], length) + within], starts)


@cache
def _folding() -> npt.NDArray[np.uint32]:
    """For each code point of the basic plane its compatible lower-case letter or mark, 0 for anything else."""
    fold = np.zeros(0x10000, dtype=np.uint32)
    for block in _PLAIN_LETTERS:
        fold[block] = np.arange(block.start, block.stop)
    for point in (*range(0x3400), *range(0xA000, 0xAC00), *range(0xF900, 0x10000)):
        form = unicodedata.normalize("NFKC", chr(point)).lower()
        letter = form if len(form) == 1 else chr(point)
        if unicodedata.category(letter)[0] in "LM":
            fold[point] = ord(letter)
    return fold


def letters(texts: Any) -> Letters:
    """The letters of an Arrow string array (null = no letters).

    >>> import pyarrow as pa
    >>> bytes(letters(pa.array(["Ｇood, 100%!", None, "很好👍"])).points.astype("<u4")).decode("utf-32-le")
    'good很好'
    """
    pieces, counts = [np.empty(0, np.uint32)], [np.zeros(1, np.int64)]
    for begin in range(0, len(texts), _CHUNK_TEXTS):
        some = [text or "" for text in texts[begin : begin + _CHUNK_TEXTS].to_pylist()]
        joined = "\0".join(some) + "\0"
        if joined.count("\0") != len(some):
            joined = "\0".join([text.replace("\0", " ") for text in some]) + "\0"
        raw = np.frombuffer(joined.encode("utf-32-le", "replace"), dtype="<u4")
        folded = np.take(_folding(), raw, mode="clip")
        rare = np.flatnonzero(raw > 0xFFFF)
        folded[rare] = np.where((raw[rare] >= 0x20000) & (raw[rare] < 0x40000), raw[rare], 0)
        kept = np.flatnonzero(folded)
        pieces.append(folded[kept])
        counts.append(np.diff(np.searchsorted(kept, np.flatnonzero(raw == 0)), prepend=0))
    return Letters(np.concatenate(pieces), np.cumsum(np.concatenate(counts)))


def text_lengths(text: Letters) -> F64:
    """Length of each text in letters of an alphabet; an ideograph counts as two and a half."""
    weight = np.where(_is_ideograph(text.points), 2.5, 1.0)
    return np.diff(np.concatenate([[0.0], np.cumsum(weight)])[text.starts])


def scripts(text: Letters) -> I64:
    """Writing system of each text, by its middle letter: 0 Latin, 1 ideographs, kana and Hangul, else a block.

    Languages of one script are told apart by where they are spoken; an empty text counts as Latin.
    """
    length = np.diff(text.starts)
    middle = np.minimum(text.starts[:-1] + length // 2, max(len(text.points) - 1, 0))
    point = text.points[middle].astype(np.int64) if len(text.points) else np.zeros(len(text), np.int64)
    latin = (point < 0x370) | ((point >= 0x1E00) & (point < 0x1F00)) | (length == 0)
    return np.where(latin, 0, np.where(_is_ideograph(point), 1, point >> 8))


def fingerprints(text: Letters) -> U64:
    """64-bit hash of each text's letters: equal texts, equal hash; 0 for an empty text."""
    result = np.zeros(len(text), dtype=np.uint64)
    for first, last, owner, points in _chunks(text):
        within = np.arange(len(points)) - (text.starts[:-1] - text.starts[first])[owner]
        salt = (within + 1).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        total = np.cumsum(mix(points + salt), dtype=np.uint64)
        bounds = text.starts[first : last + 1] - text.starts[first]
        result[first:last] = np.diff(np.concatenate([np.zeros(1, np.uint64), total])[bounds])
    return result


def shingle_chunks(
    text: Letters, width: int = SHINGLE_WIDTH
) -> Iterator[tuple[I64, U64, npt.NDArray[np.bool_]]]:
    """Shingles of all texts in chunks of whole texts: owner (text number), hash, is an ideograph shingle.

    A shingle is ``width`` letters, or half as many ideographs; a text shorter than one has none.
    """
    for first, _, owner, points in _chunks(text):
        left = text.starts[owner + 1] - text.starts[first] - np.arange(len(points))
        padded = np.concatenate([points, np.zeros(width, np.uint64)])
        wide = _is_ideograph(points)
        value = np.zeros(len(points), dtype=np.uint64)
        for step in range(width):
            value = value * _STEP + padded[step : len(points) + step]
            if 2 * (step + 1) == width:
                half = value
        fits = left >= np.where(wide, width // 2, width)
        yield owner[fits], mix(np.where(wide, half, value)[fits]), wide[fits]


def _chunks(text: Letters) -> Iterator[tuple[int, int, I64, U64]]:
    """Whole texts by the chunk, small enough for the cache: first, last, owner of each letter, letters."""
    first = 0
    while first < len(text):
        last = int(np.searchsorted(text.starts, text.starts[first] + _CHUNK_POINTS, side="right")) - 1
        last = min(max(last, first + 1), len(text))
        owner = np.repeat(np.arange(first, last), np.diff(text.starts[first : last + 1]))
        yield first, last, owner, text.points[text.starts[first] : text.starts[last]].astype(np.uint64)
        first = last


def document_frequency(text: Letters) -> npt.NDArray[np.int64]:
    """How often each hashed shingle occurs over all texts, by ``frequency_bucket``."""
    count = np.zeros(FREQUENCY_BUCKETS, dtype=np.int64)
    for _, value, _ in shingle_chunks(text):
        count += np.bincount(frequency_bucket(value), minlength=FREQUENCY_BUCKETS)
    return count


def frequency_bucket(value: U64) -> I64:
    """The counter of a shingle hash."""
    return (value >> np.uint64(44)).astype(np.int64)


def _is_ideograph(points: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Ideographs, kana and Hangul syllables."""
    basic = ((points >= 0x2E80) & (points <= 0xA4CF)) | ((points >= 0xAC00) & (points <= 0xD7AF))
    return np.asarray(basic | ((points >= 0xF900) & (points <= 0xFAFF)) | (points >= 0x20000))


def mix(value: U64) -> U64:
    """Finaliser of splitmix64: spreads every input bit over all output bits."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def distinct(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Sorted distinct values; numpy's own unique hashes integers, which is far slower here."""
    ordered = np.sort(values)
    return ordered[firsts(ordered)]


def firsts(ordered: npt.NDArray[Any]) -> I64:
    """Where each run of equal values begins."""
    return np.flatnonzero(np.diff(ordered, prepend=~ordered[:1]))


def _starts(length: npt.NDArray[Any]) -> I64:
    return np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
