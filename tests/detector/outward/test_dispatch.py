"""Delivery over real sockets: a receiver that fails, drips and hangs up loses nothing and keeps the order."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from outward_delivery import Receiver, add_endpoint, put, until
from sqlalchemy import Engine

from detector.outward.dispatch import LEASE, Dispatcher, Retry
from detector.outward.webhooks import BadEndpoint, Webhooks, http_client, require_webhook_url
from detector.store import outbox

Receive = Callable[..., Receiver]
QUICK = Retry(attempts=18, first=timedelta(milliseconds=40))


def now() -> datetime:
    return datetime.now(UTC)


def in_a_lease() -> datetime:
    return datetime.now(UTC) + LEASE


def deliver(
    store: Engine, retry: Retry = QUICK, clock: Callable[[], datetime] = now, timeout_seconds: float = 0.5
) -> Counter[str]:
    """Serve all endpoints once, as ``truetrade outbox deliver`` does."""

    async def run() -> Counter[str]:
        async with http_client(timeout_seconds) as client:
            webhooks = Webhooks(client, timeout_seconds)
            return await Dispatcher(store, {"http": webhooks}, retry, clock, Random(1)).once()

    return asyncio.run(run())


def dead(store: Engine) -> list[tuple[str, str | None]]:
    with store.connect() as connection:
        return [(d.message.message_id, d.last_error) for d in outbox.dead_letters(connection)]


def test_a_receiver_that_fails_for_a_while_gets_everything_in_order(store: Engine, receive: Receive) -> None:
    receiver = receive([500, 503, "slow", "drop", 302, 500, "slow", 429, "drop", 500])
    add_endpoint(store, receiver.url, receiver.secret)
    sent = {f"S{seller}": [put(store, f"S{seller}", n) for n in range(5)] for seller in range(3)}
    tally = Counter[str]()

    def all_taken() -> bool:
        tally.update(deliver(store))
        return len(receiver.taken()) >= 15

    until(all_taken)
    assert tally == {"delivered": 15, "failed": 10}
    taken = defaultdict(list)
    for request in receiver.taken():
        taken[f"S{request['content']['data']['number']}"].append(request["id"])
        assert request["path"] == "/hook"
    arrived = [request["id"] for request in receiver.taken()]
    for ids in sent.values():
        assert [message_id for message_id in arrived if message_id in ids] == ids
    assert dead(store) == []
    assert deliver(store) == Counter()


def test_the_body_is_what_the_standard_says_and_the_same_at_every_attempt(
    store: Engine, receive: Receive
) -> None:
    receiver = receive([500])
    add_endpoint(store, receiver.url, receiver.secret)
    message_id = put(store, "S1", 7)
    until(lambda: deliver(store)["delivered"] == 1)
    first, second = receiver.requests()
    assert first["id"] == second["id"] == message_id
    assert first["content"] == second["content"]
    assert sorted(first["content"]) == ["data", "timestamp", "type"]
    assert (first["content"]["type"], first["content"]["data"]) == ("case.opened", {"number": 7})


def test_a_message_that_always_fails_is_a_dead_letter_and_comes_when_replayed(
    store: Engine, receive: Receive
) -> None:
    receiver = receive([500, 500])
    add_endpoint(store, receiver.url, receiver.secret)
    first, second = put(store, "S1", 1), put(store, "S1", 2)
    twice = Retry(attempts=2, first=timedelta(milliseconds=1))
    until(lambda: bool(deliver(store, twice)["dead"]))
    assert dead(store) == [(first, "answered 500")]
    assert [request["id"] for request in receiver.taken()] == [second]
    with store.begin() as connection:
        outbox.replay(connection, first, now())
    assert deliver(store) == {"delivered": 1}
    assert receiver.requests()[-1]["id"] == first
    assert dead(store) == []


def test_gone_is_for_good_and_a_redirect_is_not_followed(store: Engine, receive: Receive) -> None:
    receiver = receive([302, 410])
    add_endpoint(store, receiver.url, receiver.secret)
    message_id = put(store, "S1", 1)
    until(lambda: bool(deliver(store)["dead"]))
    assert dead(store) == [(message_id, "answered 410")]
    assert [request["path"] for request in receiver.requests()] == ["/hook", "/hook"]


def test_nobody_listening_is_retried(store: Engine, receive: Receive) -> None:
    add_endpoint(store, "http://127.0.0.1:9/hook", "whsec_c2VjcmV0")
    message_id = put(store, "S1", 1)
    assert deliver(store, Retry(1, timedelta(1))) == {"dead": 1}
    ((found, error),) = dead(store)
    assert found == message_id
    assert str(error).startswith("ConnectError")


def test_a_slow_endpoint_does_not_delay_another(store: Engine, receive: Receive) -> None:
    slow, quick = receive(["wait"] * 4), receive()
    add_endpoint(store, slow.url, slow.secret, "slow")
    add_endpoint(store, quick.url, quick.secret, "quick")

    async def run() -> None:
        async with http_client(60) as client:
            dispatcher = Dispatcher(store, {"http": Webhooks(client, 60)}, QUICK, now, Random(1))
            watching = asyncio.create_task(dispatcher.watch())
            for number in range(4):
                await asyncio.to_thread(put, store, f"S{number}", number)
                await asyncio.to_thread(until, lambda n=number: len(quick.taken()) == n + 1)
            assert slow.taken() == []
            watching.cancel()

    asyncio.run(run())


def test_two_dispatchers_send_each_message_once(store: Engine, receive: Receive) -> None:
    receiver = receive()
    add_endpoint(store, receiver.url, receiver.secret)
    ids = {put(store, f"S{number % 7}", number) for number in range(40)}

    async def run() -> list[Counter[str]]:
        async with http_client(5) as client:
            two = [Dispatcher(store, {"http": Webhooks(client, 5)}, QUICK, now, Random(n)) for n in (1, 2)]
            return await asyncio.gather(*(dispatcher.once() for dispatcher in two))

    deliver_all = asyncio.run(run())
    until(lambda: sum((*deliver_all, deliver(store)), Counter[str]())["delivered"] == 40)
    assert Counter(request["id"] for request in receiver.requests()) == Counter(ids)


def cli(database_url: str, *arguments: str) -> subprocess.Popen[bytes]:
    """A ``truetrade`` process of this source tree."""
    environment = {
        **os.environ,
        "TRUETRADE_DATABASE_URL": database_url,
        "TRUETRADE_OUTBOX_TIMEOUT_SECONDS": "30",
    }
    return subprocess.Popen([sys.executable, "-m", "api.cli", *arguments], env=environment)


def test_killed_between_sending_and_marking_the_message_comes_again_under_its_id(
    store: Engine, database_url: str, receive: Receive
) -> None:
    receiver = receive(["wait"])
    add_endpoint(store, receiver.url, receiver.secret)
    first, second = put(store, "S1", 1), put(store, "S1", 2)
    dispatcher = cli(database_url, "outbox", "deliver", "--watch")
    until(lambda: len(receiver.requests()) == 1)
    dispatcher.kill()
    dispatcher.wait()
    receiver.let_go()
    assert deliver(store) == Counter()
    assert deliver(store, clock=in_a_lease) == {"delivered": 2}
    assert [request["id"] for request in receiver.requests()] == [first, first, second]


WRITER = """
import os, signal, sys
from datetime import UTC, datetime
from detector.store.database import connect
from detector.store.messages import NewMessage
from detector.store.outbox import append
engine = connect(sys.argv[1])
with engine.begin() as connection:
    append(connection, [NewMessage(sys.argv[2], "S1", "case.opened", {}, datetime.now(UTC))])
    if sys.argv[2] == "never":
        os.kill(os.getpid(), signal.SIGKILL)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_between_the_event_and_the_webhook_the_message_is_delivered_after_restart(
    store: Engine, database_url: str, receive: Receive
) -> None:
    """Killed after the commit: delivered. Killed before it: there never was an event, and no message."""
    receiver = receive()
    add_endpoint(store, receiver.url, receiver.secret)
    for message_id in ("never", "committed"):
        writer = subprocess.run([sys.executable, "-c", WRITER, database_url, message_id], check=False)
        assert writer.returncode == -9
    assert cli(database_url, "outbox", "deliver").wait(60) == 0
    assert [request["id"] for request in receiver.requests()] == ["committed"]


