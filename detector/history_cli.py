"""``truetrade load``: history into the database of the service."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detector.store_cli import DatabaseUrl

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from detector.pseudonym import Veil

__all__ = ["load"]


def _opened(database_url: str | None) -> tuple[Engine, Veil]:
    """The database with this version's tables, and what hides identity values in it."""
    import os

    from detector.pseudonym import Veil, load_key
    from detector.settings import Settings
    from detector.store.database import connect, require_current

    settings = Settings()
    engine = connect(database_url or settings.database_url)
    require_current(engine)
    return engine, Veil(load_key(os.environ, settings.pseudonym_key_file))


def load(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Folder of the contract's tables.")],
    mapping: Annotated[Path | None, typer.Option(help="Mapping file for a foreign export.")] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Store the history that the service looks back on; what is there already is replaced."""
    from detector.load import load as load_folder

    engine, veil = _opened(database_url)
    stored, rejected = load_folder(engine, source, veil, mapping=mapping)
    typer.echo(f"{sum(stored.values()):,} rows stored, {stored['orders']:,} orders; {rejected:,} rejected")
