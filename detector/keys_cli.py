"""``truetrade keys``: who may call the service."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from detector.roles import Role
from detector.store_cli import DatabaseUrl, in_store

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Keys of the REST service.")

KeyId = Annotated[str, typer.Argument(metavar="KEY_ID", help="As shown by list.")]


@app.command()
def create(
    role: Annotated[Role, typer.Option(help="What the key may do; see docs/api-roles.md.")],
    name: Annotated[str, typer.Option(help="Who holds it.")],
    expires: Annotated[int | None, typer.Option(min=1, metavar="DAYS", help="Days it works.")] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Make a key and print it; it is not shown again."""
    from detector.store.keys import create_key

    now = datetime.now(UTC)
    ends = None if expires is None else now + timedelta(days=expires)
    made = in_store(
        database_url,
        lambda connection: create_key(connection, role=role, name=name, now=now, expires_at=ends),
    )
    typer.echo(made.token)


@app.command("list")
def list_all(database_url: DatabaseUrl = None) -> None:
    """Show every key: id, role, name, made, ends."""
    from rich.console import Console
    from rich.table import Table

    from detector.enforcement.days import format_instant
    from detector.store.keys import list_keys

    table = Table("key", "role", "name", "made", "expires", "revoked")
    for key in in_store(database_url, list_keys):
        times = (key.created_at, key.expires_at, key.revoked_at)
        table.add_row(
            key.key_id, key.role, key.name, *("" if at is None else format_instant(at) for at in times)
        )
    Console(width=140).print(table)


@app.command()
def rotate(key_id: KeyId, database_url: DatabaseUrl = None) -> None:
    """Print a new key of the same name and role; the old one works for 24 more hours."""
    from detector.store.keys import rotate_key

    now = datetime.now(UTC)
    typer.echo(in_store(database_url, lambda connection: rotate_key(connection, key_id, now)).token)


@app.command()
def revoke(key_id: KeyId, database_url: DatabaseUrl = None) -> None:
    """End a key; running servers refuse it within 5 seconds."""
    from detector.store.keys import revoke_key

    now = datetime.now(UTC)
    in_store(database_url, lambda connection: revoke_key(connection, key_id, now))
    typer.echo(f"key {key_id} is revoked")
