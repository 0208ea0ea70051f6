"""Instants and calendar days. A day is a day of the market's zone, whatever its length (policy §5)."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, tzinfo

__all__ = ["days_left", "end_of_day", "format_instant", "parse_instant"]

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)
"""Instants outside are refused, so that no window can run past the calendar's end."""


def end_of_day(at: datetime, days: int, zone: tzinfo) -> datetime:
    """First instant after the ``days``-th calendar day after the day of ``at`` (0: after that day itself).

    A window that ends there is open through the last instant of that day. Where the clocks skip
    midnight, the day begins at the skip; where they repeat it, at its first occurrence.

    >>> from zoneinfo import ZoneInfo
    >>> end_of_day(datetime(2024, 3, 1, 9, tzinfo=UTC), 30, ZoneInfo("Asia/Shanghai")).isoformat()
    '2024-03-31T16:00:00+00:00'
    """
    day_after = at.astimezone(zone).date() + timedelta(days=days + 1)
    return datetime.combine(day_after, time(), tzinfo=zone).astimezone(UTC)


def days_left(at: datetime, until: datetime, zone: tzinfo) -> int:
    """Whole calendar days after the day of ``at`` up to the end ``until`` that ``end_of_day`` gave."""
    last_day = (until - timedelta(microseconds=1)).astimezone(zone).date()
    return (last_day - at.astimezone(zone).date()).days


def parse_instant(text: object) -> datetime:
    """The UTC instant that ISO 8601 ``text`` names; without an offset it is read as UTC.

    Raises
    ------
    ValueError
        Not a string, not ISO 8601, or before 1970 or after 8999.
    """
    if not isinstance(text, str):
        raise ValueError("it should be an ISO 8601 instant such as '2024-03-01T09:30:00Z'")
    try:
        parsed = datetime.fromisoformat(text)
        instant = (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} should be an ISO 8601 instant such as '2024-03-01T09:30:00Z'") from None
    if not EARLIEST <= instant < LATEST:
        raise ValueError(f"{text!r} should lie between the years 1970 and 8999")
    return instant


def format_instant(instant: datetime) -> str:
    """ISO 8601 in UTC with ``Z``; microseconds only when there are any."""
    return instant.astimezone(UTC).isoformat()[: -len("+00:00")] + "Z"
