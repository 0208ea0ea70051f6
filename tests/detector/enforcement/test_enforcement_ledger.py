"""Double entry: balanced at every step, and a statement that says why."""

from __future__ import annotations

from datetime import timedelta

from enforcement_builders import DAY, a_book, a_command, refused
from hypothesis import given
from hypothesis import strategies as st

from detector.enforcement.book import Book
from detector.enforcement.events import MoneyMoved
from detector.enforcement.ledger import Entry, balance, compensated_to, post, statement, total
from detector.enforcement.refusals import InsufficientFunds

ACCOUNTS = st.sampled_from(
    ["payable", "held", "confiscated", "compensated/platform", "settlement", "platform"]
)
ENTRIES = st.builds(
    Entry, st.sampled_from(["USD", "JPY"]), st.integers(1, 2**62), ACCOUNTS, ACCOUNTS, st.just("test")
)


@given(st.lists(ENTRIES))
def test_accounts_sum_to_zero_whatever_is_posted(entries: list[Entry]):
    accounts: dict[str, dict[str, int]] = {}
    for entry in entries:
        accounts = post(accounts, entry)
        assert total(accounts, "USD") == total(accounts, "JPY") == 0


def test_posting_leaves_the_accounts_before_it_alone():
    before = post({}, Entry("USD", 5, "settlement", "payable", "test"))
    post(before, Entry("USD", 5, "payable", "held", "test"))
    assert before == {"USD": {"settlement": -5, "payable": 5}}


def test_compensation_is_shown_per_payee_and_in_sum():
    accounts = post({}, Entry("USD", 5, "settlement", "held", "test"))
    accounts = post(accounts, Entry("USD", 2, "held", compensated_to("buyer:B1"), "test"))
    accounts = post(accounts, Entry("USD", 1, "held", compensated_to("platform"), "test"))
    assert balance(accounts, "USD", "compensated") == 3
    assert balance(accounts, "USD", "compensated/buyer:B1") == 2
    assert balance(accounts, "USD", "platform") == 0
    assert balance(accounts, "EUR", "held") == 0


def settled_and_restored() -> Book:
    """1000 credited, 600 held, 100 paid to a buyer, 500 confiscated; then the appeal is granted."""
    late = DAY + timedelta(days=100)
    losses = [{"to": "buyer:B1", "currency": "USD", "amount_minor": 100}]
    return a_book(
        a_command("credit_proceeds"),
        a_command("open_case"),
        a_command("place_hold", scope={"currency": "USD", "amount_minor": 600}),
        a_command("decide_case"),
        a_command("complete_investigation"),
        a_command("establish_loss", losses=losses),
        a_command("file_appeal", DAY + timedelta(days=30)),
        a_command("settle_hold", late, remainder="confiscate"),
        a_command("decide_appeal", late + timedelta(days=1), outcome="granted"),
    )


def test_a_statement_shows_every_entry_with_its_cause_and_the_running_balances():
    book = settled_and_restored()
    entries = [(r.event.at, r.event.entry) for r in book.history if isinstance(r.event, MoneyMoved)]
    lines = statement(entries, "USD")
    shown = [
        (
            line.entry.cause,
            line.entry.source,
            line.entry.target,
            line.entry.amount_minor,
            (line.payable_minor, line.held_minor, line.confiscated_minor, line.compensated_minor),
        )
        for line in lines
    ]
    assert shown == [
        ("credit_proceeds O1", "settlement", "payable", 1000, (1000, 0, 0, 0)),
        ("place_hold H1", "payable", "held", 600, (400, 600, 0, 0)),
        ("settle_hold H1", "held", "compensated/buyer:B1", 100, (400, 500, 0, 100)),
        ("settle_hold H1", "held", "confiscated", 500, (400, 0, 500, 100)),
        ("decide_appeal A1 granted", "confiscated", "payable", 500, (900, 0, 0, 100)),
        ("decide_appeal A1 granted", "platform", "payable", 100, (1000, 0, 0, 100)),
    ]
    assert statement(entries, "EUR") == ()


def test_the_platform_pays_what_it_owes_back():
    accounts = settled_and_restored().sellers["S1"].accounts
    assert balance(accounts, "USD", "platform") == -100
    assert balance(accounts, "USD", "settlement") == -1000
    assert total(accounts, "USD") == 0


def test_a_shortfall_is_named_per_currency():
    book = a_book(a_command("credit_proceeds"), a_command("open_case"), a_command("place_hold"))
    losses = [
        {"to": "platform", "currency": "USD", "amount_minor": 1001},
        {"to": "platform", "currency": "EUR", "amount_minor": 7},
    ]
    refusal = refused(book, a_command("establish_loss", losses=losses))
    assert isinstance(refusal, InsufficientFunds)
    assert refusal.shortfall_minor == {"EUR": 7, "USD": 1}
    assert "short of EUR 7, USD 1" in str(refusal)
