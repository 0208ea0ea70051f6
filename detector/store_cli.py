"""``truetrade db``: the database's tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

__all__ = ["DatabaseUrl", "app", "in_store", "opened"]

app = typer.Typer(no_args_is_help=True, help="The database of the service.")

DatabaseUrl = Annotated[
    str | None,
    typer.Option(metavar="URL", help="sqlite:///FILE or postgresql://…; else TRUETRADE_DATABASE_URL."),
]
"""Option of every command that uses the database."""

Result = TypeVar("Result")


@app.callback()
def _group() -> None:
    """Keeps ``upgrade`` a sub-command while it is the only one."""


@app.command()
def upgrade(database_url: DatabaseUrl = None) -> None:
    """Make or update the tables."""
    from detector.settings import Settings
    from detector.store.database import connect
    from detector.store.database import upgrade as upgrade_tables

    engine = connect(database_url or Settings().database_url)
    try:
        upgrade_tables(engine)
    finally:
        engine.dispose()
    typer.echo("The database is up to date.")


@contextmanager
def opened(database_url: str | None) -> Iterator[Engine]:
    """The database with this version's tables."""
    from detector.settings import Settings
    from detector.store.database import connect, require_current

    engine = connect(database_url or Settings().database_url)
    try:
        require_current(engine)
        yield engine
    finally:
        engine.dispose()


def in_store(database_url: str | None, work: Callable[[Connection], Result]) -> Result:
    """What ``work`` gives, done in one transaction on a database with this version's tables."""
    with opened(database_url) as engine, engine.begin() as connection:
        return work(connection)
