"""A case from its opening to the restoration of the seller, over HTTP, each step by who may take it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from enforcement_builders import FIELDS
from serving import Server


class Market:
    """One seller's case on a running service; every id carries the test's name."""

    def __init__(self, server: Server, name: str) -> None:
        self.server = server
        self.name = name

    def call(self, method: str, path: str, role: str, **options: Any) -> httpx.Response:
        with self.server.client(role) as client:
            return client.request(method, path, **options)

    def get(self, path: str, role: str = "auditor", **params: Any) -> Any:
        answer = self.call("GET", path, role, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def give(self, kind: str, path: str, role: str, *, status: int = 200, **fields: Any) -> Any:
        """A command with the builders' fields; the ids among them are this market's own."""
        body = {name: self.own(name, value) for name, value in {**FIELDS[kind], **fields}.items()}
        answer = self.call("POST", path, role, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def own(self, name: str, value: Any) -> Any:
        return self.id(value) if name.endswith("_id") and isinstance(value, str) else value

    def id(self, short: str) -> str:
        return f"{self.name}-{short}"

    def decided(self, severity: str = "critical") -> None:
        self.give("credit_proceeds", "/v1/ledger", "ingest")
        self.give("open_case", "/v1/cases", "analyst")
        self.give("place_hold", "/v1/holds", "enforcer")
        self.give("decide_case", f"/v1/cases/{self.id('C1')}/decision", "enforcer", severity=severity)

    def appeal(self, **options: Any) -> Any:
        actor = {"id": self.id("S1"), "role": "seller"}
        given = {"actor": actor, "documents": [self.document()], **options}
        return self.give("file_appeal", "/v1/appeals", "seller_centre", **given)

    def document(self, seller: str = "S1") -> str:
        """A document that the seller brings; its id."""
        params = {"seller_id": self.id(seller), "name": "receipt.pdf"}
        content = b"%PDF-1.7 a receipt"
        headers = {"content-type": "application/octet-stream"}
        kept = self.call(
            "POST", "/v1/documents", "seller_centre", params=params, content=content, headers=headers
        )
        assert kept.status_code == 200, kept.text
        return str(kept.json()["document_id"])


@pytest.fixture
def market(server: Server, request: pytest.FixtureRequest) -> Market:
    return Market(server, request.node.name)


def test_a_case_goes_all_the_way_to_restoration(market: Market) -> None:
    market.decided()
    violation, case = market.id("V1"), market.id("C1")
    proposed = market.get("/v1/penalties", seller_id=market.id("S1"))["items"]
    assert {row["phase"] for row in proposed} == {"in_force", "proposed"}
    market.give("approve_measures", f"/v1/violations/{violation}/approval", "approver")
    phases = {row["phase"] for row in market.get("/v1/penalties", seller_id=market.id("S1"))["items"]}
    assert phases == {"in_force"}
    marks = market.get("/v1/penalties/removed-orders", seller_id=market.id("S1"))["items"]
    assert [(mark["order_id"], mark["violation_id"]) for mark in marks] == [("O1", violation)]
    assert market.get(f"/v1/holds/{market.id('H1')}")["amount_minor"] == {"USD": 1000}
    filed = market.appeal()
    assert [event["type"] for event in filed["events"]] == ["appeal_filed"]
    market.give("decide_appeal", f"/v1/appeals/{market.id('A1')}/decision", "approver", outcome="granted")
    assert market.get(f"/v1/violations/{violation}")["state"] == "overturned"
    assert market.get("/v1/penalties", seller_id=market.id("S1"))["items"] == []
    assert market.get("/v1/penalties/removed-orders", seller_id=market.id("S1"))["items"] == []
    lines = market.get(f"/v1/ledger/{market.id('S1')}")["statements"]["USD"]
    assert [(line["to"], line["payable"], line["held"]) for line in lines] == [
        ("payable", 1000, 0),
        ("held", 0, 1000),
        ("payable", 1000, 0),
    ]
    assert lines[-1]["cause"] == f"decide_appeal {market.id('A1')} granted"
    assert market.get(f"/v1/cases/{case}")["overturned"] is True


def test_the_seller_centre_sees_notices_and_appeals_without_people(market: Market) -> None:
    market.decided()
    market.appeal()
    market.give("decide_appeal", f"/v1/appeals/{market.id('A1')}/decision", "approver")
    kinds = [
        row["kind"] for row in market.get("/v1/notices", "seller_centre", seller_id=market.id("S1"))["items"]
    ]
    assert kinds == ["hold", "violation", "appeal_result"]
    shown = market.get(f"/v1/appeals/{market.id('A1')}", "seller_centre")
    assert (shown["state"], shown["reason"]) == ("rejected", "the papers do not match")
    assert "decided_by" not in shown
    assert "decided_by" in market.get(f"/v1/appeals/{market.id('A1')}")
    for path in (
        "/v1/cases",
        "/v1/holds",
        "/v1/violations",
        "/v1/penalties",
        f"/v1/ledger/{market.id('S1')}",
    ):
        assert market.call("GET", path, "seller_centre").status_code == 403


def test_a_seller_acts_for_itself_only(market: Market) -> None:
    market.decided()
    market.give("credit_proceeds", "/v1/ledger", "ingest", seller_id="S2")
    other = {"actor": {"id": market.id("S2"), "role": "seller"}}
    assert market.appeal(**other, status=403)["error"] == "RoleNotAllowed"
    assert market.appeal(actor={}, status=422)["error"] == "InvalidCommand"


def test_refusals_say_which_rule_decides_and_are_in_the_audit_log(market: Market) -> None:
    market.decided("general")
    market.appeal()
    again = market.appeal(appeal_id="A2", status=409)
    assert again["error"] == "AppealPending"
    market.give("decide_case", f"/v1/cases/{market.id('C1')}/decision", "enforcer", status=409)
    market.give("decide_case", f"/v1/cases/{market.id('C9')}/decision", "enforcer", status=404)
    early = market.give("settle_hold", f"/v1/holds/{market.id('H1')}/settlement", "approver", status=409)
    assert early["error"] == "HoldTermNotEnded"
    entries = every_entry(market)
    mine = [entry for entry in entries if market.name in str(entry["content"])]
    refused = [(entry["kind"], entry["error"]) for entry in mine if not entry["accepted"]]
    assert refused == [
        ("file_appeal", "AppealPending"),
        ("decide_case", "InvalidTransition"),
        ("decide_case", "UnknownSubject"),
        ("settle_hold", "HoldTermNotEnded"),
    ]
    assert [entry["number"] for entry in entries] == list(range(1, len(entries) + 1))


def every_entry(market: Market) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    cursor: dict[str, Any] = {}
    while True:
        page = market.get("/v1/audit", limit=7, **cursor)
        entries += page["items"]
        if page["next_cursor"] is None:
            return entries
        cursor = {"cursor": page["next_cursor"]}


def test_the_same_key_is_taken_once(market: Market) -> None:
    body = {**FIELDS["credit_proceeds"], "seller_id": market.id("S1")}
    headers = {"Idempotency-Key": market.id("k")}
    first = market.call("POST", "/v1/ledger", "ingest", json=body, headers=headers).json()
    again = market.call("POST", "/v1/ledger", "ingest", json=body, headers=headers).json()
    assert (first["repeated"], again["repeated"]) == (False, True)
    assert again["events"] == first["events"]
    other = market.call("POST", "/v1/ledger", "ingest", json={**body, "amount_minor": 1}, headers=headers)
    assert (other.status_code, other.json()["error"]) == (422, "IdempotencyConflict")


def test_a_file_is_edited_under_the_version_that_was_read(market: Market) -> None:
    market.give("open_case", "/v1/cases", "analyst")
    path = f"/v1/cases/{market.id('C1')}"
    tag = market.call("GET", path, "analyst").headers["ETag"]
    edit = {"assignee": "eve", "due_at": "2030-01-01T00:00:00Z"}
    first = patched(market, path, edit, tag)
    assert (first.status_code, first.json()["assignee"], first.headers["ETag"]) == (200, "eve", '"2"')
    late = patched(market, path, {"assignee": "kim"}, tag)
    assert (late.status_code, late.json()["error"]) == (412, "CaseEdited")
    unread = market.call("PATCH", path, "analyst", json=edit)
    assert (unread.status_code, unread.json()["error"]) == (428, "TagMissing")
    assert market.call("POST", f"{path}/notes", "enforcer", json={"text": "unread"}).status_code == 428
    made_up = patched(market, path, edit, "W/made up")
    assert (made_up.status_code, made_up.json()["error"]) == (412, "TagUnknown")
    assert patched(market, path, {"priority": 1}, '"2"').status_code == 422
    note = {"json": {"text": "called the carrier"}, "headers": {"If-Match": '"2"'}}
    assert market.call("POST", f"{path}/notes", "enforcer", **note).status_code == 200
    case = market.get(path)
    assert (case["assignee"], case["version"]) == ("eve", 3)
    assert [note["text"] for note in case["notes"]] == ["called the carrier"]
    assert patched(market, path, {"assignee": None}, '"3"').json()["assignee"] is None
    kinds = [entry["kind"] for entry in every_entry(market) if market.id("C1") in str(entry["content"])]
    assert kinds == ["open_case", "edit_case", "note_case", "edit_case"]


def patched(market: Market, path: str, edit: Mapping[str, Any], tag: str) -> httpx.Response:
    return market.call("PATCH", path, "analyst", json=edit, headers={"If-Match": tag})


def test_cases_are_listed_with_the_most_harm_first(market: Market) -> None:
    for n, count in ((1, 20), (2, 400), (3, 100)):
        market.give("open_case", "/v1/cases", "analyst", case_id=f"C{n}", fake_order_count=count)
    seen: list[str] = []
    cursor: dict[str, Any] = {}
    while True:
        page = market.get("/v1/cases", state="open", seller_id=market.id("S1"), limit=1, **cursor)
        seen += [case["case_id"] for case in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == [market.id("C2"), market.id("C3"), market.id("C1")]
    assert market.get("/v1/cases", state="decided", seller_id=market.id("S1"))["items"] == []


@pytest.mark.parametrize(
    "path", ["/v1/cases", "/v1/violations", "/v1/penalties", "/v1/holds", "/v1/appeals", "/v1/audit"]
)
@pytest.mark.parametrize("cursor", ["W10", "WzEsMiwzXQ", "Wy0xXQ", "WyJhIiwiYiJd", "WzFd", "nonsense!"])
def test_a_made_up_cursor_breaks_nothing(market: Market, path: str, cursor: str) -> None:
    answer = market.call("GET", path, "auditor", params={"cursor": cursor})
    assert answer.status_code in (200, 422)


def test_a_document_is_kept_once_and_named_in_an_appeal(market: Market) -> None:
    market.decided("general")
    told = {
        "params": {"seller_id": market.id("S1"), "name": "letter.txt"},
        "content": b"The carrier confirms it.",
    }
    kept = market.call("POST", "/v1/documents", "seller_centre", **told)
    assert kept.status_code == 200, kept.text
    assert kept.json() == market.call("POST", "/v1/documents", "seller_centre", **told).json()
    document_id = kept.json()["document_id"]
    market.appeal(documents=[document_id])
    assert market.get(f"/v1/appeals/{market.id('A1')}")["documents"] == [document_id]
    other = market.appeal(appeal_id="A2", documents=[market.document("S2")], status=404)
    assert other["error"] == "UnknownSubject"
    program = {**told, "content": b"MZ\x90\x00\x03\x00\x00\x00\x04\x00"}
    assert market.get(f"/v1/documents/{document_id}", "seller_centre") == kept.json()
    assert market.call("GET", f"/v1/documents/{document_id}/content", "approver").content == told["content"]
    assert market.call("GET", f"/v1/documents/{document_id}/content", "seller_centre").status_code == 403
    assert market.call("POST", "/v1/documents", "seller_centre", **program).status_code == 422
    assert market.call("POST", "/v1/documents", "approver", **told).status_code == 403
