"""What is written comes back: commands, events, states; and the stored names stay."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from enforcement_builders import DAY, a_book, a_command
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.enforcement import events as ev
from detector.enforcement.codec import (
    EVENT_TYPES,
    command_data,
    content_of,
    event_data,
    event_type,
    read_event,
    read_state,
    write_event,
    write_state,
)
from detector.enforcement.commands import COMMANDS
from detector.enforcement.parse import parse_command

INSTANTS = st.datetimes(datetime(1970, 1, 1), datetime(8999, 1, 1), timezones=st.just(UTC))
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
AMOUNTS = st.integers(1, 2**63 - 1)
PLAIN = st.recursive(
    TEXT | st.booleans() | st.integers(-(2**53), 2**53) | st.none(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
DOCUMENTS = st.lists(TEXT | st.dictionaries(TEXT, PLAIN, max_size=3), max_size=3).map(tuple)
st.register_type_strategy(datetime, INSTANTS)


def events(cls: type[ev.Event]) -> st.SearchStrategy[ev.Event]:
    """Any event of ``cls``, from its annotations; texts, instants and documents within what can occur."""
    given: dict[str, Any] = {"documents": DOCUMENTS} if cls is ev.AppealFiled else {}
    if cls in (ev.CaseOpened, ev.CaseExtended):
        given = {
            "fake_gmv_minor": st.dictionaries(TEXT, AMOUNTS, max_size=2),
            "fake_order_share": st.floats(0, 1),
        }
    return st.builds(cls, **given)


@pytest.mark.parametrize("name", list(EVENT_TYPES))
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_an_event_comes_back_as_it_was(name: str, data: st.DataObject):
    event = data.draw(events(EVENT_TYPES[name]))
    text = write_event(event)
    assert event_type(event) == name
    assert read_event(name, text) == event
    assert write_event(read_event(name, text)) == text
    assert event_data(event) == json.loads(text)


def test_every_event_has_a_stored_name_and_the_names_stay():
    assert {cls.__name__ for cls in EVENT_TYPES.values()} == {
        cls.__name__ for cls in ev.Event.__subclasses__()
    }
    assert list(EVENT_TYPES) == [
        "case_opened", "case_extended", "investigation_completed", "case_decided", "violation_found",
        "measures_approved", "measures_suspended", "measures_resumed", "hold_placed", "hold_settled",
        "hold_returned", "loss_established", "loss_paid", "money_moved", "appeal_filed", "appeal_failed",
        "appeal_rejected", "appeal_granted", "appeal_waived", "reassessment_flagged", "notice_sent",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", list(COMMANDS))
def test_a_command_comes_back_as_it_was(kind: str):
    command = a_command(kind)
    assert parse_command(json.loads(json.dumps(command_data(command)))) == command


def test_content_is_everything_but_the_time():
    command = a_command("open_case", fake_gmv_minor={"USD": 1, "JPY": 2}, key="k")
    same = a_command("open_case", "2024-05-05", fake_gmv_minor={"JPY": 2, "USD": 1}, key="k")
    assert content_of(command) == content_of(same)
    assert content_of(command) != content_of(a_command("open_case", case_id="C2", key="k"))


def test_a_state_comes_back_as_it_was():
    book = a_book(
        *(a_command(kind) for kind in ("credit_proceeds", "open_case", "extend_case", "place_hold")),
        a_command("establish_loss"),
        a_command("decide_case", severity="critical"),
        a_command("file_appeal", documents=["a", {"name": "b", "pages": [1, 2]}]),
        a_command("decide_appeal", DAY.replace(microsecond=1)),
    )
    state = book.sellers["S1"]
    assert read_state(write_state(state)) == state
