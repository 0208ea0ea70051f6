"""The latest orders of keys, kept in memory while nobody else writes: whoever is busy is not read from disk again.

A history holds every order of its key from some instant on. It is read when it is first asked for and told
of each order that is stored later, so that what comes late or is corrected has its place in it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from detector.store.columns import to_micros
from detector.store.database import keeps
from detector.store.prepared import driver

__all__ = ["Histories", "History", "histories"]

Row = Mapping[str, Any]
Key = tuple[str, Any]
"""A column of ``orders``, and its value."""

MOST_ROWS = 600_000
"""Orders in memory, counted once per key: a hundred megabytes at most. Beyond, everything is forgotten."""

_PLACE = "histories"


class History:
    """Orders of a key from ``since`` on (microseconds), the earliest first: times, and what is read of each."""

    __slots__ = ("since", "times", "told")

    def __init__(self, since: int, times: list[int], told: list[tuple[Any, ...]]) -> None:
        self.since, self.times, self.told = since, times, told

    def add(self, time: int, told: tuple[Any, ...], most: int) -> None:
        """One more order; of more than ``most`` the later half is kept."""
        if time < self.since:
            return
        at = bisect_right(self.times, time)
        self.times.insert(at, time)
        self.told.insert(at, told)
        if len(self.times) > most:
            self.since = self.times[most // 2] + 1
            cut = bisect_left(self.times, self.since)
            del self.times[:cut], self.told[:cut]


class Histories:
    """What is kept of a database at one ``version``."""

    def __init__(self, version: int | None = None) -> None:
        self.version = version
        self._known: dict[Key, History] = {}
        self._rows = 0

    def get(self, key: Key) -> History | None:
        return self._known.get(key)

    def keep(self, key: Key, history: History) -> None:
        self._rows += 1 + len(history.times)
        if self._rows > MOST_ROWS:
            self._known.clear()
            self._rows = 1 + len(history.times)
        self._known[key] = history

    def forget(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self._known.pop(key, None)

    def add(self, key: Key, order: Row, columns: Sequence[str], most: int) -> None:
        """An order of the key that is stored now, and was not before."""
        history = self._known.get(key)
        if history is not None:
            self._rows += 1
            told = tuple(order[name] for name in columns)
            history.add(to_micros(order["created_at"]), told, most)


def histories(connection: Connection) -> Histories:
    """The histories that hold in this transaction; of a connection that keeps nothing, new ones each time."""
    if not keeps(connection):
        return Histories()
    version = driver(connection).execute("PRAGMA data_version").fetchone()[0]
    kept: Histories | None = connection.info.get(_PLACE)
    if kept is None or kept.version != version:
        kept = connection.info[_PLACE] = Histories(version)
    return kept
