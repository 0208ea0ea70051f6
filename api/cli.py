"""The command line of the whole product: that of ``detector``, and ``serve``."""

from __future__ import annotations

from typing import Annotated

import typer

from detector.cli import app, main
from detector.store_cli import DatabaseUrl

__all__ = ["app", "main"]


@app.command()
def serve(
    database_url: DatabaseUrl = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="Processes; several want PostgreSQL.")] = 1,
) -> None:
    """Serve the REST API."""
    from api.serve import serve as run
    from detector.settings import Settings

    settings = Settings() if database_url is None else Settings(database_url=database_url)
    run(settings, host, port, workers)


if __name__ == "__main__":
    main()
