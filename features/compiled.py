"""Loops over numbers as machine code, where a handful of orders would cost hundreds of array calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

__all__ = ["compiled"]

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """The function as machine code: of numbers, arrays and tuples of them, one loop over all.

    It is compiled when it is first called with arguments of those types, which takes seconds, and kept in the
    ``__pycache__`` beside its module, or in ``NUMBA_CACHE_DIR``. It runs without the interpreter's lock; sums
    are made in the order that is written, and a division by zero gives what numpy's gives.

    What is kept is renewed when the function's own file changes, and holds what it read beside its arguments:
    hand in what another module defines, and keep functions that call each other in one module.
    """
    return cast(F, njit(cache=True, nogil=True, error_model="numpy")(function))
