"""Parameters that several routes share."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

__all__ = ["Id"]

Id = Annotated[str, Path(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]
"""An opaque id in the address."""
