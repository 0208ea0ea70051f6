"""One transaction at a time writes, and what fails leaves nothing."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, Engine, func, select

from detector.store.facts import REPORTED, report
from detector.store.writer import Writer


def told(store: Engine) -> int:
    with store.connect() as connection:
        return connection.scalar(select(func.count()).select_from(REPORTED)) or 0


def test_what_a_transaction_writes_is_there_when_it_ends(store: Engine) -> None:
    writer = Writer(store)
    for number in range(3):
        with writer.begin() as connection:
            report(connection, [f"t.{number}"])
    assert told(store) == 3
    writer.close()


def test_a_transaction_that_fails_leaves_nothing_and_the_next_one_begins(store: Engine) -> None:
    writer = Writer(store)

    def failing(connection: Connection) -> None:
        report(connection, ["t.1"])
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"), writer.begin() as connection:
        failing(connection)
    assert told(store) == 0
    with writer.begin() as connection:
        report(connection, ["t.2"])
    assert told(store) == 1
    writer.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # a server's lock is not asked for
def test_nothing_begins_at_once_while_the_same_process_writes(store: Engine) -> None:
    writer = Writer(store)
    with writer.begin(), writer.begin_at_once() as second:
        assert second is None
    with writer.begin_at_once() as connection:
        assert connection is not None
        report(connection, ["t.1"])
    assert told(store) == 1
    writer.close()
