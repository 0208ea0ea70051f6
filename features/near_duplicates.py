"""Which texts are nearly the same: MinHash signatures, banded, chained (any language, linear cost)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from features.text import F64, I64, U64, Letters, distinct, frequency_bucket, mix, shingle_chunks

__all__ = ["near_duplicates"]

_BINS = 64
_BANDS = 16
_BAND_WIDTH = 2
_EMPTY = np.uint32(0xFFFFFFFF)
_HIGH = np.uint64(0xFFFFFFFF00000000)


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


def _signatures(
    text: Letters, common: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.bool_]]:
    """Smallest hash per bin, (n, bins), and which bins of a text hold one."""
    flat = np.full(len(text) * _BINS, _EMPTY, dtype=np.uint32)
    for owner, value, _ in shingle_chunks(text):
        telling = ~common[frequency_bucket(value)]
        cell = owner[telling] * _BINS + (value[telling] >> np.uint64(36) & np.uint64(_BINS - 1)).astype(
            np.int64
        )
        np.minimum.at(flat, cell, (value[telling] & np.uint64(0xFFFFFFFE)).astype(np.uint32))
    signature = flat.reshape(len(text), _BINS)
    return signature, signature != _EMPTY


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
    pairs = distinct(np.concatenate(found))
    return pairs // len(signature), pairs % len(signature)


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


def _band(bins: npt.NDArray[np.uint32]) -> U64:
    """One hash of several bins per text."""
    key = np.zeros(bins.shape[1], dtype=np.uint64)
    for row in bins:
        key = mix(key + row)
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
