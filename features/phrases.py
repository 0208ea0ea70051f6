"""Phrases that a group of texts has in common and hardly anybody else writes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from features.text import F64, I64, U64, Letters, distinct, firsts, shingle_chunks

__all__ = ["exclusive_letters", "phrase_frequency"]

PHRASE_WIDTH = 8
"""Letters of an alphabet, or half as many ideographs."""
_SPOKESMEN = 40
_HASH_BITS = np.uint64(40)
_HASH = np.uint64((1 << 40) - 1)


def exclusive_letters(text: Letters, copies: I64, label: I64, frequency: npt.NDArray[np.int32]) -> F64:
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
    return np.asarray(np.bincount(owner, weights=weight * shared, minlength=len(reviews)), dtype=np.float64)


def _spokesmen(label: I64, rows: I64) -> I64:
    """At most 40 of the ``rows`` of each label, ascending."""
    order = rows[np.argsort(label[rows], kind="stable")]
    rank = np.arange(len(order)) - np.searchsorted(label[order], label[order])
    return np.sort(order[rank < _SPOKESMEN])


def phrase_frequency(text: Letters, copies: I64) -> npt.NDArray[np.int32]:
    """Reviews that hold each phrase, by the upper 24 of its 40 hash bits."""
    count = np.zeros(1 << 24, dtype=np.int32)
    for owner, value, wide in shingle_chunks(text, PHRASE_WIDTH):
        np.add.at(
            count, (_short(value, wide) >> np.uint64(16)).astype(np.int64), copies[owner].astype(np.int32)
        )
    return count


def _phrases(text: Letters, copies: I64, label: I64) -> tuple[U64, I64]:
    """Distinct (label, phrase) as label and 40 bits of hash, and how many reviews of the label hold each."""
    keys, weights = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    for owner, value, wide in shingle_chunks(text, PHRASE_WIDTH):
        once = distinct((owner.astype(np.uint64) << _HASH_BITS) | _short(value, wide))
        mine = (once >> _HASH_BITS).astype(np.int64)
        keys.append((label[mine].astype(np.uint64) << _HASH_BITS) | (once & _HASH))
        weights.append(copies[mine])
    key, weight = np.concatenate(keys), np.concatenate(weights)
    order = np.argsort(key)
    first = firsts(key[order])
    return key[order][first], np.add.reduceat(weight[order], first) if len(first) else weight


def _short(value: U64, wide: npt.NDArray[np.bool_]) -> U64:
    """Forty bits: 39 of the hash and, lowest, whether it is of ideographs."""
    return (value >> np.uint64(25) << np.uint64(1)) | wide
