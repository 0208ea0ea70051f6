"""Evidence packs: whole, checkable, the same bytes again; the seller's without anybody else's data."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from enforcement_builders import a_command, a_policy
from sqlalchemy import Engine, insert
from typer.testing import CliRunner

from detector.cli import app
from detector.desk.desk import Desk, Receipt
from detector.evidence.dossier import Dossier
from detector.evidence.load import load_dossier
from detector.evidence.pack import AUDIENCES, Audience, write_pack
from detector.outward.announce import KINDS
from detector.outward.letters import Sender, letter
from detector.outward.webhooks import body_of
from detector.scoring import Reason
from detector.store import decisions, snapshots
from detector.store.case_files import UnknownCase, add_evidence, add_note
from detector.store.decisions import Decision, Versions
from detector.store.documents import DOCUMENTS, DocumentAltered, DocumentStore
from detector.store.facts import FACTS
from detector.store.messages import messages_of

DOCUMENTS_IN_STORE = DocumentStore(None, 1_000_000)
FIRST_WORDS = sorted({kind.partition(".")[0] for kind in KINDS})
POLICY = a_policy("Asia/Shanghai")
NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)
PDF = b"%PDF-1.7 proof of payment"
SECRETS = {
    "buyer": "BUYER-7", "creator": "CREATOR-7", "device": "device:mark", "ip": "ip:mark", "name": "name:mark",
    "phone": "phone:mark", "address": "address:mark", "payment": "payment:mark", "signatory": "name:signed",
    "postcode": "POST-7", "review": "call me, says the buyer", "seller": "RIVAL-7", "note": "NOTE-7",
    "staff": "STAFF-7", "group": "GROUP-7",
}  # fmt: skip
"""Values that are nobody's business but the platform's and a regulator's."""


def facts() -> dict[str, list[dict[str, Any]]]:
    order = {
        "order_id": "O1",
        "seller_id": "S1",
        "buyer_id": SECRETS["buyer"],
        "created_at": NOW,
        "currency": "USD",
        "total_minor": 1999,
        "status": "delivered",
        "device_id": SECRETS["device"],
        "ip_address": SECRETS["ip"],
        "payment_id": SECRETS["payment"],
        "recipient_name": SECRETS["name"],
        "recipient_phone": SECRETS["phone"],
        "ship_to_country": "US",
        "ship_to_city": "Springfield",
        "ship_to_postcode": SECRETS["postcode"],
        "ship_to_address": SECRETS["address"],
        "creator_id": SECRETS["creator"],
        "combined_group_id": SECRETS["group"],
    }
    scan = {"shipment_id": "P1", "country": "US", "city": "Springfield", "postcode": SECRETS["postcode"]}
    return {
        "orders": [order, {**order, "order_id": "O2"}, {**order, "order_id": "O3", "buyer_id": "BUYER-8"}],
        "order_items": [
            {"order_id": "O1", "line_no": 1, "product_id": "P", "quantity": 1, "unit_price_minor": 1999}
        ],
        "shipments": [{"shipment_id": "P1", "order_id": "O1", "carrier": "ups", "tracking_number": "1Z1"}],
        "tracking_events": [
            {
                **scan,
                "event_at": NOW.replace(hour=18),
                "status": "DELIVERED",
                "signed_by": SECRETS["signatory"],
            },
            {**scan, "event_at": NOW, "status": "PICKED_UP"},
        ],
        "reviews": [
            {
                "review_id": "R1",
                "order_id": "O1",
                "product_id": "P",
                "buyer_id": SECRETS["buyer"],
                "seller_id": "S1",
                "created_at": NOW,
                "rating": 5,
                "text": SECRETS["review"],
            }
        ],
    }


def submit(desk: Desk, kind: str, at: str, **fields: Any) -> None:
    answer = desk.submit(a_command(kind, at, **fields))
    assert isinstance(answer, Receipt), str(answer)


