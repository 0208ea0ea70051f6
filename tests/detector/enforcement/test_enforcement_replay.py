"""``truetrade enforce replay``: the log, the JSON, the text, the exit status."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from enforcement_builders import DAY, a_command_line, a_policy
from typer.testing import CliRunner, Result

from detector.enforcement.days import format_instant
from detector.enforcement.replay import LogUnreadable, replay
from detector.enforcement_cli import app
from detector.errors import PolicyError
from detector.policy.loader import DEFAULT_POLICY, load_policy

LOG = [
    a_command_line("credit_proceeds"),
    a_command_line("open_case"),
    a_command_line("place_hold"),
    a_command_line("decide_case", severity="serious"),
    a_command_line("file_appeal", "2024-03-31T23:00:00Z"),
    a_command_line("settle_hold", "2024-03-31T23:00:00Z", remainder="confiscate"),
]


def written(tmp_path: Path, *lines: dict[str, Any] | str) -> Path:
    texts = (line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines)
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(texts), encoding="utf-8")
    return path


def run(log: Path, *options: str, as_of: str = "2024-04-15T00:00:00Z") -> Result:
    return CliRunner().invoke(app, ["replay", str(log), "--as-of", as_of, *options])


def test_the_json_has_the_names_and_shapes_of_the_contract(tmp_path: Path):
    result = run(written(tmp_path, *LOG), "--json")
    assert result.exit_code == 0
    state = json.loads(result.stdout)
    policy = load_policy()
    ladder = {
        "cancel_or_claw_back_incentives": None,
        "formal_warning": None,
        "remove_fake_sales_and_reviews": None,
    }
    in_force = state["sellers"]["S1"].pop("measures_in_force")
    # suspend_listing of 1 March, 14 days, is over on 15 April; what lasts until cancelled is not.
    assert ladder.items() <= {m["measure"]: m["until"] for m in in_force}.items()
    assert {m["violation_id"] for m in in_force} == {"V1"}
    assert {m["from"] for m in in_force} == {"2024-03-01T12:00:00Z"}
    assert state == {
        "as_of": "2024-04-15T00:00:00Z",
        "policy": {"version": policy.version, "sha256": policy.sha256},
        "sellers": {
            "S1": {
                "measures_scheduled": [],
                "measures_proposed": [],
                "standing": {"occurrences": 1, "points": 12},
                "balances": {"USD": {"payable": 0, "held": 1000, "confiscated": 0, "compensated": 0}},
            }
        },
        "cases": {"C1": {"state": "decided", "outcome": "violation", "investigation": "running"}},
        "violations": {
            "V1": {
                "state": "under_appeal",
                "severity": "serious",
                "occurrence": 1,
                "noticed_at": "2024-03-01T12:00:00Z",
                "appeal_until": None,
                "appeals": [{"appeal_id": "A1", "stage": 1, "state": "pending"}],
                "needs_reassessment": False,
            }
        },
        "holds": {
            "H1": {
                "state": "active",
                "term_ends_at": None,
                "waiting_for": ["investigation"],
                "amount_minor": {"USD": 1000},
            }
        },
        "notices": [
            {"at": "2024-03-01T12:00:00Z", "seller_id": "S1", "kind": "hold", "violation_id": None},
            {"at": "2024-03-01T12:00:00Z", "seller_id": "S1", "kind": "violation", "violation_id": "V1"},
        ],
        "ledger": {"entries": 2, "sum_by_currency": {"USD": 0}},
        "refused": [
            {
                "line": 6,
                "key": LOG[5]["key"],
                "error": "HoldTermNotEnded",
                "detail": "hold H1 is active; cannot settle_hold. Allowed: complete_investigation.",
            }
        ],
    }


def test_keys_are_sorted_and_the_output_is_stable(tmp_path: Path):
    log = written(tmp_path, *LOG)
    first, second = run(log, "--json"), run(log, "--json")
    assert first.stdout == second.stdout
    assert first.stdout == json.dumps(json.loads(first.stdout), indent=2, sort_keys=True) + "\n"


def test_the_text_is_for_people(tmp_path: Path):
    result = run(written(tmp_path, *LOG))
    assert result.exit_code == 0
    for expected in (
        "Seller S1: 1 upheld violations, 12 points",
        "    in force  formal_warning ",
        "    USD  payable 0  held 1000  confiscated 0  compensated 0",
        "  C1  violation  investigation running",
        "  H1  active  USD 1000  term ends after investigation",
        "appeals: A1 pending",
        "Ledger: 2 entries, sums USD 0",
        "  line 6  HoldTermNotEnded  hold H1 is active; cannot settle_hold.",
    ):
        assert expected in result.stdout


def test_an_empty_log_is_an_empty_state(tmp_path: Path):
    state = json.loads(run(written(tmp_path, ""), "--json").stdout)
    assert state["sellers"] == state["cases"] == state["violations"] == state["holds"] == {}
    assert state["notices"] == state["refused"] == []
    assert state["ledger"] == {"entries": 0, "sum_by_currency": {}}


def test_the_zone_option_outranks_the_policy(tmp_path: Path):
    log = written(tmp_path, a_command_line("open_case"), a_command_line("decide_case"))
    utc = json.loads(run(log, "--json", as_of="2024-03-02T00:00:00Z").stdout)
    shanghai = json.loads(run(log, "--json", "--timezone", "Asia/Shanghai", as_of="2024-03-02").stdout)
    assert utc["violations"]["V1"]["appeal_until"] == "2024-04-01T00:00:00Z"
    assert shanghai["violations"]["V1"]["appeal_until"] == "2024-03-31T16:00:00Z"


def test_the_policy_option_reads_another_file(tmp_path: Path):
    text = DEFAULT_POLICY.read_text(encoding="utf-8")
    other = tmp_path / "other.toml"
    other.write_text(text.replace("first_days = 30", "first_days = 10"), encoding="utf-8")
    log = written(tmp_path, a_command_line("open_case"), a_command_line("decide_case"))
    state = json.loads(run(log, "--json", "--policy", str(other), as_of="2024-03-02").stdout)
    assert state["violations"]["V1"]["appeal_until"] == "2024-03-12T00:00:00Z"
    assert state["policy"]["sha256"] != load_policy().sha256


def test_a_malformed_command_is_listed_with_line_and_key(tmp_path: Path):
    bad = a_command_line("credit_proceeds", amount_minor=-1)
    keyless = {**a_command_line("report_overdue"), "key": 5}
    state = json.loads(run(written(tmp_path, "", bad, keyless), "--json").stdout)
    assert [(r["line"], r["key"], r["error"]) for r in state["refused"]] == [
        (2, bad["key"], "InvalidCommand"),
        (3, None, "InvalidCommand"),
    ]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "line 2: it is not JSON: "),
        ("[1]", "line 2: it is JSON, but an array"),
        ("5", "line 2: it is JSON, but a number"),
        ("null", "line 2: it is JSON, but null"),
        ('{"amount_minor": NaN}', "line 2: it is not JSON that can be read: NaN"),
        ('{"amount_minor": ' + "9" * 5000 + "}", "line 2: it is not JSON that can be read"),
        ("[" * 100_000, "line 2: it is not JSON that can be read"),
    ],
)
def test_a_line_that_is_no_object_stops_the_reading(tmp_path: Path, line: str, problem: str):
    result = run(written(tmp_path, LOG[0], line, LOG[1]), "--json")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert problem in result.stderr


def test_a_log_that_is_not_utf8_stops_the_reading():
    with pytest.raises(LogUnreadable, match="line 2: it is not UTF-8"):
        replay(b'{"at": "2024-03-01"}\n\xff\xfe', a_policy(), DAY)


def test_a_byte_order_mark_crlf_and_blank_lines_are_no_obstacle():
    log = b"\xef\xbb\xbf\r\n" + json.dumps(LOG[0]).encode() + b"\r\n\r\n"
    assert replay(log, a_policy(), DAY).view()["ledger"]["entries"] == 1


def test_a_missing_file_is_named(tmp_path: Path):
    result = run(tmp_path / "nowhere.jsonl")
    assert result.exit_code == 2
    assert "nowhere.jsonl: the log cannot be read" in result.stderr


@pytest.mark.parametrize("options", [("--timezone", "Mars/Olympus"), ("--timezone", "../etc")])
def test_an_unknown_zone_is_wrong_usage(tmp_path: Path, options: tuple[str, ...]):
    assert run(written(tmp_path, *LOG), *options).exit_code == 2


def test_a_wrong_instant_is_wrong_usage(tmp_path: Path):
    assert run(written(tmp_path, *LOG), as_of="tomorrow").exit_code == 2


def test_a_wrong_policy_file_is_named_with_its_line(tmp_path: Path):
    policy = tmp_path / "policy.toml"
    policy.write_text("version = 1", encoding="utf-8")
    result = run(written(tmp_path, *LOG), "--policy", str(policy))
    assert isinstance(result.exception, PolicyError)
    assert f"{policy}:1: version: `version = 1`: it should be a valid string" in str(result.exception)


def test_a_malformed_command_after_the_instant_is_passed_over():
    late = {**a_command_line("credit_proceeds", "2024-03-02T00:00:00Z"), "amount_minor": -1}
    log = "\n".join(json.dumps(line) for line in (LOG[0], late)).encode()
    assert replay(log, a_policy(), DAY).refused == ()


def test_a_command_older_than_one_that_was_passed_over_went_back():
    late = a_command_line("credit_proceeds", "2024-03-05T00:00:00Z", key="late")
    back = a_command_line("credit_proceeds", "2024-03-02T00:00:00Z", key="back")
    log = "\n".join(json.dumps(line) for line in (LOG[0], late, back)).encode()
    result = replay(log, a_policy(), DAY.replace(day=3))
    assert [(r.line, r.error) for r in result.refused] == [(3, "TimeWentBack")]
    assert format_instant(result.as_of) == "2024-03-03T12:00:00Z"
