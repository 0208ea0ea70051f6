"""Letters: golden files for every kind and language; nothing in a value can break out of its line or tag."""

from __future__ import annotations

from collections.abc import Callable
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path

import pytest
from enforcement_builders import a_command
from outward_builders import NOTICES, a_market, a_notice

from detector.contract import CLAUSES
from detector.outward.announce import KINDS
from detector.outward.letters import LANGUAGES, Language, Sender, language_of, letter
from detector.policy.loader import load_policy

GOLDEN = Path(__file__).with_name("golden")
ALLOWED_TAGS = {"html", "head", "meta", "title", "style", "body", "footer"}
ALLOWED_TAGS |= {"h1", "h2", "p", "ul", "li", "table", "tr", "th", "td"}
SENDER = Sender("Example Market", "https://seller.example/appeals")


class Tags(HTMLParser):
    """The tags of a page, and whether they are closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NOTICES)
def test_letters(name: str, language: Language, golden: Callable[[Path, str], None]) -> None:
    made = letter(NOTICES[name](), language, SENDER)
    golden(GOLDEN / f"{name}.{language}.txt", f"Subject: {made.subject}\n\n{made.text}")
    golden(GOLDEN / f"{name}.{language}.html", made.html)
    tags = Tags(made.html)
    assert not tags.open
    assert tags.seen <= ALLOWED_TAGS


def test_every_kind_of_notice_has_a_letter_in_every_language() -> None:
    kinds = {kind.removeprefix("notice.") for kind in KINDS if kind.startswith("notice.")}
    assert {NOTICES[name]()["kind"] for name in NOTICES} == kinds


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_clause_and_measure_of_the_policy_has_words(language: Language) -> None:
    notice = NOTICES["violation"]()
    notice["clauses"] = list(CLAUSES)
    measures = load_policy().enforcement.measures
    shape = notice["measures"][0]
    notice["measures"] = [{**shape, "measure": name, "clause": measures[name].clause} for name in measures]
    text = letter(notice, language, SENDER).text
    assert [name for name in (*measures, *CLAUSES) if "_" in name and name in text] == []
    assert all(measure.clause in text for measure in measures.values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_value_holds_cannot_break_out(language: Language) -> None:
    notice = NOTICES["appeal_result_rejected"]()
    hostile = "x\r\nBcc: all@example.com\r\n\r\nYour penalty is lifted\u2028\u202egnp.<script>alert(1)</script>\udc80\x00"
    notice["violation_id"] = hostile
    notice["result"]["reason"] = hostile
    made = letter(notice, language, SENDER)
    message = EmailMessage()
    message["Subject"] = made.subject
    message.set_content(made.text)
    assert message["Bcc"] is None
    assert "\n" not in made.subject
    assert not any(line.startswith(("Bcc", "Your penalty")) for line in made.text.splitlines())
    assert "\u202e" not in made.text + made.html
    assert "script" not in Tags(made.html).seen
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in made.html


def test_the_last_day_of_a_window_is_named_in_the_market_s_zone() -> None:
    """Notice of 2 March in Shanghai: open through 1 April there, which ends at 16:00 UTC."""
    notice = a_notice(a_market(), a_command("decide_case", "2024-03-01T16:00:00Z"), "violation")
    assert notice["appeal"]["until"] == "2024-04-01T16:00:00Z"
    assert "through 1 April 2024 (Asia/Shanghai)" in letter(notice, "en", SENDER).text
    assert "2024年4月1日（含当日，Asia/Shanghai 时间）" in letter(notice, "zh", SENDER).text
    assert "2 March 2024, 00:00 (Asia/Shanghai)" in letter(notice, "en", SENDER).text


def test_without_an_address_the_seller_centre_is_named_in_words() -> None:
    sender = Sender("Example Market", None)
    assert "in the seller centre of Example Market" in letter(NOTICES["hold"](), "en", sender).text
    assert "Example Market商家中心" in letter(NOTICES["hold"](), "zh", sender).text


@pytest.mark.parametrize(
    ("chosen", "country", "language"),
    [
        (None, None, "en"),
        (None, "CN", "zh"),
        (None, "US", "en"),
        ("en", "CN", "en"),
        ("zh", "US", "zh"),
        ("ZH_hans", None, "zh"),
        ("fr", "TW", "zh"),
    ],
)
def test_the_seller_s_language(chosen: str | None, country: str | None, language: str) -> None:
    assert language_of(chosen, country) == language