@pytest.fixture
def case(store: Engine) -> Engine:
    """A store with a case that was decided, held, settled in part to a buyer, and appealed with a document."""
    with store.begin() as connection:
        for table, rows in facts().items():
            for row in rows:
                connection.execute(insert(FACTS[table]).values(row))
        document = DOCUMENTS_IN_STORE.put(
            connection, seller_id="S1", name="proof.pdf", content=PDF, by="S1", at=NOW
        )
    desk = Desk(store, POLICY)
    enforcer = {"id": SECRETS["staff"], "role": "enforcer"}
    approver = {"id": SECRETS["staff"] + "b", "role": "approver"}
    submit(desk, "credit_proceeds", "2024-03-01", amount_minor=5000)
    submit(desk, "open_case", "2024-03-02", order_ids=["O1", "O2", "O3"], fake_order_count=3)
    submit(desk, "open_case", "2024-03-02T01:00", case_id="C2", order_ids=["O9"])
    submit(desk, "place_hold", "2024-03-03", actor=enforcer)
    submit(desk, "decide_case", "2024-03-04", actor=enforcer)
    submit(desk, "complete_investigation", "2024-03-05", actor=enforcer)
    loss = [{"to": f"buyer:{SECRETS['buyer']}", "currency": "USD", "amount_minor": 300}]
    submit(desk, "establish_loss", "2024-03-06", losses=loss, actor=enforcer)
    submit(desk, "file_appeal", "2024-03-07", documents=[document.document_id])
    submit(desk, "decide_appeal", "2024-03-08", actor=approver)
    submit(desk, "settle_hold", "2024-09-01", actor=approver)
    message = {"en": "Two accounts <b>share</b> a device.", "zh": "两个账号共用设备。"}
    finding = {"code": "SHARED", "clause": "self_dealing", "order_count": 2, "message": message}
    with store.begin() as connection:
        content = {"findings": [finding], "linked_sellers": [SECRETS["seller"]]}
        add_evidence(connection, "C1", "f1", at=NOW, source="scan", content=content)
        add_note(connection, "C1", 1, at=NOW, author=SECRETS["staff"], text=SECRETS["note"])
    return store


def dossier_of(store: Engine) -> Dossier:
    with store.connect() as connection:
        return load_dossier(connection, "C1", POLICY, DOCUMENTS_IN_STORE)


