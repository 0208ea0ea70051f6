"""Texts as sets of character shingles: the same for every language, with or without spaces.

A text is reduced to its letters (width, case, digits, punctuation, emoji and invisible characters do not
count), cut into overlapping shingles and compared by the share of shingles in common. Everything runs on
flat arrays: one array of code points for all texts, one array of starts.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

__all__ = [
    "Letters",
    "document_frequency",
    "fingerprints",
    "frequency_bucket",
    "letters",
    "near_duplicates",
    "phrase_frequency",
    "exclusive_letters",
    "shingle_chunks",
    "text_lengths",
]

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]

SHINGLE_WIDTH = 4
PHRASE_WIDTH = 8
"""Letters of an alphabet; an ideograph or a syllable says about as much as two of them."""
FREQUENCY_BUCKETS = 1 << 20
_CHUNK_POINTS = 500_000
_CHUNK_TEXTS = 50_000
_SPOKESMEN = 40
_BINS = 64
_BANDS = 16
_BAND_WIDTH = 2
_EMPTY = np.uint32(0xFFFFFFFF)
_HIGH = np.uint64(0xFFFFFFFF00000000)
_HASH_BITS = np.uint64(40)
_HASH = np.uint64((1 << 40) - 1)
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
    for point in (*range(0xD800), *range(0xE000, 0x10000)):
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
        some = texts[begin : begin + _CHUNK_TEXTS].to_pylist()
        joined = "\0".join([(text or "").replace("\0", " ") for text in some]) + "\0"
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


def fingerprints(text: Letters) -> U64:
    """64-bit hash of each text's letters: equal texts, equal hash; 0 for an empty text."""
    result = np.zeros(len(text), dtype=np.uint64)
    for first, last, owner, points in _chunks(text):
        within = np.arange(len(points)) - (text.starts[:-1] - text.starts[first])[owner]
        salt = (within + 1).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        total = np.cumsum(_mix(points + salt), dtype=np.uint64)
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
        yield owner[fits], _mix(np.where(wide, half, value)[fits]), wide[fits]


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


def near_duplicates(
    text: Letters, common: npt.NDArray[np.bool_], similarities: tuple[float, ...]
) -> list[I64]:
    """Group texts whose uncommon shingles overlap, once for each of several ``similarities``.

    Parameters
    ----------
    text
        Distinct texts.
    common
        By ``frequency_bucket``: shingles that so many texts use that they say nothing.
    similarities
        Least share of the union of two texts' shingles that both hold (Jaccard, estimated), 0–1.

    Returns
    -------
    For each similarity an int64 array, one label per text; texts of one label are linked by a chain of
    similar pairs. A text without uncommon shingles is alone.

    Notes
    -----
    One-permutation MinHash with rotation densification (Shrivastava & Li 2014), banded; members of a
    bucket are compared with their neighbours in the order of the next band, so cost stays linear.
    """
    signature, filled = _signatures(text, common)
    left, right = _candidates(signature, filled)
    alike = _agreement(signature, filled, left, right)
    return [_chained(len(text), left[alike >= least], right[alike >= least]) for least in similarities]


def _chained(size: int, left: I64, right: I64) -> I64:
    links = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(size, size))
    return np.asarray(connected_components(links, directed=False)[1], dtype=np.int64)


def exclusive_letters(
    text: Letters, copies: I64, label: I64, frequency: npt.NDArray[np.int32]
) -> F64:
    """Per label, the letters that its texts share word for word and hardly anybody else writes.

    A phrase of eight letters (four ideographs) counts when at least half of the label's reviews hold it
    and they are at least half of all reviews that do; so neither a common saying nor two common
    sentences that happen to meet in one text count.

    Parameters
    ----------
    text, copies
        n distinct texts and how many reviews have each.
    label
        Group of each text, as ``near_duplicates`` gives it.
    frequency
        ``phrase_frequency`` of the same texts.

    Returns
    -------
    float64 array, one value per label; an ideograph counts 2.5. Of a label with many texts the first 40
    speak for all.
    """
    reviews = np.bincount(label, weights=copies)
    chosen = _spokesmen(label, np.flatnonzero(reviews[label] > 1))
    heard = np.bincount(label[chosen], weights=copies[chosen], minlength=len(reviews))
    phrase, uses = _phrases(text.take(chosen), copies[chosen], label[chosen])
    owner = (phrase >> _HASH_BITS).astype(np.int64)
    everywhere = frequency[((phrase & _HASH) >> np.uint64(16)).astype(np.int64)]
    shared = (2 * uses >= heard[owner]) & (everywhere <= 2 * reviews[owner])
    weight = np.where(phrase & np.uint64(1), 2.5, 1.0)
    return np.bincount(owner, weights=weight * shared, minlength=len(reviews))


def _spokesmen(label: I64, rows: I64) -> I64:
    """At most 40 of the ``rows`` of each label, ascending."""
    order = rows[np.argsort(label[rows], kind="stable")]
    rank = np.arange(len(order)) - np.searchsorted(label[order], label[order])
    return np.sort(order[rank < _SPOKESMEN])


