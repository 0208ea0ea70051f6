"""What is due is told once, at whatever time the run comes; the state never depends on it."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from desk_builders import accept, bring, projected, rows
from enforcement_builders import SHIPPED, a_command
from sqlalchemy import Engine

from detector.desk.desk import Desk
from detector.desk.due import send_due
from detector.desk.rebuild import rebuild
from detector.store.messages import MESSAGES
from detector.store.projections import DUE

DAY = datetime(2024, 3, 1, 12, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SUSPENSION_ENDS = datetime(2024, 3, 16, tzinfo=UTC)
BENEFITS_BACK = datetime(2024, 3, 30, tzinfo=UTC)
WINDOW_CLOSES = datetime(2024, 4, 1, tzinfo=UTC)
TERM_ENDS = datetime(2024, 5, 31, tzinfo=UTC)


@pytest.fixture
def desk(store: Engine) -> Desk:
    """A hold, a completed investigation, and a serious violation of 1 March 2024, noticed at noon."""
    desk = Desk(store, SHIPPED)
    bring(store, "S1", "invoice.pdf")
    accept(
        desk,
        a_command("credit_proceeds", DAY),
        a_command("open_case", DAY),
        a_command("place_hold", DAY),
        a_command("complete_investigation", DAY),
        a_command("decide_case", DAY, severity="serious"),
    )
    return desk


def told(desk: Desk, now: datetime) -> list[tuple[str, datetime]]:
    """What a run of ``now`` puts into the outbox, in its order."""
    before = len(rows(desk.engine, MESSAGES))
    send_due(desk, now)
    return [(str(row["kind"]), row["at"]) for row in rows(desk.engine, MESSAGES)[before:]]


REMINDER = ("notice.reminder", WINDOW_CLOSES - timedelta(days=3))
EXPECTED = [
    ("seller.measures", SUSPENSION_ENDS),
    REMINDER,
    ("seller.measures", BENEFITS_BACK),
    ("violation.final", WINDOW_CLOSES),
    ("hold.releasable", TERM_ENDS),
]


def test_each_thing_is_told_at_its_instant_and_once(desk: Desk):
    for kind, at in EXPECTED:
        assert told(desk, at - MICROSECOND) == []
        assert told(desk, at) == [(kind, at)]
        assert told(desk, at) == []


def test_missed_runs_change_nothing_but_the_sending(desk: Desk):
    late = TERM_ENDS + timedelta(days=3)
    before = desk.view("S1", late)
    assert told(desk, late) == [one for one in EXPECTED if one != REMINDER]
    assert desk.view("S1", late) == before
    assert told(desk, late) == []


def test_what_is_told_is_what_was_true_then(desk: Desk):
    send_due(desk, SUSPENSION_ENDS)
    payload = rows(desk.engine, MESSAGES)[-1]["payload"]
    in_force = {measure["measure"] for measure in payload["measures_in_force"]}
    assert in_force == set(before_end(desk)) - {"suspend_listing"}


def before_end(desk: Desk) -> list[str]:
    view = desk.view("S1", SUSPENSION_ENDS - MICROSECOND)
    return [measure["measure"] for measure in view["sellers"]["S1"]["measures_in_force"]]


def test_what_an_appeal_changes_is_told_as_it_then_is(desk: Desk):
    accept(desk, a_command("file_appeal", DAY + timedelta(days=20)))
    assert told(desk, WINDOW_CLOSES) == [EXPECTED[0], EXPECTED[2]]
    accept(desk, a_command("decide_appeal", WINDOW_CLOSES))
    second = datetime(2024, 4, 17, tzinfo=UTC)
    assert (
        told(desk, second)
        == [("notice.reminder", second - timedelta(days=3)), ("violation.final", second)][1:]
    )


def test_a_granted_appeal_leaves_nothing_to_tell(desk: Desk):
    accept(desk, a_command("file_appeal", DAY + timedelta(days=2)))
    accept(desk, a_command("decide_appeal", DAY + timedelta(days=3), outcome="granted"))
    assert told(desk, TERM_ENDS) == []


def test_a_rebuild_tells_nothing_twice(desk: Desk):
    send_due(desk, WINDOW_CLOSES)
    live = projected(desk.engine)
    rebuild(desk.engine, desk.policy)
    assert projected(desk.engine) == live
    assert told(desk, TERM_ENDS) == [EXPECTED[-1]]


def test_a_case_that_should_have_been_decided_is_told_once_for_each_due_date(store: Engine):
    desk = Desk(store, SHIPPED)
    accept(desk, a_command("open_case", DAY))
    due_at = datetime(2024, 3, 16, tzinfo=UTC)
    assert told(desk, due_at - MICROSECOND) == []
    assert told(desk, due_at) == [("case.due", due_at)]
    assert told(desk, due_at) == []
    accept(
        desk,
        a_command("open_case", DAY, case_id="C2", key="2"),
        a_command("decide_case", DAY, case_id="C2", outcome="victim"),
    )
    assert told(desk, due_at + timedelta(days=1)) == []


def violations(desk: Desk, count: int) -> None:
    """A serious violation of each of so many sellers, on three days."""
    for n in range(count):
        own = {"case_id": f"C{n}", "seller_id": f"S{n}"}
        accept(desk, a_command("open_case", DAY, key=f"o{n}", **own))
        decide = {"case_id": f"C{n}", "violation_id": f"V{n}", "severity": "serious", "key": f"d{n}"}
        accept(desk, a_command("decide_case", DAY + timedelta(days=n % 3), **decide))


def test_runs_at_the_same_time_tell_each_thing_once(store: Engine):
    desk = Desk(store, SHIPPED)
    violations(desk, 12)
    before = len(rows(store, MESSAGES))
    with ThreadPoolExecutor(4) as pool:
        sent = sum(pool.map(lambda _: send_due(desk, TERM_ENDS), range(4)), Counter())
    kinds = Counter(str(row["kind"]) for row in rows(store, MESSAGES)[before:])
    assert kinds == {"seller.measures": 24, "violation.final": 12}
    assert sent == kinds | {"notice.reminder": 12}
    assert all(row["sent_at"] == TERM_ENDS for row in rows(store, DUE))


def test_of_each_seller_things_are_told_in_the_order_of_time(store: Engine):
    desk = Desk(store, SHIPPED)
    violations(desk, 30)
    before = len(rows(desk.engine, MESSAGES))
    send_due(desk, TERM_ENDS)
    made = rows(desk.engine, MESSAGES)[before:]
    for n in range(30):
        times = [row["at"] for row in made if row["seller_id"] == f"S{n}"]
        assert times == sorted(times)
    assert len([row for row in made if row["kind"] == "violation.final"]) == 30
    assert all(row["sent_at"] == TERM_ENDS for row in rows(desk.engine, DUE))
