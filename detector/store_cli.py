"""``truetrade db``: the database's tables."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["DatabaseUrl", "app"]

app = typer.Typer(no_args_is_help=True, help="The database of the service.")

DatabaseUrl = Annotated[
    str | None,
    typer.Option(metavar="URL", help="sqlite:///FILE or postgresql://…; else TRUETRADE_DATABASE_URL."),
]
"""Option of every command that uses the database."""


@app.callback()
def _group() -> None:
    """Keeps ``upgrade`` a sub-command while it is the only one."""


@app.command()
def upgrade(database_url: DatabaseUrl = None) -> None:
    """Make or update the tables."""
    from detector.settings import Settings
    from detector.store.database import connect
    from detector.store.database import upgrade as upgrade_tables

    url = database_url or Settings().database_url
    upgrade_tables(connect(url))
    typer.echo("The database is up to date.")
