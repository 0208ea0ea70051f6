"""``truetrade import …``: other systems' exports as contract tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Turn other systems' exports into tables of the data contract.")


@app.callback()
def _group() -> None:
    """Keeps the format a word of its own while there is only one."""


@app.command("tiktok-orders")
def tiktok_orders(
    files: Annotated[list[Path], typer.Argument(help="Order list pages (JSON) of one shop.")],
    out: Annotated[Path, typer.Option(help="Folder for orders, order_items and shipments.")],
    seller: Annotated[
        str, typer.Option(help="The shop's id, which the order list does not hold.")
    ] = "tiktok-shop",
) -> None:
    """Write a TikTok Shop order list as contract tables that `truetrade scan` reads."""
    from detector.tiktok import import_tiktok_orders

    for table, rows in import_tiktok_orders(files, out, seller_id=seller).items():
        typer.echo(f"{out / table}.parquet: {rows} rows")