@given(st.integers(1, 60), st.integers(0, 2**32))
def test_pauses_double_up_to_six_hours_and_vary(failures: int, seed: int) -> None:
    retry = Retry(61, timedelta(seconds=10))
    at = datetime(2024, 1, 1, tzinfo=UTC)
    again = retry.next_at(at, failures, Random(seed))
    assert again is not None
    full = min(10 * 2 ** (failures - 1), 6 * 3600)
    assert full / 2 <= (again - at).total_seconds() <= full


@pytest.mark.parametrize(
    "url",
    [
        "http://erp.example/hook",
        "https://user:password@erp.example/hook",
        "https://erp.example/hook#part",
        "https:///hook",
        "ftp://erp.example/",
        "file:///etc/passwd",
        "erp.example",
        "http://localhost.evil.example/",
        "https://[::1",
    ],
)
def test_what_cannot_be_a_webhook_is_refused(url: str) -> None:
    with pytest.raises(BadEndpoint, match=r"https://HOST|is no URL"):
        require_webhook_url(url)


@pytest.mark.parametrize("url", ["https://erp.example/hook?x=1", "http://127.0.0.1:8080/", "http://[::1]:1/"])
def test_what_can_be_a_webhook_is_taken(url: str) -> None:
    require_webhook_url(url)
