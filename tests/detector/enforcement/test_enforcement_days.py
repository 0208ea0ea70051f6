"""Calendar days and instants."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.enforcement.days import days_left, end_of_day, format_instant, parse_instant

ZONES = st.sampled_from(
    ["UTC", "Asia/Shanghai", "America/New_York", "America/Havana", "Asia/Beirut", "Pacific/Kiritimati"]
).map(ZoneInfo)
INSTANTS = st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC))


def local_day(at: datetime, zone: ZoneInfo) -> date:
    return at.astimezone(zone).date()


@given(INSTANTS, st.integers(0, 400), ZONES)
def test_the_end_is_where_the_local_date_passes_the_last_day(at: datetime, days: int, zone: ZoneInfo):
    last = local_day(at, zone) + timedelta(days=days)
    end = end_of_day(at, days, zone)
    assert local_day(end - timedelta(microseconds=1), zone) == last
    assert local_day(end, zone) == last + timedelta(days=1)


@given(INSTANTS, st.integers(0, 400), ZONES)
def test_days_left_undoes_end_of_day(at: datetime, days: int, zone: ZoneInfo):
    assert days_left(at, end_of_day(at, days, zone), zone) == days


def test_a_day_that_has_no_midnight_begins_where_the_clocks_skip_to():
    # Beirut, 31 March 2024: 23:59:59 of the 30th is followed by 01:00.
    start = datetime(2024, 3, 29, 12, tzinfo=UTC)
    assert end_of_day(start, 1, ZoneInfo("Asia/Beirut")) == datetime(2024, 3, 30, 22, tzinfo=UTC)


def test_a_day_with_two_midnights_begins_at_the_first():
    # Havana, 3 November 2024: at 01:00 the clocks go back to 00:00.
    start = datetime(2024, 11, 1, 12, tzinfo=UTC)
    assert end_of_day(start, 1, ZoneInfo("America/Havana")) == datetime(2024, 11, 3, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2024-03-01T09:30:00Z", datetime(2024, 3, 1, 9, 30, tzinfo=UTC)),
        ("2024-03-01T09:30", datetime(2024, 3, 1, 9, 30, tzinfo=UTC)),
        ("2024-03-01 09:30:00.000001+08:00", datetime(2024, 3, 1, 1, 30, 0, 1, tzinfo=UTC)),
        ("2024-03-01", datetime(2024, 3, 1, tzinfo=UTC)),
    ],
)
def test_instants_are_read_with_and_without_offset(text: str, instant: datetime):
    assert parse_instant(text) == instant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2024-02-30T00:00Z",
        "1969-12-31T23:59Z",
        "9000-01-01T00:00Z",
        "0001-01-01T00:00+14:00",
        17,
        None,
    ],
)
def test_what_is_no_instant_is_refused(text: object):
    with pytest.raises(ValueError, match="should"):
        parse_instant(text)


@given(INSTANTS)
def test_an_instant_is_read_back_as_written(at: datetime):
    assert parse_instant(format_instant(at)) == at


def test_instants_are_written_short():
    assert format_instant(datetime(2024, 3, 1, tzinfo=UTC)) == "2024-03-01T00:00:00Z"
    assert format_instant(datetime(2024, 3, 1, 0, 0, 0, 5, tzinfo=UTC)) == "2024-03-01T00:00:00.000005Z"
