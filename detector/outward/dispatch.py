"""The dispatcher: takes what is due from the outbox, sends it, marks it, tries again later.

Every endpoint is served on its own, so a slow one delays nobody else; of one seller's messages an endpoint
gets the next only when it has taken the one before, or that one is dead. A dispatcher may be killed at any
moment: what it had taken becomes due again when its lease ends.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from sqlalchemy import Connection, Engine

from detector.outward.transport import DeliveryFailed, Transport
from detector.store import outbox
from detector.store.endpoints import Endpoint, active_endpoints
from detector.store.outbox import Delivery

__all__ = ["LEASE", "Dispatcher", "Retry"]

LEASE = timedelta(seconds=90)
"""How long a message is one dispatcher's; much longer than a batch can take."""
_BATCH = 16
_POLL_SECONDS = 1.0
_LONGEST = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Retry:
    """When a message is tried again: after ``first`` doubled for every failure, at most six hours, less up
    to half of it by chance; after ``attempts`` failures it is dead."""

    attempts: int
    first: timedelta

    def next_at(self, now: datetime, failures: int, chance: Random) -> datetime | None:
        """When to try after the ``failures``-th failure; None: never.

        >>> Retry(3, timedelta(seconds=10)).next_at(datetime(2024, 1, 1), 3, Random(1)) is None
        True
        """
        if failures >= self.attempts:
            return None
        pause = min(self.first * 2 ** min(failures - 1, 20), _LONGEST)
        return now + timedelta(seconds=pause.total_seconds() * chance.uniform(0.5, 1.0))


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """``transports``: URL scheme → transport; an endpoint of another scheme is not served."""

    engine: Engine
    transports: Mapping[str, Transport]
    retry: Retry
    clock: Callable[[], datetime]
    chance: Random

    async def once(self) -> Counter[str]:
        """Send everything that is due now; counts of ``delivered``, ``failed`` and ``dead``."""
        tallies = [self._serve(endpoint) for endpoint in await self._endpoints()]
        return sum(await asyncio.gather(*tallies), Counter[str]())

    async def watch(self) -> None:
        """Send whatever becomes due, until cancelled."""
        serving: dict[str, asyncio.Task[Counter[str]]] = {}
        while True:
            for endpoint in await self._endpoints():
                task = serving.get(endpoint.endpoint_id)
                if task is None or task.done():
                    if task:
                        task.result()  # an error of the database ends the dispatcher
                    serving[endpoint.endpoint_id] = asyncio.create_task(self._serve(endpoint))
            await asyncio.sleep(_POLL_SECONDS)

    async def _endpoints(self) -> list[Endpoint]:
        def read() -> list[Endpoint]:
            with self._reading() as connection:
                return active_endpoints(connection)

        endpoints = await asyncio.to_thread(read)
        return [endpoint for endpoint in endpoints if _scheme(endpoint) in self.transports]

    async def _serve(self, endpoint: Endpoint) -> Counter[str]:
        """Send what is due now; what becomes due meanwhile is for the next time."""
        due, tally = self.clock(), Counter[str]()
        while taken := await asyncio.to_thread(self._lease, endpoint, due):
            tally.update(await asyncio.gather(*(self._attempt(endpoint, delivery) for delivery in taken)))
        return tally

    def _lease(self, endpoint: Endpoint, due: datetime) -> list[Delivery]:
        with self._reading() as connection:
            if not outbox.is_due(connection, endpoint.endpoint_id, due):
                return []
        with self.engine.begin() as connection:
            return outbox.lease(connection, endpoint.endpoint_id, due, self.clock() + LEASE, _BATCH)

    def _reading(self) -> Connection:
        return self.engine.execution_options(reads_only=True).connect()

    async def _attempt(self, endpoint: Endpoint, delivery: Delivery) -> str:
        """Send once and record how it ended: delivered, failed or dead."""
        transport = self.transports[_scheme(endpoint)]
        try:
            await transport.send(endpoint, delivery.message, self.clock())
        except DeliveryFailed as failure:
            return await asyncio.to_thread(self._failed, delivery, str(failure), failure.for_good)
        except Exception as error:  # one message that cannot be sent must not stop the others
            reason = f"{type(error).__name__}: {error}"
            return await asyncio.to_thread(self._failed, delivery, reason, False)
        await asyncio.to_thread(self._delivered, delivery)
        return "delivered"

    def _delivered(self, delivery: Delivery) -> None:
        with self.engine.begin() as connection:
            outbox.mark_delivered(connection, delivery, self.clock())

    def _failed(self, delivery: Delivery, reason: str, for_good: bool) -> str:
        now = self.clock()
        again = None if for_good else self.retry.next_at(now, delivery.attempts + 1, self.chance)
        with self.engine.begin() as connection:
            outbox.mark_failed(connection, delivery, reason, retry_at=again, now=now)
        return "dead" if again is None else "failed"


def _scheme(endpoint: Endpoint) -> str:
    return endpoint.url.partition(":")[0]
