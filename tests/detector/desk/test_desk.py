"""The desk on both databases: commands in one transaction, keys taken once, many writers at a time."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from desk_builders import accept, bring, findings, projected, refuse, rows
from enforcement_builders import DAY, SHIPPED, a_book, a_command
from sqlalchemy import Engine, create_engine, update

from detector.desk.desk import Desk, Receipt
from detector.desk.rebuild import rebuild
from detector.enforcement.codec import write_state
from detector.enforcement.commands import Actor, Command
from detector.enforcement.refusals import (
    IdempotencyConflict,
    InvalidCommand,
    InvalidTransition,
    Refusal,
    TimeWentBack,
    UnknownSubject,
)
from detector.enforcement.view import book_view
from detector.store.appeal_documents import APPEAL_DOCUMENTS
from detector.store.audit import ENTRIES
from detector.store.events import CACHE_EVERY, EVENTS, STREAMS
from detector.store.messages import MESSAGES
from detector.store.projections import REMOVED_ORDERS

STORY = (
    a_command("credit_proceeds"),
    a_command("open_case"),
    a_command("extend_case"),
    a_command("place_hold"),
    a_command("decide_case", severity="critical"),
    a_command("approve_measures"),
    a_command("file_appeal", documents=["invoice.pdf", {"document_id": "letter", "pages": 2}]),
)


@pytest.fixture
def desk(store: Engine) -> Desk:
    bring(store, "S1", "invoice.pdf", "letter")
    bring(store, "S2", "receipt-of-s2")
    return Desk(store, SHIPPED)


def test_a_story_ends_in_the_same_state_as_in_memory(desk: Desk):
    accept(desk, *STORY)
    book = a_book(*STORY, policy=SHIPPED)
    later = DAY + timedelta(days=20)
    assert desk.state("S1", later) == book.sellers["S1"]
    assert desk.view("S1", later) == book_view(book, later)
    assert findings(desk.engine) == []


def test_the_state_as_of_an_instant_knows_nothing_later(desk: Desk):
    accept(desk, a_command("credit_proceeds"), a_command("open_case", DAY + timedelta(days=1)))
    before = desk.state("S1", DAY + timedelta(days=1) - timedelta(microseconds=1))
    assert (dict(before.cases), before.entries) == ({}, 1)
    assert list(desk.state("S1", DAY + timedelta(days=1)).cases) == ["C1"]
    assert desk.state("S1", DAY - timedelta(days=1)).entries == 0


def test_a_repeated_command_gets_the_first_answer_and_leaves_no_trace(desk: Desk):
    first = accept(desk, a_command("credit_proceeds", key="k"))
    again = accept(desk, a_command("credit_proceeds", DAY + timedelta(days=1), key="k"))
    assert (again.events, again.repeated) == (first.events, True)
    assert len(rows(desk.engine, EVENTS)) == len(rows(desk.engine, ENTRIES)) == 1
    other = refuse(desk, a_command("credit_proceeds", key="k", amount_minor=7))
    assert isinstance(other, IdempotencyConflict)


def test_a_refused_command_changes_nothing_but_the_audit_log(desk: Desk):
    accept(desk, a_command("open_case"))
    before = projected(desk.engine), rows(desk.engine, EVENTS), rows(desk.engine, MESSAGES)
    assert isinstance(refuse(desk, a_command("open_case", key="2", seller_id="S2")), InvalidTransition)
    assert (projected(desk.engine), rows(desk.engine, EVENTS), rows(desk.engine, MESSAGES)) == before
    entry = rows(desk.engine, ENTRIES)[-1]
    assert (entry["accepted"], entry["error"], entry["kind"]) == (False, "InvalidTransition", "open_case")
    assert entry["detail"] == "case C1 is taken; cannot open_case. Allowed: a new id."


def test_a_malformed_command_is_refused_and_logged(desk: Desk):
    fields = {"case_id": "C1", "outcome": "guilty"}
    answer = desk.submit_data("decide_case", fields, key="k", actor=Actor("eve", "enforcer"), now=DAY)
    assert isinstance(answer, InvalidCommand)
    assert answer.field == "outcome"
    entry = rows(desk.engine, ENTRIES)[-1]
    assert (entry["error"], entry["content"]) == ("InvalidCommand", '{"case_id": "C1", "outcome": "guilty"}')
    good = desk.submit_data("report_overdue", {}, key="k2", actor=Actor("sys", "system"), now=DAY)
    assert isinstance(good, Receipt)


def test_clocks_that_differ_by_little_do_not_stop_a_command(desk: Desk):
    accept(desk, a_command("credit_proceeds"))
    late = accept(desk, a_command("open_case", DAY - timedelta(seconds=5)))
    assert late.command.at == DAY
    assert isinstance(refuse(desk, a_command("extend_case", DAY - timedelta(seconds=6))), TimeWentBack)


def test_the_stored_state_is_only_a_cache(desk: Desk):
    credits = [a_command("credit_proceeds", key=str(n)) for n in range(CACHE_EVERY + 3)]
    accept(desk, *credits)
    cached = rows(desk.engine, STREAMS)[0]
    assert cached["state_sequence"] == CACHE_EVERY
    assert desk.state("S1", DAY).entries == CACHE_EVERY + 3
    with desk.engine.begin() as connection:
        connection.execute(update(STREAMS).values(state_form="of another version"))
    accept(desk, a_command("open_case"))
    state = desk.state("S1", DAY)
    assert state == a_book(*credits, a_command("open_case")).sellers["S1"]
    rebuild(desk.engine, desk.policy)
    assert rows(desk.engine, STREAMS)[0]["state"] == write_state(state)


@pytest.mark.parametrize(
    ("named", "shown"),
    [
        ("nowhere.pdf", "nowhere.pdf"),
        ("receipt-of-s2", "receipt-of-s2"),
        ({"document_id": "nowhere"}, "nowhere"),
        ({"name": "a letter"}, '{"name": "a letter"}'),
        ({"document_id": "nul\0"}, '{"document_id": "nul\\u0000"}'),
    ],
)
def test_an_appeal_names_documents_that_the_seller_has_brought(desk: Desk, named: object, shown: str):
    accept(desk, *STORY[:-1])
    before = desk.state("S1", DAY)
    refusal = refuse(desk, a_command("file_appeal", documents=["invoice.pdf", named]))
    assert isinstance(refusal, UnknownSubject)
    assert (refusal.subject, refusal.subject_id) == ("document", shown)
    assert desk.state("S1", DAY) == before
    accept(desk, a_command("file_appeal"))


def test_the_documents_of_an_appeal_are_found_by_its_case(desk: Desk):
    accept(desk, *STORY)
    linked = {
        (row["document_id"], row["appeal_id"], row["case_id"]) for row in rows(desk.engine, APPEAL_DOCUMENTS)
    }
    assert linked == {("invoice.pdf", "A1", "C1"), ("letter", "A1", "C1")}


def test_removed_orders_come_back_when_the_violation_is_overturned(desk: Desk):
    accept(desk, *STORY)
    marks = {(row["order_id"], row["violation_id"]) for row in rows(desk.engine, REMOVED_ORDERS)}
    assert marks == {("O1", "V1"), ("O2", "V1")}
    accept(desk, a_command("decide_appeal", outcome="granted"))
    assert rows(desk.engine, REMOVED_ORDERS) == []


def test_an_order_removed_by_two_violations_stays_removed_when_one_falls(desk: Desk):
    second = {"case_id": "C2", "violation_id": "V2"}
    accept(
        desk,
        a_command("open_case"),
        a_command("open_case", key="2", case_id="C2", order_ids=["O1", "O7"]),
        a_command("decide_case"),
        a_command("decide_case", key="3", **second),
        a_command("file_appeal"),
        a_command("decide_appeal", outcome="granted"),
    )
    marks = [(row["order_id"], row["violation_id"]) for row in rows(desk.engine, REMOVED_ORDERS)]
    assert marks == [("O1", "V2"), ("O7", "V2")]


@pytest.fixture
def crowd(store: Engine) -> Iterator[Desk]:
    """A desk with room for fifty connections."""
    if store.dialect.name == "sqlite":
        yield Desk(store, SHIPPED)
        return
    engine = create_engine(store.url, pool_size=50)
    yield Desk(engine, SHIPPED)
    engine.dispose()


def at_once(desk: Desk, commands: list[Command]) -> list[Receipt | Refusal]:
    with ThreadPoolExecutor(50) as pool:
        return list(pool.map(desk.submit, commands))


def test_fifty_writers_on_one_seller_lose_and_double_nothing(crowd: Desk):
    commands = [a_command("credit_proceeds", key=str(n), amount_minor=n + 1) for n in range(100)]
    answers = at_once(crowd, commands)
    assert all(isinstance(answer, Receipt) and not answer.repeated for answer in answers)
    stored = rows(crowd.engine, EVENTS)
    assert [row["sequence"] for row in stored] == list(range(1, 101))
    assert {row["key"] for row in stored} == {command.key for command in commands}
    assert crowd.state("S1", DAY).accounts["USD"]["payable"] == sum(range(1, 101))
    assert findings(crowd.engine) == []
    assert [row["number"] for row in rows(crowd.engine, ENTRIES)] == list(range(1, 101))


def test_fifty_times_the_same_key_at_once_is_one_command(crowd: Desk):
    answers = at_once(crowd, [a_command("credit_proceeds", key="k")] * 50)
    assert all(isinstance(answer, Receipt) for answer in answers)
    assert [answer.repeated for answer in answers if isinstance(answer, Receipt)].count(False) == 1
    assert len(rows(crowd.engine, EVENTS)) == len(rows(crowd.engine, ENTRIES)) == 1


def test_fifty_sellers_that_want_one_case_id_get_one_case(crowd: Desk):
    answers = at_once(crowd, [a_command("open_case", key=str(n), seller_id=f"S{n}") for n in range(50)])
    refused = [answer for answer in answers if isinstance(answer, Refusal)]
    assert len(refused) == 49
    assert {str(answer) for answer in refused} == {"case C1 is taken; cannot open_case. Allowed: a new id."}
    assert len(rows(crowd.engine, STREAMS)) == 1
    assert findings(crowd.engine) == []


def test_the_log_replayed_gives_the_living_state(crowd: Desk):
    """Commands of many kinds from many threads; what the events say is what the state is."""
    for seller in ("S1", "S2", "S3"):
        bring(crowd.engine, seller, f"invoice-{seller}")
    kinds = ("open_case", "extend_case", "place_hold", "decide_case", "file_appeal", "waive_appeal")
    for kind in kinds:
        wanted = [(seller, n) for n in range(3) for seller in ("S1", "S2", "S3")]
        at_once(crowd, [a_command(kind, key=f"{kind} {who} {n}", **ids(kind, who)) for who, n in wanted])
    types = {row["type"] for row in rows(crowd.engine, EVENTS)}
    assert {"case_opened", "hold_placed", "violation_found", "notice_sent"} <= types
    live = projected(crowd.engine)
    rebuild(crowd.engine, crowd.policy)
    assert projected(crowd.engine) == live
    assert findings(crowd.engine) == []


def ids(kind: str, seller: str) -> dict[str, object]:
    own = {
        "case_id": f"C{seller}",
        "hold_id": f"H{seller}",
        "violation_id": f"V{seller}",
        "appeal_id": f"A{seller}",
    }
    given = {name: value for name, value in own.items() if name in a_fields(kind)}
    if kind == "file_appeal":
        given["documents"] = [f"invoice-{seller}"]
    if kind in ("file_appeal", "waive_appeal"):
        given["actor"] = {"id": seller, "role": "seller"}
    return given | ({"seller_id": seller} if kind == "open_case" else {})


def a_fields(kind: str) -> set[str]:
    return set(type(a_command(kind)).__dataclass_fields__)
