"""Snapshot values by key, against a dictionary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from itertools import product

import numpy as np
import pytest
from sqlalchemy import Engine, insert, select

from detector.snapshot import groups_of
from detector.store.snapshot_values import (
    MOST_GROUPS,
    NO_KEY,
    VALUES,
    Group,
    Groups,
    forget_values,
    values,
)
from detector.store.vectors import pack_rows
from features.catalog import CATALOG

Key = tuple[str, ...]
GROUPS = (
    Group(0, ("buyer_id", "seller_id"), ("pair_a", "pair_b")),
    Group(1, ("seller_id",), ("shop",)),
    Group(2, ("creator_id", "buyer_id", "seller_id"), ("three",)),
)
NAMES = ["a", "b", '"', "a,b", "ü", "", "a\0b"]


def fill(store: Engine, generation: int, known: Mapping[int, Mapping[Key, Sequence[float]]]) -> None:
    """Store what is known by each group's keys."""
    for group in GROUPS:
        keys = known[group.place]
        numbers = Groups(generation, [group]).numbers(
            [part for column in zip(*keys, strict=True) for part in column]
        )
        rows = pack_rows(np.array(list(keys.values())))
        stored = [{"number": int(n), "data": row} for [n], row in zip(numbers, rows, strict=True)]
        with store.begin() as connection:
            connection.execute(insert(VALUES), stored)


def some_known(seed: int) -> dict[int, dict[Key, list[float]]]:
    """Numbers, nulls and zeros of about half of all keys that are made of ``NAMES``."""
    random = np.random.default_rng(seed)
    return {
        group.place: {
            key: random.choice([np.nan, 0.0, -1.5, 1e300], len(group.names)).tolist()
            for key in product(NAMES, repeat=len(group.key))
            if random.random() < 0.5
        }
        for group in GROUPS
    }


def test_values_are_those_of_the_key_and_null_elsewhere(store: Engine) -> None:
    known = {generation: some_known(generation) for generation in (1, 2)}
    for generation, told in known.items():
        fill(store, generation, told)
    some = [*NAMES, None, "nobody"]
    orders = [
        {"buyer_id": buyer, "seller_id": seller, "creator_id": creator}
        for buyer, seller, creator in product(some, some, some)
    ]
    for generation, told in known.items():
        with store.connect() as connection:
            found = values(connection, Groups(generation, GROUPS), orders)
            alone = values(connection, Groups(generation, GROUPS), orders[7:8])
        for group in GROUPS:
            nothing = [np.nan] * len(group.names)
            expected = [
                told[group.place].get(tuple(order[part] for part in group.key), nothing) for order in orders
            ]
            assert np.array_equal(np.array([found[name] for name in group.names]).T, expected, equal_nan=True)
            assert all(np.array_equal(alone[name], found[name][7:8], equal_nan=True) for name in group.names)


def test_one_generation_is_forgotten_and_the_other_stays(store: Engine) -> None:
    fill(store, 1, some_known(1))
    with store.connect() as connection:
        mine = set(connection.scalars(select(VALUES.c.number)))
    fill(store, 2, some_known(2))
    with store.begin() as connection:
        connection.execute(forget_values(2))
        assert set(connection.scalars(select(VALUES.c.number))) == mine
        connection.execute(forget_values(1))
        assert not connection.scalars(select(VALUES.c.number)).all()


def digest(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def test_a_number_is_that_of_generation_group_and_parts() -> None:
    golden = 0x9E3779B97F4A7C15
    [[pair, shop, three]] = Groups(7, GROUPS).numbers(["b", "s", "c"])
    for number, place, parts in ((pair, 0, "bs"), (shop, 1, "s"), (three, 2, "cbs")):
        mixed = sum(golden**at * digest(part) for at, part in enumerate(parts)) % 2**64
        assert number == (MOST_GROUPS + place) * 2**57 + mixed // 2**7
    assert Groups(8, GROUPS).numbers(["b", "s", "c"]).tolist() == [
        [n - MOST_GROUPS * 2**57 for n in (pair, shop, three)]
    ]
    assert Groups(7, GROUPS).numbers(["b", "s", None]).tolist() == [[pair, shop, NO_KEY]]


def test_keys_of_many_parts_have_numbers_of_their_own() -> None:
    texts = [f"id{n}" for n in range(400)]
    pairs = list(product(texts, texts))
    told = [part for column in zip(*pairs, strict=True) for part in column]
    numbers = Groups(1, GROUPS[:1]).numbers(told)
    assert len(np.unique(numbers)) == len(pairs)
    assert len(np.unique(numbers >> 30)) > 0.99 * len(
        pairs
    )  # the high bits differ too: no part is lost in the low


@pytest.mark.parametrize("generation", [1, 2])
def test_the_catalog_has_room(generation: int) -> None:
    groups = groups_of(CATALOG)
    assert len(groups) <= MOST_GROUPS
    last = Group(MOST_GROUPS - 1, ("seller_id",), ("shop",))
    assert all(0 <= Groups(generation, [last]).numbers([f"s{n}"])[0, 0] < 2**63 for n in range(100))
