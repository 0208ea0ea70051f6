"""The orders held in memory are those of the database, whatever was told since, and by whom."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC
from typing import Any

import pytest
from builders import an_order, at
from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError
from velocity_oracle import values_of

from detector.pseudonym import Veil
from detector.store.facts import FACTS, orders_written, put, veiled
from detector.store.orders_in_memory import OrdersInMemory, _values
from detector.store.writer import Writer
from features import velocity, window_index
from features.velocity import AGGREGATES
from features.window_columns import OrderColumns
from features.window_index import WindowIndex

# only a file has one writer at a time
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

Order = dict[str, Any]
VEIL = Veil(b"a key of the tests, 32 bytes long")
MARKET = {"orders.total_minor", "orders.platform_discount_minor"}


def stored(number: int, **changes: Any) -> Order:
    made = an_order(order_id=f"o{number}", **changes)
    return veiled(VEIL, "orders", made | {"created_at": made["created_at"].replace(tzinfo=UTC)})


def some_order(chance: random.Random) -> Order:
    """One of few ids, buyers, shops and devices, at any minute of two months."""
    return stored(
        chance.randrange(150),
        buyer_id=f"b{chance.randrange(3)}",
        seller_id=f"s{chance.randrange(2)}",
        device_id=chance.choice(["d1", "d2", None]),
        currency=chance.choice(["EUR", "USD"]),
        platform_discount_minor=chance.choice([100, 250, None]),
        created_at=at(minutes=chance.randrange(60 * 24 * 60)),
    )


def tell(engine: Engine, windows: OrdersInMemory, orders: Sequence[Order]) -> None:
    with engine.begin() as connection:
        windows.put(connection, orders)


def assert_as_stored(engine: Engine, windows: OrdersInMemory, asked: Sequence[Order], limit: int) -> None:
    """What the windows say is what the oracle finds among the rows of the database."""
    with engine.begin() as connection:
        known = [dict(row) for row in connection.execute(select(FACTS["orders"])).mappings()]
        said = windows.values(connection, asked, MARKET)
    for position, order in enumerate(asked):
        found = {a.name: said[a.name][position] for a in AGGREGATES}
        plain = {name: None if value != value else value for name, value in found.items()}
        assert plain == values_of(order, known, limit)


@pytest.mark.parametrize("limit", [3, 1000])
def test_what_is_held_is_what_the_database_says(
    store: Engine, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Late, repeated and corrected orders, a transaction rolled back, a second process that writes, many runs."""
    for module in (velocity, window_index):
        monkeypatch.setattr(module, "HOT_KEY_LIMIT", limit)
    chance, windows = random.Random(7), OrdersInMemory()
    for step in range(60):
        told = [some_order(chance) for _ in range(chance.choice([1, 2, 3, 20]))]
        if step % 7 == 3:
            with store.begin() as other:
                put(other, "orders", told)
        elif step % 7 == 5:
            with store.connect() as connection:
                windows.put(connection, told)
                connection.rollback()
        else:
            tell(store, windows, told)
        assert_as_stored(store, windows, [some_order(chance) for _ in range(2)], limit)


def test_many_orders_at_once_and_one_by_one_say_the_same(store: Engine) -> None:
    chance = random.Random(3)
    orders = [some_order(chance) for _ in range(200)]
    one_by_one = OrdersInMemory()
    for order in orders:
        tell(store, one_by_one, [order])
    at_once = OrdersInMemory()
    for windows in (one_by_one, at_once):
        assert_as_stored(store, windows, orders[:5], 1000)


def test_orders_of_another_process_are_noticed_where_only_one_was_removed(store: Engine) -> None:
    windows = OrdersInMemory()
    tell(store, windows, [stored(1), stored(2)])
    with store.begin() as other:
        other.execute(FACTS["orders"].delete().where(FACTS["orders"].c.order_id == "o1"))
        orders_written(other)
    with store.begin() as connection:
        found = windows.values(connection, [stored(3, created_at=at(minutes=1))], MARKET)
    assert found["buyer_orders_1h"].tolist() == [1]


def test_an_order_told_again_as_it_was_takes_no_room(store: Engine) -> None:
    windows = OrdersInMemory()
    tell(store, windows, [stored(1), stored(2)])
    used = windows._index._held.used.tolist()
    tell(store, windows, [stored(2), stored(1)])
    assert windows._index._held.used.tolist() == used


def test_what_is_held_is_read_again_where_a_corrected_order_is_not_in_it(store: Engine) -> None:
    windows = OrdersInMemory()
    tell(store, windows, [stored(1), stored(2, device_id="d1")])
    for spoilt in ([], [stored(1)]):
        windows._index = WindowIndex()
        windows._index.add(OrderColumns.of([_values(order) for order in spoilt]))
        tell(store, windows, [stored(2, device_id=f"d{len(spoilt)}")])
        assert_as_stored(store, windows, [stored(3, created_at=at(minutes=1))], 1000)


def test_two_writers_that_take_turns_see_each_other_s_orders(store: Engine) -> None:
    """Also where one's transaction fails and the other's is the next."""
    one, other = OrdersInMemory(), OrdersInMemory()
    tell(store, one, [stored(1)])
    with store.connect() as connection:
        one.put(connection, [stored(2)])
        connection.rollback()
    tell(store, other, [stored(3)])
    for windows in (one, other):
        with store.begin() as connection:
            found = windows.values(connection, [stored(4, created_at=at(minutes=1))], MARKET)
        assert found["buyer_orders_1h"].tolist() == [2]


def test_a_commit_that_fails_leaves_nothing_in_memory(store: Engine) -> None:
    kept, windows = Writer(store), OrdersInMemory()
    with kept.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE parents (id INTEGER PRIMARY KEY)")
        connection.exec_driver_sql(
            "CREATE TABLE children (parent INTEGER REFERENCES parents(id) DEFERRABLE INITIALLY DEFERRED)"
        )
        windows.put(connection, [stored(1)])

    def an_orphan() -> None:
        with kept.begin() as connection:
            windows.put(connection, [stored(2)])
            connection.exec_driver_sql("INSERT INTO children VALUES (1)")

    with pytest.raises(IntegrityError):
        an_orphan()
    assert_as_stored(store, windows, [stored(9, created_at=at(days=1))], 1000)
    kept.close()