def _phrases(text: Letters, copies: I64, label: I64) -> tuple[U64, I64]:
    """Distinct (label, phrase) as label and 40 bits of hash, and how many reviews of the label hold each."""
    keys, weights = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    for owner, value, wide in shingle_chunks(text, PHRASE_WIDTH):
        once = _distinct((owner.astype(np.uint64) << _HASH_BITS) | _short(value, wide))
        mine = (once >> _HASH_BITS).astype(np.int64)
        keys.append((label[mine].astype(np.uint64) << _HASH_BITS) | (once & _HASH))
        weights.append(copies[mine])
    key, weight = np.concatenate(keys), np.concatenate(weights)
    order = np.argsort(key)
    first = _firsts(key[order])
    return key[order][first], np.add.reduceat(weight[order], first) if len(first) else weight


def phrase_frequency(text: Letters, copies: I64) -> npt.NDArray[np.int32]:
    """Reviews that hold each phrase, by the upper 24 of its 40 hash bits."""
    count = np.zeros(1 << 24, dtype=np.int32)
    for owner, value, wide in shingle_chunks(text, PHRASE_WIDTH):
        np.add.at(count, (_short(value, wide) >> np.uint64(16)).astype(np.int64), copies[owner].astype(np.int32))
    return count


def _short(value: U64, wide: npt.NDArray[np.bool_]) -> U64:
    """Forty bits: 39 of the hash and, lowest, whether it is of ideographs."""
    return (value >> np.uint64(25) << np.uint64(1)) | wide


def _signatures(
    text: Letters, common: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.bool_]]:
    """Smallest hash per bin, (n, bins), and which bins of a text hold one."""
    flat = np.full(len(text) * _BINS, _EMPTY, dtype=np.uint32)
    for owner, value, _ in shingle_chunks(text):
        telling = ~common[frequency_bucket(value)]
        cell = owner[telling] * _BINS + (value[telling] >> np.uint64(36) & np.uint64(_BINS - 1)).astype(np.int64)
        np.minimum.at(flat, cell, (value[telling] & np.uint64(0xFFFFFFFE)).astype(np.uint32))
    signature = flat.reshape(len(text), _BINS)
    return signature, signature != _EMPTY


def _densified(signature: npt.NDArray[np.uint32], filled: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint32]:
    """One row per bin; an empty bin borrows the next filled bin's value, marked with how far that was."""
    own, full = np.ascontiguousarray(signature.T), np.ascontiguousarray(filled.T)
    dense = own.copy()
    near, hop = own[0].copy(), np.zeros(own.shape[1], np.uint32)
    for turn in range(2 * _BINS - 1, -1, -1):
        column = turn % _BINS
        np.copyto(near, own[column], where=full[column])
        hop += np.uint32(0x9E3779B1)
        hop[full[column]] = 0
        np.add(near, hop, out=dense[column])
    return dense


def _candidates(signature: npt.NDArray[np.uint32], filled: npt.NDArray[np.bool_]) -> tuple[I64, I64]:
    """Pairs that share a band of the signature, neighbours in the order of the band after it."""
    rows = np.flatnonzero(filled.any(axis=1))
    dense = _densified(signature[rows], filled[rows])
    bands = [_band(dense[b * _BAND_WIDTH : (b + 1) * _BAND_WIDTH]) for b in range(_BANDS)]
    found = [np.empty(0, np.int64)]
    for band, following in zip(bands, bands[1:] + bands[:1], strict=True):
        key = (band & _HIGH) | (following >> np.uint64(32))
        order = np.argsort(key)
        key = key[order] & _HIGH
        same = np.flatnonzero(key[1:] == key[:-1])
        left, right = rows[order[same]], rows[order[same + 1]]
        found.append(np.minimum(left, right) * len(signature) + np.maximum(left, right))
    pairs = _distinct(np.concatenate(found))
    return pairs // len(signature), pairs % len(signature)


def _distinct(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Sorted distinct values; numpy's own unique hashes integers, which is far slower here."""
    ordered = np.sort(values)
    return ordered[_firsts(ordered)]


def _firsts(ordered: npt.NDArray[Any]) -> I64:
    """Where each run of equal values begins."""
    return np.flatnonzero(np.diff(ordered, prepend=~ordered[:1]))


def _band(bins: npt.NDArray[np.uint32]) -> U64:
    """One hash of several bins per text."""
    key = np.zeros(bins.shape[1], dtype=np.uint64)
    for row in bins:
        key = _mix(key + row)
    return key


def _agreement(
    signature: npt.NDArray[np.uint32], filled: npt.NDArray[np.bool_], left: I64, right: I64
) -> F64:
    """Estimated Jaccard similarity of each pair: equal bins over bins that either text fills."""
    share = np.empty(len(left), dtype=np.float64)
    short = (signature >> np.uint32(8)).astype(np.uint8)
    for begin in range(0, len(left), 200_000):
        a, b = left[begin : begin + 200_000], right[begin : begin + 200_000]
        either = filled[a] | filled[b]
        equal = (short[a] == short[b]) & either
        share[begin : begin + len(a)] = equal.sum(axis=1) / np.maximum(either.sum(axis=1), 1)
    return share


def _is_ideograph(points: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Ideographs, kana and Hangul syllables."""
    basic = ((points >= 0x2E80) & (points <= 0xA4CF)) | ((points >= 0xAC00) & (points <= 0xD7AF))
    return np.asarray(basic | ((points >= 0xF900) & (points <= 0xFAFF)) | (points >= 0x20000))


def _mix(value: U64) -> U64:
    """Finaliser of splitmix64: spreads every input bit over all output bits."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def _starts(length: npt.NDArray[Any]) -> I64:
    return np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
