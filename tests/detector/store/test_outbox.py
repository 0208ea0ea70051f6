"""The outbox: in the caller's transaction, once per id, in order per seller, leased to one at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from detector.store import outbox
from detector.store.endpoints import UnknownEndpoint, active_endpoints, add_endpoint
from detector.store.messages import NewMessage, message_id_of, messages_of

NOW = datetime(2024, 3, 1, 9, tzinfo=UTC)
LATER = NOW + timedelta(minutes=2)


def put(store: Engine, seller_id: str, number: int, kind: str = "notice.hold") -> str:
    message_id = message_id_of(seller_id, number)
    with store.begin() as connection:
        at = NOW + timedelta(seconds=number)
        outbox.append(connection, [NewMessage(message_id, seller_id, kind, {"number": number}, at)])
    return message_id


def an_endpoint(store: Engine, endpoint_id: str = "erp", kinds: tuple[str, ...] = ()) -> str:
    with store.begin() as connection:
        add_endpoint(
            connection,
            endpoint_id=endpoint_id,
            url=f"https://{endpoint_id}.example/hook",
            secret="whsec_c2VjcmV0",
            kinds=kinds,
            now=NOW,
        )
    return endpoint_id


def lease(
    store: Engine, at: datetime = LATER, endpoint_id: str = "erp", limit: int = 10
) -> list[outbox.Delivery]:
    with store.begin() as connection:
        return outbox.lease(connection, endpoint_id, at, at + timedelta(minutes=2), limit)


def deliver(store: Engine, delivery: outbox.Delivery, at: datetime = LATER) -> None:
    with store.begin() as connection:
        outbox.mark_delivered(connection, delivery, at)


def fail(store: Engine, delivery: outbox.Delivery, retry_at: datetime | None, at: datetime = LATER) -> None:
    with store.begin() as connection:
        outbox.mark_failed(connection, delivery, "answered 500", retry_at=retry_at, now=at)


def ids(deliveries: list[outbox.Delivery]) -> list[str]:
    return [delivery.message.message_id for delivery in deliveries]


def drain(store: Engine, at: datetime = LATER) -> list[str]:
    sent = []
    while taken := lease(store, at):
        sent += ids(taken)
        for delivery in taken:
            deliver(store, delivery, at)
    return sent


def test_a_message_is_there_only_if_the_transaction_is(store: Engine) -> None:
    an_endpoint(store)

    def fails_after_append() -> None:
        with store.begin() as connection:
            outbox.append(connection, [NewMessage("m", "S1", "k", {}, NOW)])
            raise RuntimeError("the command failed")

    with pytest.raises(RuntimeError):
        fails_after_append()
    assert lease(store) == []


def test_the_same_id_is_taken_once(store: Engine) -> None:
    an_endpoint(store)
    message_id = put(store, "S1", 1)
    assert put(store, "S1", 1) == message_id
    assert drain(store) == [message_id]


def test_a_seller_is_served_in_order_and_does_not_wait_for_another(store: Engine) -> None:
    an_endpoint(store)
    first, second, other = put(store, "S1", 1), put(store, "S1", 2), put(store, "S2", 1)
    taken = lease(store)
    assert ids(taken) == [first, other]
    deliver(store, taken[1])
    assert lease(store) == []
    fail(store, taken[0], retry_at=LATER + timedelta(minutes=1))
    assert lease(store) == []
    assert ids(lease(store, LATER + timedelta(minutes=1))) == [first]
    deliver(store, taken[0])
    assert ids(lease(store)) == [second]


def test_a_dead_letter_lets_the_next_one_pass_and_goes_first_again_when_replayed(store: Engine) -> None:
    an_endpoint(store)
    first, second = put(store, "S1", 1), put(store, "S1", 2)
    fail(store, lease(store)[0], retry_at=None)
    with store.begin() as connection:
        letters = outbox.dead_letters(connection)
    assert [(letter.message.message_id, letter.attempts, letter.last_error) for letter in letters] == [
        (first, 1, "answered 500")
    ]
    with store.begin() as connection:
        assert outbox.replay(connection, first, LATER) == 1
        assert outbox.dead_letters(connection) == []
    assert drain(store) == [first, second]
    with store.begin() as connection, pytest.raises(outbox.UnknownMessage, match="msg_other"):
        outbox.replay(connection, "msg_other", LATER)


def test_a_lease_that_runs_out_is_given_again_with_the_same_id(store: Engine) -> None:
    an_endpoint(store)
    message_id = put(store, "S1", 1)
    lost = lease(store)[0]
    after = LATER + timedelta(minutes=2)
    assert lease(store, after - timedelta(microseconds=1)) == []
    assert ids(lease(store, after)) == [message_id]
    deliver(store, lost)
    assert lease(store, after + timedelta(hours=1)) == []


def test_endpoints_get_the_kinds_they_want(store: Engine) -> None:
    an_endpoint(store, "all")
    an_endpoint(store, "notices", ("notice",))
    an_endpoint(store, "exact", ("violation.found",))
    notice, found = put(store, "S1", 1), put(store, "S2", 1, "violation.found")
    put(store, "S3", 1, "noticeable")
    assert len(lease(store, endpoint_id="all")) == 3
    assert ids(lease(store, endpoint_id="notices")) == [notice]
    assert ids(lease(store, endpoint_id="exact")) == [found]


def test_a_range_is_replayed_delivered_or_never_meant(store: Engine) -> None:
    an_endpoint(store)
    sent = [put(store, "S1", number) for number in range(4)]
    assert drain(store) == sent
    an_endpoint(store, "late")
    for endpoint_id in ("erp", "late"):
        with store.begin() as connection:
            since, until = NOW + timedelta(seconds=1), NOW + timedelta(seconds=3)
            assert outbox.replay_range(connection, endpoint_id, since, until, LATER) == 2
    assert drain(store) == sent[1:3]
    assert ids(lease(store, endpoint_id="late")) == sent[1:2]


def test_a_removed_endpoint_is_told_nothing_more(store: Engine) -> None:
    an_endpoint(store)
    put(store, "S1", 1)
    with store.begin() as connection:
        outbox.remove_endpoint(connection, "erp")
        assert active_endpoints(connection) == []
    put(store, "S1", 2)
    assert lease(store) == []
    with store.begin() as connection, pytest.raises(UnknownEndpoint, match="'erp'"):
        outbox.remove_endpoint(connection, "erp")


def test_messages_of_one_seller_by_first_word(store: Engine) -> None:
    hold, notice = put(store, "S1", 1, "notice.hold"), put(store, "S1", 2, "notice.violation")
    put(store, "S1", 3, "noticed")
    put(store, "S2", 4, "notice.hold")
    with store.begin() as connection:
        found = messages_of(connection, "S1", "notice")
        assert [message.message_id for message in found] == [hold, notice]
        behind = messages_of(connection, "S1", "notice", after=found[0].position)
    assert [(message.message_id, message.payload, message.at) for message in behind] == [
        (notice, {"number": 2}, NOW + timedelta(seconds=2))
    ]


def test_several_dispatchers_share_the_work_without_sending_twice(store: Engine) -> None:
    an_endpoint(store)
    expected = {(f"S{seller}", put(store, f"S{seller}", n)) for n in range(4) for seller in range(6)}

    def work(_: int) -> list[tuple[str, str]]:
        sent = []
        for _ in range(60):
            for delivery in lease(store, limit=2):
                sent.append((delivery.message.seller_id, delivery.message.message_id))
                deliver(store, delivery)
        return sent

    with ThreadPoolExecutor(4) as pool:
        sent = [entry for result in pool.map(work, range(4)) for entry in result]
    assert len(sent) == len(expected) == 24
    assert set(sent) == expected


def test_a_second_writer_of_a_seller_waits_for_the_commit_of_the_first(store: Engine) -> None:
    """Otherwise a later position could become visible, and be sent, before an earlier one."""
    with ThreadPoolExecutor(1) as pool:
        with store.begin() as connection:
            outbox.append(connection, [NewMessage("a", "S1", "n", {}, NOW)])
            second = pool.submit(put, store, "S1", 2, "n")
            with pytest.raises(TimeoutError):
                second.result(timeout=0.3)
        message_id = second.result(timeout=20)
    with store.connect() as connection:
        messages = messages_of(connection, "S1", "n")
    assert [message.message_id for message in messages] == ["a", message_id]
