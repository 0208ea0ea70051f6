"""A key is verified once and looked up again from time to time, by one caller for all."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Engine

from api.auth import RECHECK_SECONDS, KeyRing
from api.refusals import NotAuthenticated
from detector.store.database import StoreError
from detector.store.keys import create_key, key_id_of, revoke_key

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class Ring:
    """A ring of one key, whose clock is turned by hand; ``look`` is asked before each further look-up."""

    def __init__(self, store: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        with store.begin() as connection:
            self.token = create_key(connection, role="scorer", name="t", now=datetime.now(UTC)).token
        self.key_id = key_id_of(self.token) or ""
        self.now, self.looks = 0.0, 0
        self.look: Any = lambda: None
        self.keys = KeyRing(store, lambda: self.now)
        found = self.keys._look_again

        def look_again(digest: bytes, known: Any) -> Any:
            self.looks += 1
            self.look()
            return found(digest, known)

        monkeypatch.setattr(self.keys, "_look_again", look_again)

    async def ask(self) -> str:
        return (await self.keys.principal(self.token, self.key_id)).name


@pytest.fixture
def ring(store: Engine, monkeypatch: pytest.MonkeyPatch) -> Ring:
    return Ring(store, monkeypatch)


def test_who_comes_while_a_key_is_looked_up_again_does_not_wait(ring: Ring) -> None:
    may_go_on = Event()
    ring.look = lambda: may_go_on.wait(10)

    async def both() -> list[str]:
        await ring.ask()
        ring.now += RECHECK_SECONDS
        first = asyncio.create_task(ring.ask())
        while not ring.looks:
            await asyncio.sleep(0.001)
        second = await ring.ask()
        may_go_on.set()
        return [second, await first]

    assert asyncio.run(both()) == ["t", "t"]
    assert ring.looks == 1


def test_a_look_up_that_fails_is_tried_again_by_the_next_caller(ring: Ring) -> None:
    def fail() -> None:
        raise StoreError("no database")

    async def asked() -> None:
        await ring.ask()
        ring.now += RECHECK_SECONDS
        ring.look = fail
        for _ in range(2):
            with pytest.raises(StoreError):
                await ring.ask()
        ring.look = lambda: None
        await ring.ask()

    asyncio.run(asked())
    assert ring.looks == 3


def test_a_revoked_key_is_refused_once_it_is_looked_up(ring: Ring, store: Engine) -> None:
    async def asked() -> None:
        await ring.ask()
        with store.begin() as connection:
            revoke_key(connection, ring.key_id, datetime.now(UTC))
        ring.now += RECHECK_SECONDS
        with pytest.raises(NotAuthenticated):
            await ring.ask()

    asyncio.run(asked())
