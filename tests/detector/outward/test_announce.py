"""What others learn of commands: over every scenario log, by the command that caused it, without buyers."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from enforcement_builders import a_book, a_command, taken
from enforcement_scenarios import Scenario, scenarios
from outward_builders import FINDINGS, SHARED_DEVICE, announced

from detector.enforcement.book import Book
from detector.enforcement.commands import Command
from detector.enforcement.parse import parse_command
from detector.enforcement.refusals import Refusal
from detector.enforcement.replay import LogUnreadable, read_log
from detector.outward.announce import KINDS, Announcement, announcements

FROM_TIME_OR_EVIDENCE = {"notice.reminder", "case.extended", "case.due", "hold.releasable", "violation.final"}
"""What no command of the contract announces."""


def kinds(made: list[Announcement]) -> list[str]:
    return [announcement.kind for announcement in made]


def commands_of(scenario: Scenario) -> Iterator[Command]:
    try:
        for _, line in read_log(scenario.log):
            yield parse_command(line)
    except (Refusal, LogUnreadable):
        return


def a_found_violation(**fields: object) -> Book:
    return a_book(
        a_command("credit_proceeds", amount_minor=5000),
        a_command("open_case"),
        a_command("place_hold"),
        a_command("decide_case", severity="serious", **fields),
    )


def test_every_scenario_can_be_announced_with_known_kinds_and_distinct_ids_and_without_a_buyer() -> None:
    seen: set[str] = set()
    for scenario in scenarios():
        book, ids = Book(scenario.policy), []
        for command in commands_of(scenario):
            first = len(book.history)
            events = book.submit(command)
            if isinstance(events, Refusal) or len(book.history) == first:
                continue
            state = book.sellers[book.history[-1].seller_id]
            made = announcements(state, first, events, book.policy, FINDINGS)
            assert made == announcements(state, first, events, book.policy, FINDINGS)
            ids += [announcement.message_id for announcement in made]
            seen |= set(kinds(made))
            assert "buyer:" not in json.dumps([announcement.payload for announcement in made])
        assert len(ids) == len(set(ids)), scenario.name
    assert seen == set(KINDS) - FROM_TIME_OR_EVIDENCE


def test_a_decision_announces_the_violation_the_measures_and_the_notice() -> None:
    book = a_book(a_command("open_case"))
    made = announced(book, a_command("decide_case", severity="general"))
    assert kinds(made) == ["case.decided", "violation.found", "notice.violation", "seller.measures"]
    notice, measures = made[2].payload, made[3].payload
    assert notice["found"] == {
        "fake_order_count": 1,
        "fake_order_share": 0.01,
        "fake_gmv_minor": {"USD": 1000},
        "order_ids": ["O1"],
        "order_ids_left_out": 0,
        "findings": [
            {"clause": "self_dealing", "order_count": 2, "message": dict(SHARED_DEVICE.message)},
        ],
    }
    assert notice["clauses"] == ["self_dealing"]
    assert notice["appeal"] == {
        "appealable": True,
        "stage": 1,
        "until": "2024-04-01T00:00:00Z",
        "suspends_measures": False,
    }
    assert [(m["measure"], m["clause"], m["phase"], m["until"]) for m in notice["measures"]] == [
        ("formal_warning", "3.1", "in_force", None),
        ("remove_fake_sales_and_reviews", "3.2", "in_force", None),
        ("suspend_listing", "3.3", "in_force", "2024-03-09T00:00:00Z"),
    ]
    assert [m["measure"] for m in measures["measures_in_force"]] == [m["measure"] for m in notice["measures"]]


def test_a_settled_hold_tells_how_much_went_where_but_not_to_whom() -> None:
    book = a_book(
        a_command("credit_proceeds", amount_minor=1000),
        a_command("open_case"),
        a_command("place_hold"),
        a_command("complete_investigation"),
        a_command("establish_loss", losses=[{"to": "buyer:MARKED", "currency": "USD", "amount_minor": 300}]),
    )
    made = announced(book, a_command("settle_hold", at="2024-09-01T00:00:00Z"))
    assert kinds(made) == ["hold.settled", "notice.hold"]
    notice = made[1].payload
    assert (notice["compensated_minor"], notice["returned_minor"], notice["confiscated_minor"]) == (
        {"USD": 300},
        {"USD": 700},
        {},
    )
    assert notice["case_id"] == "C1"
    assert notice["holds"][0]["state"] == "settled"
    assert "MARKED" not in json.dumps([announcement.payload for announcement in made])


def test_a_granted_appeal_announces_the_restoration() -> None:
    book = a_found_violation()
    taken(book, a_command("file_appeal", at="2024-03-02"))
    made = announced(book, a_command("decide_appeal", at="2024-03-03", outcome="granted"))
    assert kinds(made) == [
        "appeal.decided",
        "hold.returned",
        "notice.appeal_result",
        "notice.restoration",
        "seller.measures",
    ]
    assert made[2].payload["result"]["outcome"] == "granted"
    assert made[3].payload["because"] == "appeal_granted"
    assert made[3].payload["returned_minor"] == {"USD": 5000}
    assert made[4].payload["measures_in_force"] == []


@pytest.mark.parametrize("outcome", ["no_violation", "victim"])
def test_a_case_without_violation_restores_the_hold(outcome: str) -> None:
    book = a_book(
        a_command("credit_proceeds", amount_minor=5000), a_command("open_case"), a_command("place_hold")
    )
    made = announced(book, a_command("decide_case", outcome=outcome, severity=None, violation_id=None))
    assert kinds(made) == ["case.decided", "hold.returned", "notice.restoration"]
    assert made[2].payload["because"] == outcome
    assert made[2].payload["violation_id"] is None
    assert made[2].payload["returned_minor"] == {"USD": 5000}


def test_a_long_list_of_orders_is_cut_and_says_so() -> None:
    book = a_book(a_command("open_case", order_ids=[f"O{number}" for number in range(103)]))
    made = announced(book, a_command("decide_case"))
    found = next(a.payload["found"] for a in made if a.kind == "notice.violation")
    assert (len(found["order_ids"]), found["order_ids_left_out"]) == (100, 3)
    assert len(made[1].payload["case"]["order_ids"]) == 103


def test_evidence_that_joins_a_case_is_announced_with_all_of_its_orders() -> None:
    book = a_book(a_command("open_case"))
    made = announced(book, a_command("extend_case", order_ids=["O7"]))
    assert kinds(made) == ["case.extended"]
    assert made[0].payload["order_ids"] == ["O1", "O7"]
