"""The policy file: the shipped one loads; a wrong one is refused with file, line, text and what is right."""

from __future__ import annotations

import hashlib
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from detector.errors import PolicyError
from detector.policy.loader import DEFAULT_POLICY, load_policy, parse_policy

TEXT = DEFAULT_POLICY.read_text(encoding="utf-8")


def changed(old: str, new: str) -> bytes:
    assert old in TEXT
    return TEXT.replace(old, new, 1).encode()


def refusal(content: bytes) -> str:
    with pytest.raises(PolicyError) as caught:
        parse_policy(content, "market.toml")
    return str(caught.value)


def line_of(part: str, text: str = TEXT) -> int:
    return text[: text.index(part)].count("\n") + 1


def test_the_shipped_policy_says_what_the_source_says():
    policy = load_policy()
    section = policy.enforcement
    assert policy.timezone == "UTC"
    assert policy.zone == ZoneInfo("UTC")
    assert policy.sha256 == hashlib.sha256(DEFAULT_POLICY.read_bytes()).hexdigest()
    assert (section.ladder, section.occurrence_days) == ("occurrence", 365)
    assert (section.holds.hold_term, section.holds.days) == ("later_of", 90)
    assert (section.appeals.first_days, section.appeals.second_days) == (30, 15)
    assert section.appeals.suspends_penalty is False
    revoking = {measure.clause for measure in section.measures.values() if measure.revokes_rights}
    assert revoking == {"3.3", "3.4", "3.6", "3.7", "3.9"}
    assert {measure.clause for measure in section.measures.values()} == {f"3.{n}" for n in range(1, 11)}


def test_every_number_of_the_enforcement_section_has_its_clause_beside_it():
    section = TEXT[TEXT.index("[enforcement]") : TEXT.index("[enforcement.measures]")]
    for line in section.splitlines():
        if " = " in line and not line.lstrip().startswith("#"):
            assert "§" in line, line


def test_a_file_is_loaded_from_its_path(tmp_path: Path):
    file = tmp_path / "market.toml"
    file.write_bytes(changed('timezone = "UTC"', 'timezone = "Asia/Shanghai"').replace(b"\n", b"\r\n"))
    policy = load_policy(file)
    assert policy.timezone == "Asia/Shanghai"
    assert policy.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


def test_another_zone_leaves_the_rest_alone():
    policy = load_policy()
    assert policy.in_zone("Asia/Shanghai").zone == ZoneInfo("Asia/Shanghai")
    assert policy.in_zone("Asia/Shanghai").in_zone("UTC") == policy


def test_a_loaded_policy_is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        load_policy().version = "2"


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(PolicyError, match=r"nowhere\.toml: cannot read the policy file: No such file"):
        load_policy(tmp_path / "nowhere.toml")


WRONG = [
    (
        "first_days = 30 ",
        "first_days = true ",
        "first_days: `first_days = true`: it should be a valid integer",
    ),
    ("first_days = 30 ", "first_days = 0 ", "`first_days = 0`: it should be greater than or equal to 1"),
    ("first_days = 30 ", "frist_days = 30 ", "`frist_days = 30`: unknown name; did you mean 'first_days'?"),
    (
        'ladder = "occurrence"',
        'ladder = "both"',
        "`ladder = \"both\"`: it should be 'occurrence' or 'points'",
    ),
    ('timezone = "UTC"', 'timezone = "Mars"', '`timezone = "Mars"`: it should be an IANA time zone name'),
    (
        'measure = "suspend_listing", days = 7',
        'measure = "suspend_lsting", days = 7',
        "it should be a name of [enforcement.measures]; did you mean 'suspend_listing'?",
    ),
    (
        'measure = "suspend_listing", days = 7',
        'measure = "suspend_listing"',
        "suspend_listing is temporary: it should have days = 1 or more",
    ),
    (
        'measure = "suspend_listing", days = 7',
        'measure = "formal_warning"',
        "formal_warning should stand only once in a step",
    ),
    (
        '{ measure = "delete_account", needs_approval = true }',
        '{ measure = "delete_account" }',
        "delete_account cannot be undone: it should have needs_approval = true",
    ),
    (
        '{ measure = "delete_account", needs_approval = true }',
        '{ measure = "delete_account", needs_approval = true, days = 3 }',
        "delete_account is permanent: it should have no days",
    ),
    (
        'severity = "minor"\noccurrence = 1',
        'severity = "minor"\noccurrence = 2',
        "the first step of severity 'minor' should be occurrence 1",
    ),
    ("occurrence = 3", "occurrence = 2", "it should be more than 2, the step before of 'minor'"),
    ("points = 0\n", "points = 1\n", "the first step should be points = 0"),
    ("points = 36 ", "points = 24 ", "it should be more than 24, the step before"),
    (
        "fake_order_share = 0.3",
        "fake_order_share = 0.05",
        "it should be at least 0.1, that of the milder level",
    ),
    ("fake_order_share = 0.3", "fake_order_share = 1.3", "it should be less than or equal to 1"),
    ("USD = 50_000", "dollars = 50_000", "should match pattern"),
]


@pytest.mark.parametrize(("old", "new", "message"), WRONG)
def test_a_wrong_value_is_named_with_its_line_and_what_would_be_right(old: str, new: str, message: str):
    said = refusal(changed(old, new))
    line = line_of(old) + old.count("\n")
    first = said.split("\n")[0]
    assert message in said
    assert first.startswith((f"market.toml:{line}: ", f"market.toml:{line - 1}: "))


def test_a_missing_name_points_to_its_table():
    said = refusal(changed("second_days = 15", "# second_days = 15"))
    line = line_of("[enforcement.appeals]")
    assert said == (
        f"market.toml:{line}: enforcement.appeals.second_days: `[enforcement.appeals]`: "
        f"'second_days' is missing here and should be given"
    )


def test_a_severity_without_a_first_step_is_named():
    text = TEXT
    while 'severity = "critical"\noccurrence' in text:
        text = text.replace('severity = "critical"\noccurrence', 'severity = "serious"\noccurrence', 1)
    assert "severity 'critical' should have a step occurrence = 1" in refusal(text.encode())


def test_all_breaches_are_named_at_once():
    content = changed("first_days = 30 ", "first_days = 0 ").replace(b"second_days = 15", b"second_days = 0")
    assert len(refusal(content).split("\n")) == 2


def test_what_is_not_toml_is_named_with_its_line():
    said = refusal(changed("[enforcement.holds]", "[enforcement.holds"))
    line = line_of("[enforcement.holds]")
    assert said.startswith(f"market.toml:{line}: `[enforcement.holds`: not valid TOML: Expected ']'")


def test_a_document_that_ends_too_early_names_its_last_line():
    assert refusal(b'version = "1"\ntimezone = [').startswith("market.toml:2: `timezone = [`: not valid TOML")


def test_what_is_not_utf8_is_named_with_its_line():
    said = refusal(b'version = "1"\ntimezone = "\xff"')
    assert said == "market.toml:2: not UTF-8; a policy file is TOML in UTF-8"


def test_the_hash_is_not_for_the_file_to_say():
    said = refusal(b'sha256 = "00"\n' + TEXT.encode())
    assert (
        said == 'market.toml:1: sha256: `sha256 = "00"`: it should not be here: it is computed from the file'
    )
