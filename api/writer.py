"""One thread that writes, and a queue of single orders that it scores in groups.

A commit waits for the disk. Single orders that come meanwhile are scored together, in one pass and one
transaction, so the wait is shared; each is answered after the commit only. That also keeps the writers of
one process from contending for the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from api.metrics import QUEUE
from api.refusals import ServiceBusy
from detector.service import Decision, ScoreRequest, Service

__all__ = ["Writer", "writing"]

MAX_GROUP = 256
MAX_WAITING = 4096
LINGER_SECONDS = 0.001
MAX_LINGERS = 5

T = TypeVar("T")
_Waiting = tuple[ScoreRequest, "asyncio.Future[Decision]"]


class Writer:
    """Runs the service's writes one after the other."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._thread = ThreadPoolExecutor(1, "writer")
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue(MAX_WAITING)

    async def run(self, work: Callable[[Service, datetime], T]) -> T:
        """``work(service, now)`` on the writing thread; ``now`` is when it begins."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: work(self._service, datetime.now(UTC)))

    async def score(self, request: ScoreRequest) -> Decision:
        """Score one order together with those that wait. Raises ServiceBusy, and what the service raises."""
        answer: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        try:
            self._queue.put_nowait((request, answer))
        except asyncio.QueueFull:
            raise ServiceBusy from None
        return await answer

    async def work(self) -> None:
        """Score what waits, group by group, until cancelled."""
        several = False
        while True:
            group = [await self._queue.get()]
            if several:
                await self._gathered()
            while len(group) < MAX_GROUP and not self._queue.empty():
                group.append(self._queue.get_nowait())
            several = len(group) > 1
            QUEUE.labels("score").set(len(group) + self._queue.qsize())
            outcomes = await self.run(partial(_outcomes, [request for request, _ in group]))
            for (_, answer), outcome in zip(group, outcomes, strict=True):
                _give(answer, outcome)
            QUEUE.labels("score").set(self._queue.qsize())

    async def _gathered(self) -> None:
        """Wait while more orders keep coming: where several come at once, one pass for all is cheaper."""
        waiting = -1
        for _ in range(MAX_LINGERS):
            if self._queue.qsize() == waiting:
                return
            waiting = self._queue.qsize()
            await asyncio.sleep(LINGER_SECONDS)

    def close(self) -> None:
        """Wait for the write under way."""
        self._thread.shutdown()


@asynccontextmanager
async def writing(service: Service) -> AsyncIterator[Writer]:
    """A writer at work until the block ends."""
    writer = Writer(service)
    scoring = asyncio.create_task(writer.work())
    yield writer
    scoring.cancel()
    writer.close()


def _outcomes(
    requests: Sequence[ScoreRequest], service: Service, now: datetime
) -> Sequence[Decision | Exception]:
    """A decision or an error for each; where the group fails as a whole, each is tried alone."""
    try:
        return service.score(requests, now)
    except Exception as error:
        if len(requests) == 1:
            return [error]
        return [_outcomes([request], service, now)[0] for request in requests]


def _give(answer: asyncio.Future[Decision], outcome: Decision | Exception) -> None:
    if answer.done():  # the caller has hung up
        return
    if isinstance(outcome, Exception):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)
