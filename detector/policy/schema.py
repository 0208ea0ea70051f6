"""The policy file as a model: one section per part of the product that it governs."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field

from detector.policy.detection import Detection, Rule
from detector.policy.enforcement import Enforcement, Section

__all__ = ["Policy"]


class Policy(Section):
    """A loaded policy.

    Attributes
    ----------
    version
        The file's own name for this edition, shown wherever a decision is explained.
    timezone
        IANA name of the market's zone: every calendar day of the policy is a day there.
    sha256
        Hex digest of the file's bytes; set by the loader, never read from the file.
    text
        The file's text, for evidence packs; set by the loader like ``sha256``, whose bytes it is.
    enforcement
        Ladder, holds and appeals.
    detection
        Bands, fusion of evidence, seller verdicts.
    rule
        The rules, in the file's order.
    """

    version: Annotated[str, Field(min_length=1)]
    timezone: Annotated[str, Field(min_length=1)]
    sha256: str
    text: Annotated[str, Field(repr=False)]
    enforcement: Enforcement
    detection: Detection
    rule: tuple[Rule, ...]

    @property
    def zone(self) -> ZoneInfo:
        """The market's zone; the loader has checked that it exists."""
        return ZoneInfo(self.timezone)

    def in_zone(self, timezone: str) -> Policy:
        """The same policy for a market in another zone (``timezone`` must be a known IANA name)."""
        return self.model_copy(update={"timezone": timezone})
