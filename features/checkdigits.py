"""Check digits of tracking numbers, over many numbers of one width at a time.

Every rule takes ``codes``, a ``uint8`` matrix of shape (numbers, width) with the ASCII codes of upper-case
letters and digits, the check character last (for S10: third from last), and returns a bool per number: True
where the check character is right. The caller guarantees the width and the kinds of characters by pattern.

Sources: UPU S10 (technical standard), USPS Publication 199, GS1 general specifications (mod 10, ×3),
ISO/IEC 7064 (mod 37, 36), and the carriers' published label guides.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

__all__ = ["CHECKS", "Check"]

Codes = npt.NDArray[np.uint8]
Check = Callable[[Codes], npt.NDArray[np.bool_]]

_S10_WEIGHTS = np.array([8, 6, 4, 2, 3, 5, 9, 7])
_FEDEX_WEIGHTS = np.array([3, 1, 7, 3, 1, 7, 3, 1, 7, 3, 1])
_ZERO, _NINE, _LETTER_A = ord("0"), ord("9"), ord("A")


def _digits(codes: Codes) -> npt.NDArray[np.int64]:
    return codes.astype(np.int64) - _ZERO


def _letters_as_digits(codes: Codes) -> npt.NDArray[np.int64]:
    """Digits as they are, a letter as (ASCII code − 3) mod 10, as UPS and OnTrac print it."""
    return np.where(codes <= _NINE, _digits(codes), (codes.astype(np.int64) - 3) % 10)


def _s10(codes: Codes) -> npt.NDArray[np.bool_]:
    digits = _digits(codes[:, 2:11])
    check = 11 - digits[:, :8] @ _S10_WEIGHTS % 11
    check = np.where(check == 10, 0, np.where(check == 11, 5, check))
    return np.asarray(check == digits[:, 8])


def _alternating(codes: Codes, from_right: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Mod 10 with two alternating weights, the first on the character left of the check digit."""
    values = _letters_as_digits(codes)
    weights = np.resize(np.array(from_right), values.shape[1] - 1)[::-1]
    return np.asarray((values[:, :-1] @ weights + values[:, -1]) % 10 == 0)


def _fedex12(codes: Codes) -> npt.NDArray[np.bool_]:
    digits = _digits(codes)
    return np.asarray(digits[:, :11] @ _FEDEX_WEIGHTS % 11 % 10 == digits[:, 11])


def _mod7(codes: Codes) -> npt.NDArray[np.bool_]:
    digits = _digits(codes)
    powers = 10 ** np.arange(digits.shape[1] - 2, -1, -1)
    return np.asarray(digits[:, :-1] @ powers % 7 == digits[:, -1])


def _mod37_36(codes: Codes) -> npt.NDArray[np.bool_]:
    values = np.where(codes <= _NINE, _digits(codes), codes.astype(np.int64) - _LETTER_A + 10)
    state = np.full(len(codes), 36)
    for column in values[:, :-1].T:
        state = state + column
        state = np.where(state > 36, state - 36, state) * 2
        state = np.where(state > 36, state - 37, state)
    return np.asarray((state + values[:, -1]) % 36 == 1)


CHECKS: dict[str, Check] = {
    "s10": _s10,
    "ups": lambda codes: _alternating(codes, (1, 2)),
    "mod10_2": lambda codes: _alternating(codes, (2, 1)),
    "mod10_3": lambda codes: _alternating(codes, (3, 1)),
    "fedex12": _fedex12,
    "mod7": _mod7,
    "mod37_36": _mod37_36,
}
"""Check-digit rule by the name that ``carriers.toml`` uses."""
