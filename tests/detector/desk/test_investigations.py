"""Cases from scans and tips: the same evidence never opens two, an open case gets what is new."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from desk_builders import accept, bring, findings, projected, rows
from enforcement_builders import DAY, SHIPPED, a_command
from sqlalchemy import Engine, insert

from detector.cases import Evidence, OrderValue, evidence_of_scan
from detector.desk.desk import Desk
from detector.desk.investigations import Taken, held_orders, take_evidence, tips
from detector.desk.rebuild import rebuild
from detector.errors import InputError
from detector.results import MONEY, REASONS
from detector.store.case_files import EVIDENCE, FILES
from detector.store.decisions import DECISIONS
from detector.store.facts import FACTS
from detector.store.messages import MESSAGES
from detector.store.projections import CASES, LABELS

LATER = DAY + timedelta(days=1)


@pytest.fixture
def desk(store: Engine) -> Desk:
    return Desk(store, SHIPPED)


def an_evidence(*orders: str, **fields: Any) -> Evidence:
    values = {order: OrderValue("USD", 1000) for order in orders}
    given: dict[str, Any] = {
        "seller_id": "S1", "source": "scan", "origin": "scan", "score": 0.5, "hint": "suspect",
        "clauses": ("self_dealing",), "orders": values, "reports": (), "share": len(orders) / 100,
        "gmv_minor": {"USD": 1000 * len(orders)}, "needed": 2, "findings": (),
    }  # fmt: skip
    return Evidence(**{**given, **fields})


TEN = tuple(f"O{n}" for n in range(10))


def test_evidence_opens_a_case_once(desk: Desk):
    opened = take_evidence(desk, an_evidence(*TEN), DAY)
    assert opened.outcome == "opened"
    assert take_evidence(desk, an_evidence(*TEN), LATER) == Taken("S1", opened.case_id, "known")
    assert take_evidence(desk, an_evidence(*TEN[:5]), LATER).outcome == "known"
    assert len(rows(desk.engine, CASES)) == len(rows(desk.engine, EVIDENCE)) == 1


def test_new_evidence_is_added_to_the_open_case(desk: Desk):
    first = take_evidence(desk, an_evidence(*TEN), DAY)
    more = an_evidence(*TEN, "O10", "O11", clauses=("reviews",), score=0.9)
    assert take_evidence(desk, more, LATER) == Taken("S1", first.case_id, "extended")
    case = desk.state("S1", LATER).cases[str(first.case_id)]
    assert case.order_ids == (*TEN, "O10", "O11")
    assert (case.fake_order_count, dict(case.fake_gmv_minor)) == (12, {"USD": 12_000})
    assert case.fake_order_share == pytest.approx(0.12)
    assert case.clauses == ("self_dealing", "reviews")
    assert [row["content"]["order_ids"] for row in rows(desk.engine, EVIDENCE) if row["at"] == LATER] == [
        ["O10", "O11"]
    ]


def test_orders_that_were_judged_open_nothing_again(desk: Desk):
    first = take_evidence(desk, an_evidence(*TEN), DAY)
    accept(desk, a_command("decide_case", case_id=first.case_id, outcome="no_violation"))
    assert take_evidence(desk, an_evidence(*TEN, "O10"), LATER) == Taken("S1", None, "known")
    new = tuple(f"N{n}" for n in range(10))
    second = take_evidence(desk, an_evidence(*TEN, *new), LATER)
    assert second.outcome == "opened"
    assert second.case_id != first.case_id
    assert desk.state("S1", LATER).cases[str(second.case_id)].order_ids == new


def test_the_value_of_what_is_left_is_never_overstated():
    unknown = an_evidence("a", "b", gmv_minor={"USD": 5000}, orders={"a": OrderValue(), "b": OrderValue()})
    assert unknown.without(frozenset(), frozenset()).gmv_minor == {"USD": 5000}
    assert unknown.without(frozenset("a"), frozenset()).gmv_minor == {}
    assert an_evidence("a", "b").without(frozenset("a"), frozenset()).gmv_minor == {"USD": 1000}


def test_priority_is_the_expected_harm(desk: Desk):
    small = take_evidence(desk, an_evidence(*TEN, score=0.5), DAY)
    accept(desk, a_command("open_case", fake_order_count=100))
    files = {row["case_id"]: row for row in rows(desk.engine, FILES)}
    serious = SHIPPED.enforcement.severity.serious
    assert files[small.case_id]["priority"] == pytest.approx(0.5 * 10 / serious.fake_order_count)
    assert files["C1"]["priority"] == pytest.approx(100 / serious.fake_order_count)
    assert files[small.case_id]["hint"] == "suspect"


def test_many_scans_at_once_open_one_case(desk: Desk):
    with ThreadPoolExecutor(10) as pool:
        taken = list(pool.map(lambda _: take_evidence(desk, an_evidence(*TEN), DAY), range(10)))
    assert sorted(one.outcome for one in taken) == ["known"] * 9 + ["opened"]
    assert findings(desk.engine) == []


def test_decided_cases_give_labels_and_an_appeal_takes_them_back(desk: Desk):
    accept(
        desk,
        a_command("open_case", order_ids=["O1", "O2"]),
        a_command("open_case", key="2", case_id="C2", seller_id="S2", order_ids=["O3"]),
        a_command("open_case", key="3", case_id="C3", seller_id="S3", order_ids=["O4"]),
        a_command("decide_case"),
        a_command("decide_case", key="4", case_id="C2", outcome="victim"),
        a_command("decide_case", key="5", case_id="C3", outcome="no_violation"),
    )
    labels = {str(row["subject_id"]): row["is_fake"] for row in rows(desk.engine, LABELS)}
    assert labels == {
        "O1": True, "O2": True, "S1": True, "O3": True, "S2": False, "O4": False, "S3": False,
    }  # fmt: skip
    bring(desk.engine, "S1", "invoice.pdf")
    accept(desk, a_command("file_appeal"), a_command("decide_appeal", outcome="granted"))
    after = {str(row["subject_id"]): row["is_fake"] for row in rows(desk.engine, LABELS)}
    assert after == {**labels, "O1": False, "O2": False, "S1": False}
    live = projected(desk.engine)
    rebuild(desk.engine, desk.policy)
    assert projected(desk.engine) == live


def a_scan(out: Path) -> Path:
    """The files of a scan in which S1 should get a case and S2 should not."""
    reason = {"code": "REVIEW_COPY", "clause": "reviews", "weight": 0.4, "message": "The review is a copy."}
    sellers = {
        "seller_id": ["S1", "S2"],
        "score": [0.8, 0.3],
        "recommendation": ["open_case", "watch"],
        "disposition_hint": ["suspect", None],
        "order_count": [40, 10],
        "suspected_order_count": [10, 2],
        "suspected_gmv_minor": [[("USD", 9000)], [("USD", 5)]],
        "clauses": [["reviews"], []],
    }
    orders = {
        "order_id": [*TEN, "P1", "P2"],
        "seller_id": ["S1"] * 10 + ["S1", "S2"],
        "decision": ["hold"] * 10 + ["allow", "review"],
        "reasons": [[reason]] * 12,
    }
    out.mkdir()
    schema = {"suspected_gmv_minor": MONEY, "reasons": REASONS}
    for name, table in (("sellers", sellers), ("orders", orders)):
        columns = {column: pa.array(values, schema.get(column)) for column, values in table.items()}
        pq.write_table(pa.table(columns), out / f"{name}.parquet")
    manifest = {"as_of": "2024-03-01T00:00:00Z", "policy": {"version": "1"}}
    (out / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return out


def test_a_scan_opens_the_cases_that_it_recommends(desk: Desk, tmp_path: Path):
    out = a_scan(tmp_path / "out")
    (found,) = evidence_of_scan(out, SHIPPED)
    assert (found.seller_id, tuple(found.orders), found.share) == ("S1", TEN, 0.25)
    assert found.gmv_minor == {"USD": 9000}
    taken = take_evidence(desk, found, DAY)
    assert [take_evidence(desk, one, DAY).outcome for one in evidence_of_scan(out, SHIPPED)] == ["known"]
    accept(desk, a_command("decide_case", case_id=taken.case_id))
    notice = next(row for row in rows(desk.engine, MESSAGES) if row["kind"] == "notice.violation")
    (finding,) = notice["payload"]["found"]["findings"]
    assert (finding["clause"], finding["order_count"]) == ("reviews", 10)
    assert finding["message"]["en"] == "The review is a copy."


def test_what_is_no_scan_is_said_to_be_none(tmp_path: Path):
    with pytest.raises(InputError, match="should be the output of a scan"):
        list(evidence_of_scan(tmp_path, SHIPPED))


def tell(desk: Desk, *reports: tuple[str, str | None], days: int = 0) -> None:
    given = [
        {"report_id": report, "created_at": DAY - timedelta(days=days), "seller_id": "S1", "order_id": order}
        for report, order in reports
    ]
    with desk.engine.begin() as connection:
        connection.execute(insert(FACTS["reports"]), given)


def found_tips(desk: Desk) -> list[Evidence]:
    with desk.engine.connect() as connection:
        return list(tips(desk, connection, DAY))


def test_enough_tips_open_a_case_and_are_used_once(desk: Desk):
    with desk.engine.begin() as connection:
        order = {"seller_id": "S1", "buyer_id": "B", "created_at": DAY, "currency": "USD", "total_minor": 700}
        connection.execute(insert(FACTS["orders"]), [{**order, "order_id": f"O{n}"} for n in range(1, 5)])
    tell(desk, ("R1", "O1"), ("R2", None))
    tell(desk, ("R0", "O9"), days=31)
    assert found_tips(desk) == []
    tell(desk, ("R3", "O2"))
    (evidence,) = found_tips(desk)
    assert (evidence.reports, dict(evidence.gmv_minor), evidence.share) == (
        ("R1", "R2", "R3"),
        {"USD": 1400},
        0.5,
    )
    taken = take_evidence(desk, evidence, DAY)
    assert taken.outcome == "opened"
    assert take_evidence(desk, evidence, DAY).outcome == "known"
    assert rows(desk.engine, CASES)[0]["source"] == "report"
    accept(desk, a_command("decide_case", case_id=taken.case_id, outcome="no_violation"))
    tell(desk, ("R4", "O3"))
    assert [take_evidence(desk, one, DAY).outcome for one in found_tips(desk)] == ["known"]
    tell(desk, ("R5", None), ("R6", None))
    assert [take_evidence(desk, one, DAY).outcome for one in found_tips(desk)] == ["opened"]


def decide(desk: Desk, order_id: str, decision: str, days: int = 0) -> None:
    reason = {"code": "REVIEW_COPY", "clause": "reviews", "weight": 0.4, "message": "The review is a copy."}
    row = {
        "decision_id": f"{order_id} {days}", "order_id": order_id, "seller_id": "S1", "decision": decision,
        "decided_at": DAY - timedelta(days=days), "score": 0.9, "rule_score": 0.9, "clauses": {},
        "reasons": [reason], "versions": {}, "feature_set": "", "features": b"",
    }  # fmt: skip
    with desk.engine.begin() as connection:
        connection.execute(insert(DECISIONS), row)


def found_held(desk: Desk) -> list[Evidence]:
    with desk.engine.connect() as connection:
        return list(held_orders(desk, connection, DAY))


def test_enough_held_orders_open_a_case(desk: Desk):
    for n in range(SHIPPED.enforcement.cases.held_orders - 1):
        decide(desk, f"O{n}", "hold")
    decide(desk, "old", "hold", days=31)
    decide(desk, "cleared", "hold", days=2)
    decide(desk, "cleared", "allow", days=1)
    assert found_held(desk) == []
    decide(desk, "last", "hold")
    (evidence,) = found_held(desk)
    assert sorted(evidence.orders) == ["O0", "O1", "O2", "O3", "last"]
    assert (evidence.clauses, evidence.score) == (("reviews",), 0.9)
    assert take_evidence(desk, evidence, DAY).outcome == "opened"
    assert [take_evidence(desk, one, DAY).outcome for one in found_held(desk)] == ["known"]