def unpacked(pack: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(pack)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack_of(store: Engine, audience: Audience) -> dict[str, bytes]:
    return unpacked(write_pack(dossier_of(store), audience))


def a_decision(decision_id: str, at: datetime, ring_id: str | None = "R1") -> Decision:
    reason = Reason("SHARED", "self_dealing", 0.8, "Two accounts share a device.")
    versions = Versions("0.1.0", "1", POLICY.sha256, None, "1", 60.0)
    clauses: dict[str, float | None] = {"self_dealing": 0.8, "reviews": None}
    return Decision(
        decision_id, "O1", "S1", at, 0.9, "hold", None, 0.9, clauses, (reason,), ring_id, versions
    )


def test_the_pack_has_the_last_decision_of_its_time_and_its_ring(case: Engine) -> None:
    made = [
        a_decision("D1", NOW),
        a_decision("D2", NOW.replace(day=2)),
        a_decision("D3", NOW.replace(year=2025)),
    ]
    ring = {
        "ring_id": "R1",
        "kind": "identity",
        "seller_ids": ["S1"],
        "buyer_ids": [SECRETS["buyer"]],
        "creator_ids": [],
        "order_count": 3,
        "suspicion": 0.9,
        "first_order_at": "2024-02-01T00:00:00Z",
        "last_order_at": "2024-02-09T00:00:00Z",
    }
    with case.begin() as connection:
        decisions.keep(connection, made, np.zeros((3, 0)), decisions.feature_set(connection, []))
        generation = snapshots.begin(connection, NOW, NOW, [], [])
        row = {"generation": generation, "ring_id": "R1", "facts": ring}
        connection.execute(insert(snapshots.RINGS).values(row))
        snapshots.put_in_force(connection, generation)
    full, seen = pack_of(case, "regulator"), pack_of(case, "seller")
    assert [row["decision_id"] for row in json.loads(full["decisions.json"])] == ["D2"]
    assert json.loads(full["rings.json"]) == [ring]
    assert json.loads(seen["decisions.json"])[0]["reasons"][0]["message"] == "Two accounts share a device."
    assert json.loads(seen["rings.json"])[0]["buyers_count"] == 1
    assert SECRETS["buyer"].encode() not in b"".join(seen.values())


@pytest.mark.parametrize("audience", AUDIENCES)
def test_the_manifest_names_every_file_with_its_hash(case: Engine, audience: Audience) -> None:
    files = pack_of(case, audience)
    manifest = json.loads(files["manifest.json"])
    assert manifest["files"] == {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        for name, content in files.items()
        if name != "manifest.json"
    }
    assert (manifest["case_id"], manifest["seller_id"], manifest["for"]) == ("C1", "S1", audience)
    assert manifest["as_of"] == "2024-09-01T00:00:00Z"


def test_the_full_pack_holds_what_is_on_record(case: Engine) -> None:
    files = pack_of(case, "regulator")
    table = {name: json.loads(files[name]) for name in files if name.endswith(".json")}
    assert [order["order_id"] for order in table["orders.json"]] == ["O1", "O2", "O3"]
    assert [scan["status"] for scan in table["traces.json"][0]["tracking_events"]] == [
        "PICKED_UP",
        "DELIVERED",
    ]
    assert [event["event"] for event in table["timeline.json"]] == [
        "case_opened",
        "hold_placed",
        "notice_sent",
        "case_decided",
        "violation_found",
        "notice_sent",
        "investigation_completed",
        "loss_established",
        "appeal_filed",
        "appeal_rejected",
        "notice_sent",
        "loss_paid",
        "hold_settled",
        "notice_sent",
    ]
    entries = [(entry["source"], entry["target"], entry["amount_minor"]) for entry in table["ledger.json"]]
    assert entries == [
        ("payable", "held", 5000),
        ("held", f"compensated/buyer:{SECRETS['buyer']}", 300),
        ("held", "payable", 4700),
    ]
    assert [notice["kind"] for notice in table["notices.json"]] == [
        "hold",
        "violation",
        "appeal_result",
        "hold",
    ]
    assert table["case.json"]["violation"]["violation_id"] == "V1"
    assert files[f"policy/{POLICY.sha256}.toml"].decode() == POLICY.text
    assert next(files[name] for name in files if name.startswith("documents/")) == PDF
    whole = b"".join(files.values()).decode(errors="replace")
    assert [name for name, value in SECRETS.items() if value not in whole] == []


def test_the_seller_s_pack_holds_nobody_else_s_data(case: Engine) -> None:
    files = pack_of(case, "seller")
    whole = b"".join(files.values()).decode(errors="replace")
    assert [name for name, value in SECRETS.items() if value in whole] == []
    orders = json.loads(files["orders.json"])
    assert [order["buyer"] for order in orders] == ["buyer 1", "buyer 1", "buyer 2"]
    assert json.loads(files["reviews.json"])[0]["buyer"] == "buyer 1"
    assert json.loads(files["ledger.json"])[1]["target"] == "compensated/buyer"
    assert json.loads(files["findings.json"])[0]["order_count"] == 2
    assert next(files[name] for name in files if name.startswith("documents/")) == PDF
    assert {"evidence.json", "notes.json"} & set(files) == set()


def test_no_message_and_no_letter_holds_anybody_else_s_data(case: Engine) -> None:
    with case.connect() as connection:
        sent = [m for kind in FIRST_WORDS for m in messages_of(connection, "S1", kind)]
    assert {message.kind for message in sent} >= {"notice.hold", "notice.violation", "hold.settled"}
    sender = Sender("Example Market", None)
    written = [letter(m.payload, "en", sender) for m in sent if m.kind.startswith("notice.")]
    whole = "".join([*map(body_of, sent), *(one.text + one.html for one in written)])
    assert "O1" in whole
    assert [name for name, value in SECRETS.items() if value in whole] == []


def test_the_same_state_gives_the_same_bytes(case: Engine) -> None:
    assert write_pack(dossier_of(case), "seller") == write_pack(dossier_of(case), "seller")
    assert write_pack(dossier_of(case), "regulator") != write_pack(dossier_of(case), "seller")


def test_the_cover_escapes_what_it_shows_and_needs_nothing_from_outside(case: Engine) -> None:
    cover = pack_of(case, "seller")["index.html"].decode()
    assert "Two accounts &lt;b&gt;share&lt;/b&gt; a device." in cover
    assert "default-src &#39;none&#39;" in cover or "default-src 'none'" in cover
    assert "<script" not in cover
    assert "http://" not in cover
    assert "https://" not in cover


def test_an_altered_document_is_not_packed_silently(case: Engine) -> None:
    with case.begin() as connection:
        content = DOCUMENTS.metadata.tables["document_contents"]
        connection.execute(content.update().values(content=b"%PDF-1.7 another proof"))
    with pytest.raises(DocumentAltered, match="restore it from a backup"):
        dossier_of(case)


def test_a_case_that_does_not_exist_is_refused(store: Engine) -> None:
    with store.connect() as connection, pytest.raises(UnknownCase, match="C9"):
        load_dossier(connection, "C9", POLICY, DOCUMENTS_IN_STORE)


def test_the_command_writes_the_file(case: Engine, database_url: str, tmp_path: Path) -> None:
    out = tmp_path / "pack.zip"
    words = ["evidence", "C1", "--out", str(out), "--for", "seller", "--database-url", database_url]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert json.loads(unpacked(out.read_bytes())["manifest.json"])["for"] == "seller"
