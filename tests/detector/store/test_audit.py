"""The audit log: what is altered, removed, added or put elsewhere is found and named."""

from __future__ import annotations

from datetime import timedelta

import pytest
from desk_builders import accept, findings, refuse
from enforcement_builders import DAY, a_command, a_policy
from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from detector.desk.desk import Desk
from detector.store.audit import ENTRIES, HEAD, head
from detector.store.events import EVENTS


@pytest.fixture
def log(store: Engine) -> Engine:
    """Five entries: two credits, a refusal, a case, a decision of two events."""
    desk = Desk(store, a_policy())
    accept(desk, a_command("credit_proceeds", key="1"), a_command("credit_proceeds", key="2", seller_id="S2"))
    refuse(desk, a_command("place_hold"))
    accept(desk, a_command("open_case"), a_command("decide_case", outcome="victim"))
    assert findings(store) == []
    return store


def tamper(engine: Engine, statement: object) -> list[str]:
    with engine.begin() as connection:
        assert connection.execute(statement).rowcount == 1
    return findings(engine)


COLUMNS = [column.name for column in ENTRIES.c if column.name not in ("number", "hash", "accepted", "at")]


@pytest.mark.parametrize("name", COLUMNS)
def test_an_altered_field_of_an_entry_is_named(log: Engine, name: str):
    column = ENTRIES.c[name]
    changed = 7 if name == "first_sequence" else "['x']" if name == "event_hashes" else "x"
    if name == "event_hashes":
        changed = '["x"]'
    found = tamper(log, update(ENTRIES).where(ENTRIES.c.number == 2).values({column: changed}))
    assert found[0] == "audit entry 2 was altered, or stands where another was written"


def test_an_acceptance_made_of_a_refusal_is_named(log: Engine):
    found = tamper(log, update(ENTRIES).where(ENTRIES.c.number == 3).values(accepted=True))
    assert found == ["audit entry 3 was altered, or stands where another was written"]


def test_a_forged_hash_is_named_with_the_entry_that_should_follow_it(log: Engine):
    found = tamper(log, update(ENTRIES).where(ENTRIES.c.number == 2).values(hash="f" * 64))
    assert [sentence.split(" was")[0] for sentence in found] == ["audit entry 2", "audit entry 3"]


def test_a_removed_entry_is_named(log: Engine):
    assert tamper(log, delete(ENTRIES).where(ENTRIES.c.number == 3)) == ["audit entry 3 is missing"]


def test_a_removed_end_is_named(log: Engine):
    found = tamper(log, delete(ENTRIES).where(ENTRIES.c.number == 5))
    assert found[0] == "audit entry 5 is missing"


def test_entries_that_changed_places_are_named(log: Engine):
    def swap(connection: Connection) -> None:
        for old, new in ((2, 99), (4, 2), (99, 4)):
            connection.execute(update(ENTRIES).where(ENTRIES.c.number == old).values(number=new))

    with log.begin() as connection:
        swap(connection)
    named = [sentence.split(" was")[0] for sentence in findings(log)]
    assert {"audit entry 2", "audit entry 4"} <= set(named)


def test_an_entry_behind_the_head_is_named(log: Engine):
    found = tamper(log, update(HEAD).values(number=4))
    assert found == ["audit entry 5 is not the one that the head of the chain names (4)"]


EVENT = (EVENTS.c.seller_id == "S1", EVENTS.c.sequence == 1)


@pytest.mark.parametrize(
    "change",
    [
        {"data": func.replace(EVENTS.c.data, "1000", "1001")},
        {"at": DAY + timedelta(microseconds=1)},
        {"key": "x"},
        {"type": "loss_paid"},
    ],
)
def test_a_changed_event_is_named(log: Engine, change: dict[str, object]):
    found = tamper(log, update(EVENTS).where(*EVENT).values(change))
    assert found == ["event 1 of seller S1 was altered (audit entry 1)"]


def test_a_removed_event_is_named(log: Engine):
    found = tamper(log, delete(EVENTS).where(EVENTS.c.seller_id == "S1", EVENTS.c.sequence == 3))
    assert found == ["event 3 of seller S1 is missing (audit entry 5)"]


def test_an_event_that_no_command_wrote_is_named(log: Engine):
    with log.begin() as connection:
        row = dict(connection.execute(select(EVENTS).where(*EVENT)).one()._mapping)
        connection.execute(insert(EVENTS).values(row | {"sequence": 9}))
        connection.execute(insert(EVENTS).values(row | {"seller_id": "S"}))
    assert findings(log) == [
        "event 1 of seller S was not written by any command",
        "event 9 of seller S1 was not written by any command",
    ]


def test_the_head_is_what_to_note_down(log: Engine):
    with log.connect() as connection:
        noted = head(connection)
        last = connection.execute(select(ENTRIES).where(ENTRIES.c.number == 5)).one()
    assert (noted.number, noted.hash) == (5, last.hash)
