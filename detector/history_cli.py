"""``truetrade load``, ``publish``, ``purge``, ``erase``: what the service looks back on."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detector.store_cli import DatabaseUrl, in_store, opened

if TYPE_CHECKING:
    from detector.pseudonym import Veil

__all__ = ["erase", "load", "publish", "purge"]


def _veil() -> Veil:
    """What hides identity values in the database."""
    import os

    from detector.pseudonym import Veil, load_key
    from detector.settings import Settings

    return Veil(load_key(os.environ, Settings().pseudonym_key_file))


def load(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Folder of the contract's tables.")],
    mapping: Annotated[Path | None, typer.Option(help="Mapping file for a foreign export.")] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Store the history that the service looks back on; what is there already is replaced."""
    from detector.load import load as load_folder

    with opened(database_url) as engine:
        stored, rejected = load_folder(engine, source, _veil(), mapping=mapping)
    typer.echo(f"{sum(stored.values()):,} rows stored, {stored['orders']:,} orders; {rejected:,} rejected")


def publish(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder that scan wrote.")],
    database_url: DatabaseUrl = None,
) -> None:
    """Put a scan's snapshot, seller verdicts and rings in force for the service, all at one moment."""
    from datetime import UTC

    from detector.publish import publish as publish_folder
    from detector.store.snapshots import SELLERS

    with opened(database_url) as engine:
        written = publish_folder(engine, out, datetime.now(UTC))
    typer.echo(f"in force: {written[SELLERS.name]:,} sellers, {sum(written.values()):,} rows in all")


def purge(
    before: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="UTC day; what is older goes.")],
    database_url: DatabaseUrl = None,
) -> None:
    """Remove facts, decisions and documents that are older than a day: the end of their retention."""
    from detector.retention import purge as purge_before
    from detector.settings import Settings
    from detector.store.documents import DocumentStore

    documents = DocumentStore.of(Settings())
    removed = in_store(database_url, lambda connection: purge_before(connection, before, documents))
    typer.echo(f"{sum(removed.values()):,} rows removed, {removed['orders']:,} orders")


def erase(
    buyer: Annotated[str, typer.Option(help="Id of the buyer to forget.")], database_url: DatabaseUrl = None
) -> None:
    """Erase the identifiers of one buyer; the orders stay, without a person behind them."""
    from detector.retention import erase_buyer

    erased = in_store(database_url, lambda connection: erase_buyer(connection, buyer))
    typer.echo(f"{sum(erased.values()):,} rows held identifiers of {buyer}; they are gone")
