"""100,000 sellers with a million events: how long ``enforce due`` and the state of one seller take.

    python -m benchmarks.enforcement [SELLERS]

The events are those of real commands, decided once for each day of a month and copied under other ids.
Prints wall and CPU seconds on SQLite in a temporary folder.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import TypeVar

from sqlalchemy import Engine, insert

from detector.desk.desk import Desk
from detector.desk.due import send_due
from detector.desk.rebuild import rebuild
from detector.enforcement.book import Book
from detector.enforcement.codec import event_type, write_event
from detector.enforcement.parse import parse_command
from detector.enforcement.refusals import Refusal
from detector.policy.loader import load_policy
from detector.store.database import connect, upgrade
from detector.store.events import EVENTS, STREAMS

START = datetime(2024, 3, 1, 12, tzinfo=UTC)
DAYS = 30
MARK = "#"
"""Stands for the seller's number in the ids of a story."""
T = TypeVar("T")


def story(at: datetime) -> list[dict[str, object]]:
    """A seller's ten events: proceeds, a case, a hold, a serious violation, more proceeds."""
    common = {"at": at.isoformat(), "seller_id": f"s{MARK}", "case_id": f"c{MARK}"}
    proceeds = {"type": "credit_proceeds", "currency": "USD", "amount_minor": 50_000, "order_id": "o"}
    case = {
        "type": "open_case", "clauses": ["self_dealing"], "order_ids": [f"o{MARK}-{n}" for n in range(10)],
        "fake_order_count": 10, "fake_order_share": 0.2, "fake_gmv_minor": {"USD": 20_000}, "source": "scan",
    }  # fmt: skip
    decision = {
        "type": "decide_case",
        "outcome": "violation",
        "severity": "serious",
        "violation_id": f"v{MARK}",
    }
    steps = [
        ("system", proceeds),
        ("analyst", case),
        ("enforcer", {"type": "place_hold", "hold_id": f"h{MARK}", "scope": "all"}),
        ("enforcer", decision),
        ("enforcer", {"type": "complete_investigation"}),
        ("system", proceeds),
    ]
    book = Book(load_policy())
    for number, (role, step) in enumerate(steps):
        given = {**common, **step, "key": str(number), "actor": {"id": role, "role": role}}
        answer = book.submit(parse_command(given))
        assert not isinstance(answer, Refusal), str(answer)
    return [
        {"key": one.key, "type": event_type(one.event), "at": one.event.at, "data": write_event(one.event)}
        for one in book.history
    ]


def fill(engine: Engine, sellers: int) -> int:
    """Write the streams of so many sellers; how many events there are."""
    stories = [story(START + timedelta(days=day)) for day in range(DAYS)]
    count = 0
    with engine.begin() as connection:
        for start in range(0, sellers, 2000):
            numbers = range(start, min(start + 2000, sellers))
            events = [row for number in numbers for row in _events(stories[number % DAYS], number)]
            heads = [_head(stories[number % DAYS], number) for number in numbers]
            connection.execute(insert(STREAMS), heads)
            connection.execute(insert(EVENTS), events)
            count += len(events)
    return count


def _events(story: list[dict[str, object]], number: int) -> Iterator[dict[str, object]]:
    for sequence, event in enumerate(story, start=1):
        data = str(event["data"]).replace(MARK, str(number))
        yield {**event, "seller_id": f"s{number}", "sequence": sequence, "data": data}


def _head(story: list[dict[str, object]], number: int) -> dict[str, object]:
    return {"seller_id": f"s{number}", "sequence": len(story), "latest": story[-1]["at"]}


def timed(name: str, work: Callable[[], T]) -> T:
    """What ``work`` gives; prints what it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    print(f"{name}: {time.perf_counter() - wall:.1f} s ({time.process_time() - cpu:.1f} s CPU): {result}")
    return result


def state_times(desk: Desk, sellers: int, as_of: datetime) -> list[float]:
    """Milliseconds for the state of 500 sellers, one by one, each on a connection of its own; sorted."""
    draw, taken = Random(7), []
    for _ in range(500):
        seller_id = f"s{draw.randrange(sellers)}"
        began = time.perf_counter()
        desk.view(seller_id, as_of)
        taken.append((time.perf_counter() - began) * 1000)
    return sorted(taken)


def main(sellers: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine = connect(f"sqlite:///{Path(folder) / 'store.db'}")
        upgrade(engine)
        desk = Desk(engine, load_policy())
        timed("events written", lambda: fill(engine, sellers))
        timed("enforce rebuild, sellers", lambda: rebuild(engine, desk.policy))
        day = START + timedelta(days=35)
        timed("enforce due, first run", lambda: dict(send_due(desk, day)))
        timed("enforce due, a day later", lambda: dict(send_due(desk, day + timedelta(days=1))))
        timed("enforce due, again: nothing", lambda: dict(send_due(desk, day + timedelta(days=1))))
        timed("enforce due, all that is left", lambda: dict(send_due(desk, START + timedelta(days=400))))
        taken = state_times(desk, sellers, day)
        print(f"state of one seller: median {taken[250]:.2f} ms, 99 % under {taken[495]:.2f} ms")
        engine.dispose()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
