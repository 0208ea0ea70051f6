"""The database: SQLite in WAL mode by default, PostgreSQL by URL, migrated by Alembic."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import NoneType
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError

from detector.errors import TrueTradeError
from detector.store.prepared import failed

__all__ = [
    "BUSY_SECONDS",
    "DEFAULT_URL",
    "SchemaOutdated",
    "StoreError",
    "connect",
    "one_moment",
    "require_current",
    "upgrade",
    "writing_engine",
]

DEFAULT_URL = "sqlite:///truetrade.db"
_MIGRATIONS = Path(__file__).with_name("migrations")
BUSY_SECONDS = 30
"""How long a transaction waits for another one's end."""
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "cache_size=-65536",
    "wal_autocheckpoint=4096",  # pages, 16 MB: one order in hundreds waits for the copying
    "mmap_size=2147418112",  # what is not cached is read where the system has it; a limit, not a size
)


class StoreError(TrueTradeError):
    """The database cannot be opened or used."""


class SchemaOutdated(StoreError):
    """The database has other tables than this version needs."""


def connect(url: str = DEFAULT_URL) -> Engine:
    """An engine for ``sqlite:///FILE`` or ``postgresql://USER:PASSWORD@HOST/NAME``.

    An acknowledged commit survives a power cut: SQLite runs with ``synchronous=FULL``, and a transaction
    takes the write lock as it begins (``BEGIN IMMEDIATE``), so that it never fails half-way as stale.

    Raises
    ------
    StoreError
        The URL is of another kind, or the driver is missing.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _sqlite(parsed)
        if parsed.get_backend_name() == "postgresql":
            return _postgresql(parsed.set(drivername="postgresql+psycopg"), pool_size=10)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise StoreError(f"database {url!r} cannot be used: {error}") from None
    raise StoreError(f"database {url!r} should begin with sqlite:/// or postgresql://")


def writing_engine(engine: Engine) -> Engine:
    """An engine for the same database that has one connection: for who writes all the time."""
    one: dict[str, Any] = {"pool_size": 1, "max_overflow": 0}
    if engine.dialect.name == "postgresql":
        return _postgresql(engine.url, **one)
    alone = _sqlite(engine.url, **one)
    event.listen(alone, "connect", _cache_little)
    return alone


def _cache_little(connection: Any, _record: Any) -> None:
    """Most is read once, and where the system has it; a large cache would only fill up while the service runs."""
    connection.execute("PRAGMA cache_size=-16384")


def _postgresql(url: URL, **options: Any) -> Engine:
    return create_engine(url, pool_pre_ping=True, **options)


def _itself(value: None) -> None:
    return value


# for every value of another type than int, float and str the driver looks for an adapter; to find none takes longest
sqlite3.register_adapter(NoneType, _itself)
sqlite3.register_adapter(bool, int)


def _sqlite(url: URL, **options: Any) -> Engine:
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS}, **options)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions begin below, not when the driver guesses
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        reads_only = connection.get_execution_options().get("reads_only", False)
        text = "BEGIN" if reads_only else "BEGIN IMMEDIATE"
        try:  # by the driver: through SQLAlchemy it would take as long as an order's queries
            connection.connection.driver_connection.execute(text)
        except sqlite3.Error as error:
            raise failed(connection, text, error) from error

    return engine


def upgrade(engine: Engine) -> None:
    """Bring the tables to this version; nothing happens where they are."""
    config = _config()
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except OperationalError as error:
        raise StoreError(f"database cannot be reached: {error.orig}") from None


def require_current(engine: Engine) -> None:
    """Raise SchemaOutdated unless ``upgrade`` has been run with this version."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    try:
        with engine.connect() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
    except OperationalError as error:
        raise StoreError(f"database cannot be reached: {error.orig}") from None
    if found != head:
        raise SchemaOutdated(
            f"the database is at schema {found or 'none'}, this version needs {head}; run truetrade db upgrade"
        )


@contextmanager
def one_moment(engine: Engine) -> Iterator[Connection]:
    """A connection that only reads, and sees the database as it was at the first query all the time."""
    options: dict[str, Any] = {"reads_only": True}
    if engine.dialect.name == "postgresql":
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with engine.connect().execution_options(**options) as connection:
        yield connection


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config
