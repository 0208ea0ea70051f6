"""Two queries at once: numpy and many a query keep only one of several cores busy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import duckdb

__all__ = ["side_by_side"]


def side_by_side(
    con: duckdb.DuckDBPyConnection, works: Sequence[Callable[[duckdb.DuckDBPyConnection], Any]]
) -> list[Any]:
    """Do the works in two threads, each on a cursor of its own, and give their results in order.

    A cursor sees the tables of ``con``, not its temporary ones. Of several works that fail the first one's
    error is raised; an error or an interrupt stops what still runs.
    """
    with ExitStack() as stack:
        cursors = [stack.enter_context(con.cursor()) for _ in works]
        for cursor in cursors:
            cursor.execute("SET TimeZone = 'UTC'")
        pool = stack.enter_context(ThreadPoolExecutor(2))
        under_way = [pool.submit(work, cursor) for work, cursor in zip(works, cursors, strict=True)]
        try:
            return [one.result() for one in under_way]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for cursor in cursors:
                cursor.interrupt()
            raise
