"""The service: facts in, decisions out; once per claim, nothing of a dry run, later facts looked at again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from builders import an_item, an_order, at
from sqlalchemy import Engine, func, select

from detector.enforcement.refusals import IdempotencyConflict
from detector.pseudonym import Veil
from detector.rulebook import load_rulebook
from detector.service import ScoreRequest, Service, UnknownRecord
from detector.store.decisions import DECISIONS
from detector.store.facts import FACTS, put, veiled
from detector.store.idempotency import Claim

KEY = b"a key of the tests, 32 bytes long"
NOW = datetime(2024, 6, 1, tzinfo=UTC)


@pytest.fixture
def service(store: Engine) -> Iterator[Service]:
    with Service(store, load_rulebook(None), None, KEY) as service:
        yield service


def order(order_id: str = "o1", **changes: Any) -> dict[str, Any]:
    made = an_order(order_id=order_id, **changes)
    return made | {"created_at": made["created_at"].replace(tzinfo=UTC)}


def a_shipment(**changes: Any) -> dict[str, Any]:
    return {"shipment_id": "h1", "order_id": "o1", "created_at": utc(hours=2)} | changes


def utc(**after: float) -> datetime:
    return at(**after).replace(tzinfo=UTC)


def count(store: Engine, table: Any) -> int:
    with store.connect() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0


# only a file's orders are held in memory
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_nothing_is_scored_at_once_while_orders_of_another_process_have_to_be_read(
    service: Service, store: Engine
) -> None:
    asked = [ScoreRequest(order("o2", created_at=at(minutes=1)))]
    with store.begin() as other:
        assert service.score_at_once(asked, NOW) is None
        put(other, "orders", [veiled(Veil(KEY), "orders", order("o1"))])
    assert service.score_at_once(asked, NOW) is None
    [waited] = service.score(asked, NOW)
    [at_once] = service.score_at_once(asked, NOW) or []
    assert at_once.score == waited.score
    assert service.features(at_once.decision_id)["buyer_orders_1h"] == 1


def test_a_scored_order_is_kept_with_all_that_it_holds(service: Service, store: Engine) -> None:
    told = order(
        items=[an_item("o1")],
        shipment=a_shipment(),
        tracking_events=[{"shipment_id": "h1", "event_at": utc(hours=9), "status": "PICKED_UP"}],
        review={"review_id": "r1", "order_id": "o1", "rating": 5},
    )
    [decision] = service.score([ScoreRequest(told)], NOW)
    assert service.decision(decision.decision_id) == decision
    assert service.decisions_of("o1") == [decision]
    assert (decision.decision, decision.decided_at, decision.seller_id) == ("allow", NOW, "s1")
    for table in ("orders", "order_items", "shipments", "tracking_events", "reviews"):
        assert count(store, FACTS[table]) == 1, table
    features = service.features(decision.decision_id)
    assert features["buyer_orders_24h"] == 0
    assert features["scan_before_order_hours"] == 0


def test_orders_of_one_call_see_each_other_as_their_times_say(service: Service) -> None:
    later, earlier = service.score(
        [ScoreRequest(order("b", created_at=utc(minutes=1))), ScoreRequest(order("a"))], NOW
    )
    assert service.features(later.decision_id)["buyer_orders_1h"] == 1
    assert service.features(earlier.decision_id)["buyer_orders_1h"] == 0


def test_a_dry_run_leaves_nothing_and_is_seen_by_nobody(service: Service, store: Engine) -> None:
    dry = ScoreRequest(order("dry", items=[an_item("dry")], shipment=a_shipment(order_id="dry")), store=False)
    kept = ScoreRequest(order("kept", created_at=utc(minutes=1)))
    found, seen = service.score([dry, kept], NOW)
    assert found.order_id == "dry"
    assert service.features(seen.decision_id)["buyer_orders_1h"] == 0
    assert service.decisions_of("dry") == []
    assert (count(store, FACTS["orders"]), count(store, FACTS["shipments"]), count(store, DECISIONS)) == (
        1,
        0,
        1,
    )


def test_a_dry_run_knows_what_it_is_told_and_what_is_stored(service: Service) -> None:
    service.score([ScoreRequest(order("o1", shipped_at=utc(hours=1)))], NOW)
    broken = order("o1", shipped_at=utc(hours=1), delivered_at=utc(hours=-5))
    [dry] = service.score([ScoreRequest(broken, store=False)], NOW)
    [known] = service.decisions_of("o1")
    assert dry.rule_score > known.rule_score


def test_one_claim_is_one_decision(service: Service, store: Engine) -> None:
    claim = Claim("scorer POST /v1/score", "k1", "digest")
    twice = [ScoreRequest(order(), idempotency=claim)] * 2
    first, second = service.score(twice, NOW)
    [again] = service.score(twice[:1], NOW)
    assert first == second == again
    assert count(store, DECISIONS) == 1
    other = ScoreRequest(order("o2"), idempotency=Claim(claim.scope, "k1", "another digest"))
    with pytest.raises(IdempotencyConflict):
        service.score([other], NOW)
    assert count(store, FACTS["orders"]) == 1


def test_later_facts_score_the_order_again(service: Service) -> None:
    service.score([ScoreRequest(order())], NOW)
    [shipped] = service.add("shipments", [a_shipment()], NOW + timedelta(hours=1))
    scan = {"shipment_id": "h1", "event_at": utc(hours=-30), "status": "IN_TRANSIT"}
    [scanned] = service.add("tracking_events", [scan], NOW + timedelta(hours=2))
    review = {"review_id": "r1", "order_id": "o1", "rating": 5}
    [reviewed] = service.add("reviews", [review], NOW + timedelta(hours=3))
    latest = service.decisions_of("o1")
    assert [(one.decision_id,) for one in latest[:3]] == [
        found.decision_ids for found in (reviewed, scanned, shipped)
    ]
    assert service.features(scanned.decision_ids[0])["scan_before_order_hours"] == 30
    assert "scan_before_order_hours" not in service.features(shipped.decision_ids[0])


def test_facts_that_touch_no_known_order_are_kept(service: Service, store: Engine) -> None:
    scan = {"shipment_id": "h1", "event_at": utc(hours=3), "status": "PICKED_UP"}
    assert service.add("tracking_events", [scan], NOW)[0].decision_ids == ()
    assert service.add("shipments", [a_shipment()], NOW)[0].decision_ids == ()
    label = {"subject_kind": "order", "subject_id": "o1", "is_fake": True}
    assert service.add("labels", [label], NOW)[0].key == "order o1"
    [decision] = service.score([ScoreRequest(order())], NOW)
    assert service.features(decision.decision_id)["scan_before_order_hours"] == 0


def test_items_told_again_are_the_order_s_items(service: Service, store: Engine) -> None:
    service.score([ScoreRequest(order(items=[an_item("o1"), an_item("o1", line_no="2")]))], NOW)
    service.add("orders", [order(total_minor=900, items=[an_item("o1")])], NOW)
    assert count(store, FACTS["order_items"]) == 1
    service.add("orders", [order(total_minor=800)], NOW)
    assert count(store, FACTS["order_items"]) == 1


def test_names_are_compared_though_they_are_stored_sealed(service: Service, store: Engine) -> None:
    told = order(recipient_name="Jane Lee", ship_to_country="US")
    service.score([ScoreRequest(told)], NOW)
    service.add("shipments", [a_shipment()], NOW)
    signed = {"shipment_id": "h1", "event_at": utc(days=2), "status": "DELIVERED", "signed_by": "Bob Ray"}
    [result] = service.add("tracking_events", [signed], NOW)
    assert service.features(result.decision_ids[0])["signed_by_other"] == 1
    with store.connect() as connection:
        assert connection.scalar(select(FACTS["orders"].c.recipient_name)) == Veil(KEY).veiled(
            "name", "Jane Lee"
        )


def test_what_is_not_known_is_said(service: Service) -> None:
    with pytest.raises(UnknownRecord, match="decision dec_0 is not known"):
        service.decision("dec_0")
    assert service.decisions_of("o9") == []
    with pytest.raises(UnknownRecord, match="seller s1 is not known"):
        service.seller("s1")
