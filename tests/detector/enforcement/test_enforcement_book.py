"""Many sellers in one book: keys, time, routing; and what the ladder refuses to guess."""

from __future__ import annotations

from datetime import timedelta

from enforcement_builders import DAY, a_book, a_command, a_policy, refused, taken

from detector.enforcement.book import Book
from detector.enforcement.decide import decide
from detector.enforcement.events import ReassessmentFlagged
from detector.enforcement.evolve import fold
from detector.enforcement.refusals import InvalidTransition, RoleNotAllowed, TimeWentBack, UnknownSubject
from detector.enforcement.state import SellerState
from detector.policy.loader import load_policy


def test_a_repeated_command_gets_the_first_answer_and_does_nothing():
    book = a_book(a_command("credit_proceeds", key="k"))
    before = dict(book.sellers), list(book.history), book.latest
    first = book.history[0].event
    again = taken(book, a_command("credit_proceeds", DAY + timedelta(days=3), key="k"))
    assert again == (first,)
    assert (dict(book.sellers), list(book.history), book.latest) == before


def test_each_seller_folds_from_its_own_events():
    book = a_book(
        a_command("credit_proceeds", key="1"),
        a_command("credit_proceeds", key="2", seller_id="S2", amount_minor=7),
        a_command("open_case", key="3"),
        a_command("open_case", key="4", case_id="C2", seller_id="S2"),
        a_command("place_hold", key="5"),
        a_command("decide_case", key="6", case_id="C2", outcome="victim"),
    )
    for seller_id, state in book.sellers.items():
        own = [recorded.event for recorded in book.history if recorded.seller_id == seller_id]
        assert fold(SellerState(seller_id), own) == state


def test_events_name_the_key_that_caused_them():
    book = a_book(a_command("credit_proceeds", key="a"), a_command("open_case", key="b"))
    assert [recorded.key for recorded in book.history] == ["a", "b"]


def test_an_id_of_another_seller_is_taken():
    book = a_book(a_command("open_case"))
    refusal = refused(book, a_command("open_case", seller_id="S2", key="other"))
    assert isinstance(refusal, InvalidTransition)
    assert str(refusal) == "case C1 is taken; cannot open_case. Allowed: a new id."
    assert "S2" not in book.sellers


def test_another_seller_is_told_whose_appeal_it_is():
    book = a_book(
        a_command("credit_proceeds", seller_id="S2"), a_command("open_case"), a_command("decide_case")
    )
    refusal = refused(book, a_command("file_appeal", actor={"id": "S2", "role": "seller"}))
    assert isinstance(refusal, RoleNotAllowed)
    assert str(refusal) == "actor S2 is another seller; cannot file_appeal. Allowed: seller S1."


def test_time_that_passed_without_a_command_counts():
    book = a_book(a_command("credit_proceeds"))
    book.advance(DAY + timedelta(days=2))
    refusal = refused(book, a_command("open_case", DAY + timedelta(days=1)))
    assert isinstance(refusal, TimeWentBack)
    book.advance(DAY)
    assert book.latest == DAY + timedelta(days=2)


def test_decide_returns_refusals_and_is_pure():
    policy, empty = a_policy(), SellerState("S1")
    command = a_command("place_hold")
    assert isinstance(decide(empty, command, policy, DAY), UnknownSubject)
    by_analyst = a_command("place_hold", actor={"id": "ann", "role": "analyst"})
    assert isinstance(decide(empty, by_analyst, policy, DAY), RoleNotAllowed)
    opened = a_command("open_case")
    assert decide(empty, opened, policy, DAY) == decide(empty, opened, policy, DAY)
    assert empty == SellerState("S1")


def test_an_overturned_violation_is_not_flagged_for_reassessment():
    book = a_book(
        *(a_command("open_case", key=case_id, case_id=case_id) for case_id in ("C1", "C2")),
        a_command("decide_case", key="1"),
        a_command("decide_case", key="2", case_id="C2", violation_id="V2"),
        a_command("file_appeal", key="3", appeal_id="A2", violation_id="V2"),
        a_command("file_appeal", key="4"),
        a_command("decide_appeal", key="5", appeal_id="A2", outcome="granted"),
    )
    events = taken(book, a_command("decide_appeal", key="6", outcome="granted"))
    assert not any(isinstance(event, ReassessmentFlagged) for event in events)


def test_the_time_marker_concerns_nobody():
    book = Book(a_policy())
    assert taken(book, a_command("report_overdue")) == ()
    assert decide(SellerState("S1"), a_command("report_overdue"), a_policy(), DAY) == ()
    assert book.sellers == {}
    assert book.latest == DAY


def test_every_step_of_the_shipped_ladder_revokes_rights_by_one_notice():
    # So that the first day of a hold's term does not depend on which of two notices is meant.
    section = load_policy().enforcement
    for step in (*section.by_occurrence, *section.by_points):
        revoking = [m for m in step.measures if section.measures[m.measure].revokes_rights]
        assert len({measure.needs_approval for measure in revoking}) <= 1
