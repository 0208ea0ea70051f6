"""Makes everything that is derived anew from the events: projections, what is due, the stored states."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Engine, Table, bindparam, delete, insert, select, text, update

from detector.policy.schema import Policy
from detector.store.events import (
    CACHE_EVERY,
    STREAMS,
    Stored,
    Stream,
    all_events,
    cache_of,
    followed,
    new_stream,
)
from detector.store.projections import DUE, PROJECTIONS, due_rows, rows_of

__all__ = ["rebuild"]

_SELLERS_AT_ONCE = 1000


def rebuild(engine: Engine, policy: Policy) -> int:
    """Rebuild in one transaction, in which nobody else writes; how many sellers there are.

    What was told of things due stays on record, so nothing is told twice.
    """
    with engine.begin() as connection:
        _alone(connection)
        for table in PROJECTIONS:
            connection.execute(delete(table))
        connection.execute(delete(DUE).where(DUE.c.sent_at.is_(None)))
        told = {(row.kind, row.subject_id, row.at) for row in connection.execute(select(DUE))}
        streams = _folded(all_events(connection))
        count = 0
        while some := list(islice(streams, _SELLERS_AT_ONCE)):
            _write(connection, some, policy.enforcement.appeals.reminder_days, told)
            count += len(some)
        return count


def _alone(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        names = ", ".join(table.name for table in (STREAMS, *PROJECTIONS, DUE))
        connection.execute(text(f"LOCK TABLE {names} IN EXCLUSIVE MODE"))


def _folded(events: Iterable[Stored]) -> Iterator[Stream]:
    for seller_id, own in groupby(events, attrgetter("seller_id")):
        yield followed(new_stream(seller_id), own)


def _write(
    connection: Connection, streams: list[Stream], reminder_days: int, told: set[tuple[Any, ...]]
) -> None:
    fresh: dict[Table, list[dict[str, Any]]] = defaultdict(list)
    for stream in streams:
        for table, rows in rows_of(stream.state).items():
            fresh[table] += rows
        due = due_rows(stream.state, reminder_days)
        fresh[DUE] += [row for row in due if (row["kind"], row["subject_id"], row["at"]) not in told]
    for table, rows in fresh.items():
        if rows:
            connection.execute(insert(table), rows)
    _cache(connection, streams)


def _cache(connection: Connection, streams: list[Stream]) -> None:
    """Long streams get a stored state, as when they are written."""
    mine = STREAMS.c.seller_id == bindparam("its_seller")
    long = [stream for stream in streams if stream.sequence >= CACHE_EVERY]
    values = [
        {"its_seller": stream.state.seller_id, **cache_of(stream.state, stream.sequence, stream.latest)}
        for stream in long
    ]
    if values:
        connection.execute(update(STREAMS).where(mine), values)
