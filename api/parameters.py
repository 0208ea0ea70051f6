"""Parameters that several routes share."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

__all__ = ["MAX_ID_CHARS", "Id"]

MAX_ID_CHARS = 200
"""The longest id: three of four bytes a character still fit into one index entry of PostgreSQL."""

Id = Annotated[str, Path(min_length=1, max_length=MAX_ID_CHARS, pattern=r"^[^\x00]+$")]
"""An opaque id in the address."""
