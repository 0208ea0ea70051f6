"""Random lives of two sellers: what must hold after every command, accepted or refused."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pytest
from enforcement_builders import FIELDS, SENDER, a_policy
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from detector.enforcement.book import Book
from detector.enforcement.commands import Command, FileAppeal
from detector.enforcement.events import AppealFiled, MoneyMoved, NoticeSent
from detector.enforcement.evolve import fold
from detector.enforcement.parse import parse_command
from detector.enforcement.refusals import IdempotencyConflict, Refusal
from detector.enforcement.replay import replay
from detector.enforcement.state import SellerState
from detector.enforcement.view import book_view

START = datetime(2024, 2, 28, 22, tzinfo=UTC)
ROLES = ("system", "analyst", "enforcer", "approver", "seller")
MICROSECOND = timedelta(microseconds=1)
POLICIES = (
    ("UTC", {}),
    ("Asia/Shanghai", {"ladder": "points"}),
    ("America/New_York", {"holds": {"hold_term": "earlier_of"}}),
    ("America/New_York", {"holds": {"hold_term": "fixed"}, "appeals": {"suspends_penalty": True}}),
    ("Asia/Shanghai", {"appeals": {"non_appealable": [{"severities": ["critical"]}]}}),
)
STEPS = st.sampled_from(
    [timedelta(0)] * 4 + [MICROSECOND, timedelta(hours=7), timedelta(days=1), timedelta(days=16)]
)
WAYS = st.sampled_from(["asked for"] * 12 + ["any"] * 3 + ["edge"] * 2 + ["again"])
Request = tuple[str, str, dict[str, str]]
"""Command, role, ids."""
AMOUNTS = st.sampled_from([1, 60, 90, 150])
CURRENCIES = st.sampled_from(["USD", "JPY"])
CHOICES: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "credit_proceeds": {
        "seller_id": st.sampled_from(["S1", "S2"]),
        "currency": CURRENCIES,
        "amount_minor": st.sampled_from([100, 700, 5000]),
    },
    "open_case": {
        "seller_id": st.sampled_from(["S1", "S2"]),
        "fake_order_count": st.sampled_from([1, 60, 300]),
        "fake_order_share": st.sampled_from([0.01, 0.2, 0.9]),
    },
    "extend_case": {
        "fake_order_count": st.sampled_from([2, 80, 400]),
        "fake_order_share": st.sampled_from([0.02, 0.3, 0.95]),
    },
    "place_hold": {
        "scope": st.fixed_dictionaries({"currency": CURRENCIES, "amount_minor": AMOUNTS}) | st.just("all")
    },
    "decide_case": {
        "outcome": st.sampled_from(["violation", "violation", "violation", "no_violation", "victim"]),
        "severity": st.sampled_from([None, "minor", "general", "serious", "critical"]),
    },
    "establish_loss": {
        "losses": st.lists(
            st.fixed_dictionaries(
                {
                    "to": st.sampled_from(["platform", "buyer:B1", "third_party:T1"]),
                    "currency": CURRENCIES,
                    "amount_minor": AMOUNTS,
                }
            ),
            min_size=1,
            max_size=2,
        )
    },
    "settle_hold": {"remainder": st.sampled_from(["return", "confiscate"])},
    "file_appeal": {"documents": st.sampled_from([["papers"], ["papers"], ["papers"], []])},
    "decide_appeal": {"outcome": st.sampled_from(["granted", "rejected", "rejected"])},
}
MAKES = {"open_case": "case", "place_hold": "hold", "decide_case": "violation", "file_appeal": "appeal"}
NEEDS = {
    "extend_case": ("case",),
    "place_hold": ("case",),
    "decide_case": ("case",),
    "approve_measures": ("violation",),
    "complete_investigation": ("case",),
    "establish_loss": ("case",),
    "settle_hold": ("hold",),
    "file_appeal": ("violation",),
    "decide_appeal": ("appeal",),
    "waive_appeal": ("violation",),
}


class Market(RuleBasedStateMachine):
    """Every step submits a command: mostly one the state asks for, sometimes any, sometimes a repeat."""

    @initialize(policy=st.sampled_from(POLICIES))
    def open_market(self, policy: tuple[str, dict[str, Any]]) -> None:
        zone, overrides = policy
        self.policy = a_policy(zone, **overrides)
        self.book = Book(self.policy)
        self.now = START
        self.submitted = 0
        self.lines: list[dict[str, Any]] = []
        self.refusals: list[tuple[int, str]] = []
        self.ids: dict[str, list[str]] = {"case": [], "hold": [], "violation": [], "appeal": []}

    @rule(data=st.data(), way=WAYS, step=STEPS)
    def step(self, data: st.DataObject, way: str, step: timedelta) -> None:
        self.now += step
        if way == "again" and self.lines:
            self.again(data)
        elif way == "edge":
            self.to_an_edge(data)
        elif way == "any":
            self.command(data, *self.anything(data))
        else:
            self.command(data, *data.draw(st.sampled_from(self.asked_for())))

    def asked_for(self) -> list[Request]:
        """What the state has room for, in a role that may give it."""
        view = book_view(self.book, self.now)
        proposed = {m["violation_id"] for s in view["sellers"].values() for m in s["measures_proposed"]}
        holding = {
            hold.case_id for s in self.book.sellers.values() for hold in s.holds.values() if not hold.ended
        }
        asked: list[tuple[str, str, str, int]] = []
        for violation_id, violation in view["violations"].items():
            is_open = violation["state"] in ("appeal_open", "second_appeal_open")
            asked.append(("approve_measures", "violation_id", violation_id, 3 * (violation_id in proposed)))
            asked.append(("file_appeal", "violation_id", violation_id, 4 * is_open))
            asked.append(("waive_appeal", "violation_id", violation_id, is_open))
            for appeal in violation["appeals"]:
                is_pending = appeal["state"] == "pending"
                asked.append(("decide_appeal", "appeal_id", appeal["appeal_id"], 3 * is_pending))
        for hold_id, hold in view["holds"].items():
            asked.append(("settle_hold", "hold_id", hold_id, 3 * (hold["state"] == "releasable")))
        for case_id, case in view["cases"].items():
            is_running = case["investigation"] == "running"
            asked.append(("establish_loss", "case_id", case_id, 2 * (case_id in holding)))
            asked.append(("extend_case", "case_id", case_id, case["state"] == "open"))
            asked.append(("decide_case", "case_id", case_id, 3 * (case["state"] == "open")))
            asked.append(("complete_investigation", "case_id", case_id, 2 * is_running))
            asked.append(("place_hold", "case_id", case_id, case["outcome"] in (None, "violation")))
        requests = [(kind, SENDER[kind], {name: known}) for kind, name, known, n in asked for _ in range(n)]
        return [*requests, *((kind, SENDER[kind], {}) for kind in ("open_case", "credit_proceeds"))]

    def anything(self, data: st.DataObject) -> Request:
        """Any command in any role about anything, known or not."""
        kind = data.draw(st.sampled_from(list(SENDER)))
        ids = {
            f"{subject}_id": data.draw(st.sampled_from([*self.ids[subject], "nowhere"]))
            for subject in (*NEEDS.get(kind, ()), *filter(None, [MAKES.get(kind)]))
        }
        return kind, data.draw(st.sampled_from([SENDER[kind], SENDER[kind], *ROLES])), ids

    def command(self, data: st.DataObject, kind: str, role: str, ids: dict[str, str]) -> None:
        second = kind in ("approve_measures", "decide_appeal")
        actor = data.draw(st.sampled_from(["lee", "lee", "kim"] if second else ["kim", "kim", "lee"]))
        fields = {name: data.draw(choice) for name, choice in CHOICES.get(kind, {}).items()}
        made = MAKES.get(kind)
        new = {f"{made}_id": f"{made}{len(self.lines)}"} if made else {}
        common = {"at": self.now.isoformat(), "type": kind, "key": f"k{len(self.lines)}"}
        self.submit({**common, "actor": {"id": actor, "role": role}, **FIELDS[kind], **fields, **new, **ids})

    def to_an_edge(self, data: st.DataObject) -> None:
        """A time marker at an instant at which something ends, or just before it."""
        view = json.dumps(book_view(self.book, self.now))
        ends = sorted({text for text in view.split('"') if text[:2] == "20" and "T" in text})
        later = [end for end in map(datetime.fromisoformat, ends) if end - MICROSECOND > self.now]
        if later:
            self.now = data.draw(st.sampled_from(later)) - data.draw(st.booleans()) * MICROSECOND
        self.command(data, "report_overdue", "system", {})

    def again(self, data: st.DataObject) -> None:
        """A line once more: nothing happens, or, with another amount, a conflict."""
        line = data.draw(st.sampled_from(self.lines))
        if line["key"] in {key for _, key in self.refusals}:
            return
        before = list(self.book.history)
        if line["type"] == "credit_proceeds":
            other = parse_command({**line, "amount_minor": line["amount_minor"] + 1})
            self.submitted += 1
            assert isinstance(self.book.submit(other), IdempotencyConflict)
        self.submitted += 1
        assert not isinstance(self.book.submit(parse_command(line)), Refusal)
        assert self.book.history == before

    def submit(self, line: dict[str, Any]) -> None:
        command = parse_command(line)
        before = (dict(self.book.sellers), list(self.book.history), self.book.latest)
        windows = self.windows()
        self.lines.append(line)
        self.submitted += 1
        answer = self.book.submit(command)
        if isinstance(answer, Refusal):
            self.refusals.append((len(self.lines), line["key"]))
            assert (dict(self.book.sellers), list(self.book.history), self.book.latest) == before
            return
        self.note_ids(line)
        if isinstance(command, FileAppeal):
            self.check_window(command, windows[command.violation_id])

    def note_ids(self, line: dict[str, Any]) -> None:
        made = MAKES.get(line["type"])
        if made and (made != "violation" or line["outcome"] == "violation"):
            self.ids[made].append(line[f"{made}_id"])

    def windows(self) -> dict[str, tuple[datetime, int]]:
        """Violation → trigger of its open window and the window's days, told from the notices alone."""
        windows: dict[str, tuple[datetime, int]] = {}
        for recorded in self.book.history:
            event = recorded.event
            if isinstance(event, NoticeSent) and event.violation_id is not None:
                _, days = windows.get(event.violation_id, (event.at, 30))
                if event.kind == "appeal_result":
                    windows[event.violation_id] = (event.at, 15)
                elif event.kind == "violation" and days == 30:
                    windows[event.violation_id] = (event.at, 30)
        return windows

    def check_window(self, command: Command, window: tuple[datetime, int]) -> None:
        """By dates only: the day of filing is at most so many days after the day of the trigger."""
        trigger, days = window
        zone = ZoneInfo(self.policy.timezone)
        passed = command.at.astimezone(zone).date() - trigger.astimezone(zone).date()
        assert passed.days <= days

    @invariant()
    def money_is_conserved(self) -> None:
        for state in self.book.sellers.values():
            for currency, accounts in state.accounts.items():
                assert sum(accounts.values()) == 0
                own = {
                    name: amount
                    for name, amount in accounts.items()
                    if name not in ("settlement", "platform")
                }
                assert min(own.values()) >= 0
                held = sum(h.money[currency].held for h in state.holds.values() if currency in h.money)
                assert held == own.get("held", 0)

    @invariant()
    def accounts_are_what_the_entries_say(self) -> None:
        sums: Counter[tuple[str, str, str]] = Counter()
        for recorded in self.book.history:
            if isinstance(recorded.event, MoneyMoved):
                entry = recorded.event.entry
                assert entry.amount_minor > 0
                sums[recorded.seller_id, entry.currency, entry.source] -= entry.amount_minor
                sums[recorded.seller_id, entry.currency, entry.target] += entry.amount_minor
        for state in self.book.sellers.values():
            for currency, accounts in state.accounts.items():
                for account, amount in accounts.items():
                    assert sums[state.seller_id, currency, account] == amount

    @invariant()
    def who_is_cleared_of_everything_has_all_proceeds(self) -> None:
        for state in self.book.sellers.values():
            cleared = (c.overturned or c.outcome in ("no_violation", "victim") for c in state.cases.values())
            if state.cases and all(cleared):
                for accounts in state.accounts.values():
                    assert accounts.get("payable", 0) == -accounts["settlement"]

    @invariant()
    def measures_have_a_violation_that_stands(self) -> None:
        view = book_view(self.book, self.now)
        for seller in view["sellers"].values():
            for phase in ("in_force", "scheduled", "proposed"):
                for measure in seller[f"measures_{phase}"]:
                    violation = view["violations"][measure["violation_id"]]
                    assert violation["state"] != "overturned"
                    deleted = measure["measure"] == "delete_account" and phase == "in_force"
                    assert not deleted or violation["state"] == "final"

    @invariant()
    def never_more_than_two_appeals(self) -> None:
        filed = Counter(
            recorded.event.violation_id
            for recorded in self.book.history
            if isinstance(recorded.event, AppealFiled)
        )
        assert max(filed.values(), default=0) <= 2

    def teardown(self) -> None:
        """The log replayed, and each seller's events folded, give the living state."""
        if not hasattr(self, "book"):
            return
        log = "\n".join(json.dumps(line) for line in self.lines).encode()
        replayed = replay(log, self.policy, self.now)
        refused = [(refusal.line, refusal.key) for refusal in replayed.refused]
        assert replayed.view() == {**book_view(self.book, self.now), "refused": replayed.view()["refused"]}
        assert refused == self.refusals
        for seller_id, state in self.book.sellers.items():
            events = (r.event for r in self.book.history if r.seller_id == seller_id)
            assert fold(SellerState(seller_id), events) == state


QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)


class TestMarket(Market.TestCase):
    settings = settings(
        max_examples=30, stateful_step_count=50, deadline=None, derandomize=True, suppress_health_check=QUIET
    )


class LongMarket(Market):
    """The same, and how many commands each life had."""

    lengths: ClassVar[list[int]] = []

    def teardown(self) -> None:
        super().teardown()
        if hasattr(self, "book"):
            self.lengths.append(self.submitted)


@pytest.mark.slow
class TestMarketThoroughly(LongMarket.TestCase):
    settings = settings(
        max_examples=2500,
        stateful_step_count=60,
        deadline=None,
        derandomize=True,
        suppress_health_check=QUIET,
    )

    def runTest(self) -> None:
        """At least 2,000 lives of at least 50 commands."""
        super().runTest()
        assert sum(length >= 50 for length in LongMarket.lengths) >= 2000
