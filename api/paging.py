"""Pages of a list: a limit, and an opaque cursor that says after which element the next page begins."""

from __future__ import annotations

import base64
import json
from typing import Annotated, Any

from fastapi import Depends, Query

from api.refusals import CursorRefused

__all__ = ["After", "Limit", "cursor_after"]

MAX_LIMIT = 200

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Elements on one page.")]
"""Parameter ``limit``; give it a default, ``limit: Limit = 50``."""


def cursor_after(*position: str | int) -> str:
    """The cursor of the page after the element with this sort key.

    >>> cursor_after(1714567500000000, "d1")
    'WzE3MTQ1Njc1MDAwMDAwMDAsImQxIl0'
    """
    text = json.dumps(position, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _position(
    cursor: Annotated[
        str | None, Query(max_length=2000, description="next_cursor of the page before; none for the first.")
    ] = None,
) -> tuple[Any, ...] | None:
    if cursor is None:
        return None
    try:
        position = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True))
    except ValueError:
        raise CursorRefused from None
    if not isinstance(position, list) or not all(isinstance(part, (str, int)) for part in position):
        raise CursorRefused
    return tuple(position)


After = Annotated[tuple[Any, ...] | None, Depends(_position)]
"""Parameter that holds the sort key after which the page begins; None: from the first element.

Its parts are text and integers, as many as somebody sent: compare them with care.
"""
