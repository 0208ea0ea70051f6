"""One writer per process, and a queue of single orders that it scores in groups.

A commit waits for the disk. Single orders that come meanwhile are scored together, in one pass and one
transaction, so the wait is shared; each is answered after the commit only. That also keeps the writers of
one process from contending for the database. A group is scored and committed on the loop's thread, for Python
computes on one thread at a time and hands it over slowly; the lock of a database, and a database elsewhere, are
waited for on a thread of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from api.metrics import QUEUE, count_decisions
from api.refusals import ServiceBusy
from detector.service import Decision, ScoreRequest, Service

__all__ = ["Writer", "writing"]

MAX_GROUP = 64
"""Orders scored together: what takes some tens of milliseconds, in which nothing else is answered."""
MAX_WAITING = 4096
TURNS = 4
"""Turns of the loop in which a request that is being read reaches the queue."""

T = TypeVar("T")
_Waiting = tuple[ScoreRequest, "asyncio.Future[Decision]"]
_Outcomes = Sequence[Decision | Exception]


class Writer:
    """Runs the service's writes one after the other."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._thread = ThreadPoolExecutor(1, "writer")
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue(MAX_WAITING)
        self._turn = asyncio.Lock()

    async def run(self, work: Callable[[Service, datetime], T]) -> T:
        """``work(service, now)`` on the writing thread; ``now`` is when it begins."""
        async with self._turn:
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
        waiting = QUEUE.labels("score")
        while True:
            group = [await self._queue.get()]
            await self._gathered()
            while len(group) < MAX_GROUP and not self._queue.empty():
                group.append(self._queue.get_nowait())
            waiting.set(len(group) + self._queue.qsize())
            outcomes = await self._outcomes([request for request, _ in group])
            count_decisions(
                [one for one in outcomes if isinstance(one, Decision)], self._service.snapshot_in_use
            )
            for (_, answer), outcome in zip(group, outcomes, strict=True):
                _give(answer, outcome)
            waiting.set(self._queue.qsize())

    async def _gathered(self) -> None:
        """Let those requests arrive that are being read: one pass for all is cheaper."""
        waiting = -1
        while waiting < self._queue.qsize():
            waiting = self._queue.qsize()
            for _ in range(TURNS):
                await asyncio.sleep(0)

    async def _outcomes(self, requests: Sequence[ScoreRequest]) -> _Outcomes:
        """A decision or an error for each; where the group fails as a whole, each is tried alone.

        Where nothing has to be waited for it is done on the loop's thread: to hand Python's lock to another and
        back takes longer than a commit.
        """
        if self._service.is_near:
            async with self._turn:
                try:
                    decisions = self._service.score_at_once(requests, datetime.now(UTC))
                except Exception as error:
                    if len(requests) == 1:
                        return [error]
                else:
                    if decisions is not None:
                        return decisions
        return await self.run(partial(_waited_outcomes, requests))

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


def _waited_outcomes(requests: Sequence[ScoreRequest], service: Service, now: datetime) -> _Outcomes:
    """As ``Writer._outcomes``, on the thread that calls it."""
    try:
        return service.score(requests, now)
    except Exception as error:
        if len(requests) == 1:
            return [error]
        return [_waited_outcomes([request], service, now)[0] for request in requests]


def _give(answer: asyncio.Future[Decision], outcome: Decision | Exception) -> None:
    if answer.done():  # the caller has hung up
        return
    if isinstance(outcome, Exception):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)
