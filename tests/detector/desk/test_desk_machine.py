"""Random lives again, on a database: the desk answers as the book does and ends up with the same."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from desk_builders import bring, findings, projected, rows
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize
from test_enforcement_machine import POLICIES, QUIET, Market

from detector.desk.desk import Desk, Receipt
from detector.desk.rebuild import rebuild
from detector.enforcement.book import Book
from detector.enforcement.commands import Command, FileAppeal
from detector.enforcement.events import Event
from detector.enforcement.refusals import Refusal
from detector.policy.schema import Policy
from detector.store.audit import ENTRIES
from detector.store.database import connect, upgrade
from detector.store.events import EVENTS


class Twin(Book):
    """A book that asks a desk the same and compares."""

    def __init__(self, policy: Policy, desk: Desk) -> None:
        super().__init__(policy)
        self.desk = desk
        self.asked = 0

    def submit(self, command: Command) -> tuple[Event, ...] | Refusal:
        command = self._with_own_papers(command)
        repeated = command.key in self._answers
        answer = super().submit(command)
        desks = self.desk.submit(command)
        self.asked += isinstance(answer, Refusal) or not repeated
        if isinstance(answer, Refusal):
            assert isinstance(desks, Refusal)
            assert (desks.name, str(desks)) == (answer.name, str(answer))
        else:
            assert isinstance(desks, Receipt)
            assert (desks.events, desks.repeated) == (answer, repeated)
        return answer

    def _with_own_papers(self, command: Command) -> Command:
        """A document is one seller's: the appellant's own in place of the market's word for it."""
        if not isinstance(command, FileAppeal) or not command.documents:
            return command
        owners = (s.seller_id for s in self.sellers.values() if command.violation_id in s.violations)
        return replace(command, documents=(f"papers-{next(owners, 'nobody')}",))


class DeskMarket(Market):
    """The market of the pure core, with a desk at its side."""

    @initialize(policy=st.sampled_from(POLICIES))
    def open_market(self, policy: tuple[str, dict[str, Any]]) -> None:
        super().open_market(policy)
        self.folder = tempfile.TemporaryDirectory()
        self.engine = connect(f"sqlite:///{Path(self.folder.name) / 'store.db'}")
        upgrade(self.engine)
        for seller_id in ("S1", "S2"):
            bring(self.engine, seller_id, f"papers-{seller_id}")
        self.book = Twin(self.policy, Desk(self.engine, self.policy))

    def teardown(self) -> None:
        super().teardown()
        if not hasattr(self, "folder"):
            return
        stored = [(row["seller_id"], row["sequence"]) for row in rows(self.engine, EVENTS)]
        assert len(stored) == len(self.book.history)
        for seller_id, state in self.book.sellers.items():
            assert self.book.desk.state(seller_id, self.now) == state
        assert len(rows(self.engine, ENTRIES)) == self.book.asked
        assert findings(self.engine) == []
        live = projected(self.engine)
        rebuild(self.engine, self.policy)
        assert projected(self.engine) == live
        self.engine.dispose()
        self.folder.cleanup()


class TestDeskMarket(DeskMarket.TestCase):
    settings = settings(
        max_examples=6, stateful_step_count=40, deadline=None, derandomize=True, suppress_health_check=QUIET
    )
