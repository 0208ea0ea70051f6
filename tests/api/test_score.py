"""Scoring and facts over HTTP: what is answered, what is kept, what comes again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest
from serving import Server

from api.client import Client, RequestFailed
from api.examples import AN_ORDER, ROWS
from detector.store.database import connect

_NUMBERS = count(1)


def an_order(**changes: Any) -> dict[str, Any]:
    """The example order under an id of its own."""
    return AN_ORDER | {"order_id": f"sc-{next(_NUMBERS)}"} | changes


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.address, server.keys["admin"]) as found:
        yield found


def test_a_scored_order_is_kept_and_can_be_read_again(client: Client) -> None:
    order = an_order()
    scored = client.score(order)
    assert scored.order_id == order["order_id"]
    assert 0 <= scored.score <= 1
    assert scored.took_ms > 0
    assert set(scored.clauses) == {
        "self_dealing",
        "tracking_mismatch",
        "invalid_tracking",
        "repeat_buying",
        "reviews",
        "abuse",
    }
    assert client.decision(scored.decision_id).model_dump() == scored.model_dump(exclude={"took_ms"})
    assert [one.decision_id for one in client.order(order["order_id"]).decisions] == [scored.decision_id]


def test_a_dry_run_is_answered_alike_and_kept_nowhere(client: Client) -> None:
    order = an_order()
    dry = client.score(order, store=False)
    with pytest.raises(RequestFailed, match="404"):
        client.decision(dry.decision_id)
    with pytest.raises(RequestFailed, match="404"):
        client.order(order["order_id"])
    kept = client.score(order)
    assert (kept.score, kept.decision, kept.clauses) == (dry.score, dry.decision, dry.clauses)


def test_a_batch_is_answered_in_its_order(client: Client) -> None:
    orders = [an_order(total_minor=n) for n in range(1, 8)]
    answers = client.score_batch(orders).decisions
    assert [one.order_id for one in answers] == [order["order_id"] for order in orders]
    assert len({one.decision_id for one in answers}) == 7


def test_a_batch_with_one_wrong_order_is_refused_whole(client: Client) -> None:
    good, wrong = an_order(), an_order(currency="XXZ")
    with pytest.raises(RequestFailed) as refused:
        client.score_batch([good, wrong])
    assert [error["pointer"] for error in refused.value.problem["errors"]] == ["#/orders/1/currency"]
    with pytest.raises(RequestFailed, match="404"):
        client.order(good["order_id"])


def test_the_same_key_and_content_is_one_decision_whatever_the_layout(client: Client, server: Server) -> None:
    order = an_order()
    first = client.score(order, idempotency_key="layout-1")
    again = client.score(dict(reversed(order.items())), idempotency_key="layout-1")
    assert first.decision_id == again.decision_id
    assert len(client.order(order["order_id"]).decisions) == 1
    with Client(server.address, server.keys["scorer"]) as another:
        other = another.score(order, idempotency_key="layout-1")
    assert other.decision_id != first.decision_id


def test_the_same_key_with_other_content_is_refused(client: Client) -> None:
    client.score(an_order(), idempotency_key="conflict-1")
    with pytest.raises(RequestFailed) as refused:
        client.score(an_order(), idempotency_key="conflict-1")
    assert (refused.value.status, refused.value.error) == (422, "IdempotencyConflict")


def test_a_conflict_does_not_hurt_those_who_are_scored_with_it(client: Client, server: Server) -> None:
    """One group may hold a refused request and good ones; each gets its own answer."""
    with server.client() as http:
        taken = http.post("/v1/score", json=an_order(), headers={"Idempotency-Key": "group-1"})
        assert taken.status_code == 200

    def one(number: int) -> int:
        key = "group-1" if number == 5 else f"group-1-{number}"
        with server.client() as http:
            answer = http.post("/v1/score", json=an_order(), headers={"Idempotency-Key": key})
        return answer.status_code

    with ThreadPoolExecutor(12) as pool:
        statuses = list(pool.map(one, range(12)))
    assert statuses == [422 if number == 5 else 200 for number in range(12)]


def test_a_batch_is_idempotent_too(client: Client) -> None:
    orders = [an_order(), an_order()]
    first = client.score_batch(orders, idempotency_key="batch-1")
    again = client.score_batch(orders, idempotency_key="batch-1")
    assert [d.decision_id for d in first.decisions] == [d.decision_id for d in again.decisions]
    with pytest.raises(RequestFailed, match="422"):
        client.score_batch(orders[:1], idempotency_key="batch-1")


@pytest.mark.parametrize("table", ROWS)
def test_rows_are_accepted_or_refused_one_by_one(client: Client, table: str) -> None:
    row = ROWS[table]
    answer = client.add(table, [row, {"nonsense": True}, 5, row])
    assert (answer.accepted, answer.refused) == (2, 2)
    assert [one.accepted for one in answer.rows] == [True, False, False, True]
    assert answer.rows[0].key
    assert all(answer.rows[at].reason for at in (1, 2))


def test_later_facts_score_the_orders_again_that_they_touch(client: Client) -> None:
    order = an_order()
    first = client.score(order)
    ids = {"order_id": order["order_id"]}
    shipment = ROWS["shipments"] | ids | {"shipment_id": f"h-{order['order_id']}"}
    (row,) = client.add("shipments", [shipment]).rows
    scan = ROWS["tracking_events"] | {"shipment_id": shipment["shipment_id"]}
    (later,) = client.add("tracking_events", [scan]).rows
    history = [one.decision_id for one in client.order(order["order_id"]).decisions]
    assert history == [*later.decision_ids, *row.decision_ids, first.decision_id]
    assert len(history) == 3


def test_the_same_facts_under_one_key_score_nothing_again(client: Client) -> None:
    order = an_order()
    client.score(order)
    review = ROWS["reviews"] | {"order_id": order["order_id"], "review_id": f"r-{order['order_id']}"}
    first = client.add("reviews", [review, {}], idempotency_key=f"facts-{order['order_id']}")
    again = client.add("reviews", [review, {}], idempotency_key=f"facts-{order['order_id']}")
    assert first == again
    assert len(client.order(order["order_id"]).decisions) == 2


def test_decisions_of_an_order_come_in_pages(client: Client) -> None:
    order = an_order()
    made = [client.score(order).decision_id for _ in range(5)]
    found, cursor = [], None
    for _ in range(3):
        page = client.order(order["order_id"], limit=2, cursor=cursor)
        found += [one.decision_id for one in page.decisions]
        cursor = page.next_cursor
    assert found == made[::-1]
    assert cursor is None


def test_an_id_may_hold_any_character(client: Client) -> None:
    order = an_order(order_id="a/b?c=d&e#f g%20é 刷单")
    scored = client.score(order)
    assert client.order(order["order_id"]).decisions[0].decision_id == scored.decision_id


def test_masked_and_blank_values_are_unknown(client: Client) -> None:
    bare = an_order()
    del bare["device_id"], bare["ip_address"]
    masked = bare | {"device_id": "****", "ip_address": " "}
    assert client.score(masked, store=False).clauses == client.score(bare, store=False).clauses


@pytest.mark.parametrize(
    "path", ["/v1/sellers/nobody", "/v1/rings/none", "/v1/decisions/none", "/v1/orders/none"]
)
def test_what_is_not_known_is_a_404_that_says_so(server: Server, path: str) -> None:
    with server.client() as http:
        answer = http.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"] == "UnknownRecord"


def test_the_policy_in_force_is_shown(server: Server, client: Client) -> None:
    with server.client("analyst") as http:
        policy = http.get("/v1/policy").json()
        model = http.get("/v1/model").json()
    versions = client.score(an_order(), store=False).versions
    assert (policy["version"], policy["sha256"]) == (versions.policy, versions.policy_sha256)
    assert {rule["code"] for rule in policy["rule"]}
    assert model == {"model": versions.model, "manifest": None}


def test_while_another_process_writes_scoring_waits_and_the_rest_goes_on(
    client: Client, server: Server
) -> None:
    other = connect(server.database_url)
    with ThreadPoolExecutor(1) as thread:
        with other.begin(), server.client(None) as visitor:  # who begins has the file's lock
            scoring = thread.submit(client.score, an_order())
            for _ in range(20):
                assert visitor.get("/healthz").is_success
                time.sleep(0.05)
            assert not scoring.done()
        assert 0 <= scoring.result(30).score <= 1
    other.dispose()
