"""The connection that a process writes through: it stays open, and one transaction uses it at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from detector.store.database import BUSY_SECONDS, writing_engine

__all__ = ["Writer"]


class Writer:
    """Transactions that write, one after the other.

    To take a connection from a pool and give it back costs SQLAlchemy as much as the queries of an order; that of
    a file is kept. One to a server is taken anew each time, for the server may have been restarted.

    Attributes
    ----------
    is_near
        The database is a file: nothing waits but the begin and the end of a transaction.
    """

    def __init__(self, engine: Engine) -> None:
        self.is_near = engine.dialect.name == "sqlite"
        self._engine = writing_engine(engine)
        self._turn = Lock()
        self._kept: Connection | None = None

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction that waits for other writers; committed where the block ends, unless it fails."""
        if not self.is_near:
            with self._engine.begin() as connection:
                yield connection
            return
        with self._turn:
            connection = self._connection()
            _wait(connection, BUSY_SECONDS)
            try:
                transaction = connection.begin()
            finally:
                _wait(connection, 0)
            with _ended(connection), transaction:
                yield connection

    @contextmanager
    def begin_at_once(self) -> Iterator[Connection | None]:
        """As ``begin`` of a near database, but it waits for nobody: None where somebody else is writing."""
        if not self._turn.acquire(blocking=False):
            yield None
            return
        try:
            connection = self._connection()
            try:
                transaction = connection.begin()
            except OperationalError:  # another reason than a lock will show again when it is waited for
                yield None
                return
            with _ended(connection), transaction:
                yield connection
        finally:
            self._turn.release()

    def close(self) -> None:
        """Close what is kept."""
        if self._kept is not None:
            self._kept.close()
        self._engine.dispose()

    def _connection(self) -> Connection:
        if self._kept is None:
            self._kept = self._engine.connect()
            _wait(self._kept, 0)
        return self._kept


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


def _wait(connection: Connection, seconds: int) -> None:
    """How long a transaction of SQLite waits for another to end before it fails."""
    _driver(connection).execute(f"PRAGMA busy_timeout = {seconds * 1000}")


@contextmanager
def _ended(connection: Connection) -> Iterator[None]:
    """Roll back what a commit that failed has left open."""
    try:
        yield
    finally:
        own = _driver(connection)
        if own.in_transaction:
            own.rollback()
