"""kill -9 in the middle of commands: each is there as a whole, with its messages, or not at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from desk_builders import findings, rows
from enforcement_builders import SHIPPED, a_command
from sqlalchemy import Engine

from detector.desk.desk import Desk, Receipt
from detector.enforcement.commands import Command
from detector.store.events import EVENTS
from detector.store.messages import MESSAGES

WRITER = """
import sys
sys.path.insert(0, sys.argv[2])
from test_kill import opening
from enforcement_builders import SHIPPED
from detector.desk.desk import Desk
from detector.store.database import connect
desk = Desk(connect(sys.argv[1]), SHIPPED)
for n in range(10_000):
    desk.submit(opening(n))
    print(n, flush=True)
"""


def opening(n: int) -> Command:
    return a_command("open_case", key=str(n), case_id=f"C{n}", seller_id=f"S{n % 3}")


def test_a_killed_writer_leaves_whole_commands_and_their_messages(store: Engine, database_url: str):
    here = Path(__file__).parent
    paths = {"PYTHONPATH": ":".join([str(here.parents[2]), str(here), str(here.parent / "enforcement")])}
    command = [sys.executable, "-c", WRITER, database_url, str(here)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=paths) as writer:
        assert writer.stdout is not None
        acknowledged = [int(writer.stdout.readline()) for _ in range(20)]
        writer.kill()
    stored = rows(store, EVENTS)
    assert {str(n) for n in acknowledged} <= {row["key"] for row in stored}
    told = {str(row["payload"]["case_id"]): row["message_id"] for row in rows(store, MESSAGES)}
    assert set(told) == {f"C{row['key']}" for row in stored}
    assert findings(store) == []
    desk = Desk(store, SHIPPED)
    again = [desk.submit(opening(n)) for n in range(len(stored) + 1)]
    assert [one.repeated for one in again if isinstance(one, Receipt)] == [True] * len(stored) + [False]
    after = {str(row["payload"]["case_id"]): row["message_id"] for row in rows(store, MESSAGES)}
    assert {case_id: after[case_id] for case_id in told} == told
    assert len(after) == len(told) + 1
