"""What a writer keeps in memory of busy keys is what the database says, whatever was told since, and by whom."""

from __future__ import annotations

import random
from datetime import UTC
from typing import Any

import numpy as np
import pytest
from builders import an_order, at
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from detector.pseudonym import Veil
from detector.store import histories, lookups
from detector.store.database import writer
from detector.store.facts import FACTS, put, veiled
from detector.store.histories import History
from detector.store.lookups import retell, window_values

VEIL = Veil(b"a key of the tests, 32 bytes long")


def stored(number: int, **changes: Any) -> dict[str, Any]:
    made = an_order(order_id=f"o{number}", **changes)
    return veiled(VEIL, "orders", made | {"created_at": made["created_at"].replace(tzinfo=UTC)})


def some_order(chance: random.Random) -> dict[str, Any]:
    """One of few ids, buyers, shops and devices, at any minute of two months."""
    return stored(
        chance.randrange(60),
        buyer_id=f"b{chance.randrange(3)}",
        seller_id=f"s{chance.randrange(2)}",
        device_id=chance.choice(["d1", "d2", None]),
        currency=chance.choice(["EUR", "USD"]),
        platform_discount_minor=chance.choice([100, 250, None]),
        created_at=at(minutes=chance.randrange(60 * 24 * 60)),
    )


def tell(engine: Engine, orders: list[dict[str, Any]]) -> None:
    with engine.begin() as connection:
        retell(connection, orders)
        put(connection, "orders", orders)


def values(engine: Engine, orders: list[dict[str, Any]]) -> dict[str, np.ndarray[Any, Any]]:
    with engine.begin() as connection:
        return window_values(connection, orders, {"orders.total_minor", "orders.platform_discount_minor"})


def assert_same(kept: Engine, fresh: Engine, orders: list[dict[str, Any]]) -> None:
    said, expected = values(kept, orders), values(fresh, orders)
    for name, column in expected.items():
        np.testing.assert_array_equal(said[name], column, name)


@pytest.mark.parametrize("limit", [3, 1000])
def test_kept_histories_are_what_the_database_says(
    store: Engine, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Late, repeated and corrected orders, a transaction rolled back, a second process that writes, few in memory."""
    monkeypatch.setattr(lookups, "HOT_KEY_LIMIT", limit)
    monkeypatch.setattr(lookups, "_MOST", 2 * limit + 2)
    monkeypatch.setattr(histories, "MOST_ROWS", 150)
    chance, kept = random.Random(7), writer(store)
    for step in range(60):
        told = [some_order(chance) for _ in range(chance.randrange(1, 4))]
        if step % 7 == 3:
            with store.begin() as other:
                put(other, "orders", told)
        elif step % 7 == 5:
            with kept.connect() as connection:
                retell(connection, told)
                put(connection, "orders", told)
                connection.rollback()
        else:
            tell(kept, told)
        assert_same(kept, store, [*told, some_order(chance)])
    kept.dispose()


# only who has the file's version may keep what was read
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_busy_key_is_read_once(store: Engine) -> None:
    kept = writer(store)
    tell(kept, [stored(1)])
    values(kept, [stored(2, created_at=at(minutes=1))])
    with kept.begin() as connection:
        history = histories.histories(connection).get(("buyer_id", "b1"))
        assert history is not None
        assert len(history.times) == 1
    tell(kept, [stored(2, created_at=at(minutes=1))])
    assert len(history.times) == 2
    with store.begin() as other:
        other.execute(FACTS["orders"].delete())
    with kept.begin() as connection:
        assert histories.histories(connection).get(("buyer_id", "b1")) is None
    kept.dispose()


def test_a_long_history_forgets_its_beginning_and_knows_from_when_on() -> None:
    history = History(0, [], [])
    for time_ in (5, 1, 3, 4, 2, 3, 6):
        history.add(time_, (time_,), 4)
    assert history.since == 4
    assert history.times == [4, 5, 6]
    assert history.told == [(4,), (5,), (6,)]
    history.add(3, (3,), 4)
    assert history.times == [4, 5, 6]


def test_a_commit_that_fails_leaves_nothing_in_memory(store: Engine) -> None:
    kept = writer(store)
    with kept.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE parents (id INTEGER PRIMARY KEY)")
        connection.exec_driver_sql(
            "CREATE TABLE children (parent INTEGER REFERENCES parents(id) DEFERRABLE INITIALLY DEFERRED)"
        )
    later = [stored(9, created_at=at(days=1))]
    tell(kept, [stored(1)])
    values(kept, later)
    connection = kept.connect()
    connection.begin()
    retell(connection, [stored(2)])
    put(connection, "orders", [stored(2)])
    connection.exec_driver_sql("INSERT INTO children VALUES (1)")
    with pytest.raises(IntegrityError):
        connection.commit()
    connection.close()
    assert_same(kept, store, later)
    assert values(kept, later)["buyer_orders_7d"].tolist() == [1]
    kept.dispose()
