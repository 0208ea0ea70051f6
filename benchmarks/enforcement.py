"""100,000 sellers with a million events: how long ``enforce due`` and the state of one seller take.

    python -m benchmarks.enforcement [--sellers N]

Thirty sellers are made by real commands through the desk, one for each day of a month; SQL copies all their
rows under other ids, on SQLite in a temporary folder. Measured with a tenth of the sellers and with all, each
in a process of its own, so that its peak memory is its own; the growth is the larger against the smaller, 10
is linear.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from random import Random
from statistics import quantiles

import pandas as pd
import typer
from sqlalchemy import JSON, Connection, Engine, Table, Text, delete, func, select, text, update

from detector.desk.desk import Desk, Receipt
from detector.desk.due import send_due
from detector.desk.rebuild import rebuild
from detector.enforcement.commands import Command
from detector.enforcement.parse import parse_command
from detector.policy.loader import load_policy
from detector.store.case_files import FILES
from detector.store.database import connect, upgrade
from detector.store.endpoints import add_endpoint
from detector.store.events import EVENTS, STREAMS
from detector.store.messages import MESSAGES
from detector.store.outbox import DELIVERIES
from detector.store.projections import DUE, PROJECTIONS

START = datetime(2024, 3, 1, 12, tzinfo=UTC)
DAYS = 30
USUAL_DAY = START + timedelta(days=35)
"""Windows close, measures end, and reminders are due on it."""
MUCH_LATER = START + timedelta(days=400)
"""Everything is due."""
MARK = "#"
"""Stands for the number of the copy in the ids of a seller."""
ASKED = 500


def main(sellers: int = 100_000) -> None:
    """Print seconds, milliseconds and peak memory for both sizes, and the growth."""
    figures = {}
    for size in (sellers // 10, sellers):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as own_process:
            figures[f"{size:,} sellers"] = own_process.submit(measured, size).result()
    made = pd.DataFrame(figures)
    print(made.assign(growth=made.iloc[:, 1] / made.iloc[:, 0]).to_string(float_format="{:,.2f}".format))


def measured(sellers: int) -> dict[str, float]:
    """Every figure for so many sellers."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        engine = connect(f"sqlite:///{Path(folder) / 'store.db'}")
        upgrade(engine)
        desk = Desk(engine, load_policy())
        _timed(figures, "store made", lambda: make_store(desk, sellers // DAYS))
        figures["events"] = _count(engine, EVENTS)
        figures |= state_times(desk, "state of one seller")
        _due(figures, "due after five weeks", desk, USUAL_DAY)
        _due(figures, "due a day later", desk, USUAL_DAY + timedelta(days=1))
        _due(figures, "due again, nothing", desk, USUAL_DAY + timedelta(days=1))
        _forget_told(engine)
        _due(figures, "due, everything at once", desk, MUCH_LATER)
        figures["peak memory so far, MB"] = _peak_memory_mb()
        _forget_states(engine)
        figures |= state_times(desk, "state from events alone")
        _timed(figures, "rebuild", lambda: rebuild(engine, desk.policy))
        figures["peak memory, MB"] = _peak_memory_mb()
        engine.dispose()
    return figures


def make_store(desk: Desk, copies: int) -> None:
    """A seller for each day of a month, and ``copies`` of it less one."""
    for day in range(DAYS):
        for command in story(day):
            answer = desk.submit(command)
            assert isinstance(answer, Receipt), str(answer)
    with desk.engine.begin() as connection:
        add_endpoint(
            connection, endpoint_id="erp", url="https://erp.example", secret=None, kinds=(), now=START
        )
        for table in (STREAMS, EVENTS, MESSAGES, FILES, DUE, *PROJECTIONS):
            _copy_rows(connection, table, copies - 1)
    desk.engine.dispose()  # the last connection that closes tidies the log away


def story(day: int) -> list[Command]:
    """A seller's ten events: proceeds, a case, a hold, a serious violation, more proceeds."""
    number = f"{day}-{MARK}"
    common = {
        "at": (START + timedelta(days=day)).isoformat(),
        "seller_id": f"s{number}",
        "case_id": f"c{number}",
    }
    proceeds = {"type": "credit_proceeds", "currency": "USD", "amount_minor": 50_000, "order_id": "o"}
    case = {
        "type": "open_case", "clauses": ["self_dealing"], "order_ids": [f"o{number}-{n}" for n in range(10)],
        "fake_order_count": 10, "fake_order_share": 0.2, "fake_gmv_minor": {"USD": 20_000}, "source": "scan",
    }  # fmt: skip
    decision = {
        "type": "decide_case",
        "outcome": "violation",
        "severity": "serious",
        "violation_id": f"v{number}",
    }
    steps = [
        ("system", proceeds),
        ("analyst", case),
        ("enforcer", {"type": "place_hold", "hold_id": f"h{number}", "scope": "all"}),
        ("enforcer", decision),
        ("enforcer", {"type": "complete_investigation"}),
        ("system", proceeds),
    ]
    return [
        parse_command({**common, **step, "key": f"{number} {place}", "actor": {"id": role, "role": role}})
        for place, (role, step) in enumerate(steps)
    ]


def _copy_rows(connection: Connection, table: Table, copies: int) -> None:
    """Every row so many times more, with the copy's number where the mark is."""
    taken = {
        column.name: f"replace({column.name}, '{MARK}', n)"
        if isinstance(column.type, Text | JSON)
        else column.name
        for column in table.columns
        if column is not MESSAGES.c.position
    }
    if table is MESSAGES:
        taken["message_id"] = "message_id || n"
    numbers = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :copies)"
    rows = f"SELECT {', '.join(taken.values())} FROM {table.name}, numbers"
    connection.execute(
        text(f"INSERT INTO {table.name} ({', '.join(taken)}) {numbers} {rows}"), {"copies": copies}
    )


def _timed(figures: dict[str, float], name: str, work: Callable[[], object]) -> None:
    wall, processor = time.perf_counter(), time.process_time()
    work()
    figures[f"{name}, s"] = time.perf_counter() - wall
    figures[f"{name}, processor s"] = time.process_time() - processor


def _due(figures: dict[str, float], name: str, desk: Desk, now: datetime) -> None:
    told: list[int] = []
    _timed(figures, name, lambda: told.append(sum(send_due(desk, now).values())))
    figures[f"{name}, things"] = told[0]
    figures[f"{name}, things per second"] = told[0] / figures[f"{name}, s"]


def state_times(desk: Desk, name: str) -> dict[str, float]:
    """Milliseconds for the state of sellers drawn at random, each asked once, on a connection of its own."""
    with desk.engine.connect() as connection:
        known = connection.scalars(select(STREAMS.c.seller_id)).all()
    wall, processor = [], []
    for seller_id in Random(7).sample(known, min(ASKED, len(known))):
        began = time.perf_counter(), time.process_time()
        desk.view(seller_id, USUAL_DAY)
        wall.append((time.perf_counter() - began[0]) * 1000)
        processor.append((time.process_time() - began[1]) * 1000)
    return {
        f"{name}, {kind} {percent} % ms": quantiles(taken, n=100)[percent - 1]
        for kind, taken in (("wall", wall), ("processor", processor))
        for percent in (50, 99)
    }


def _forget_told(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(update(DUE).values(sent_at=None))
        connection.execute(delete(DELIVERIES))
        connection.execute(delete(MESSAGES))


def _forget_states(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(update(STREAMS).values(state=None, state_form=None))


def _count(engine: Engine, table: Table) -> int:
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _peak_memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    typer.run(main)
