"""``truetrade serve``: the app under uvicorn."""

from __future__ import annotations

import os
import resource
import tempfile

import uvicorn
from fastapi import FastAPI

from api.connections import TimedProtocol
from api.logs import set_up_logs
from detector.errors import InputError
from detector.settings import Settings

__all__ = ["app", "serve"]


def app() -> FastAPI:
    """The app of one worker process, from the environment; uvicorn calls it in each."""
    from api.app import create_app

    set_up_logs()
    return create_app(Settings())


def serve(settings: Settings, host: str, port: int, workers: int) -> None:
    """Serve until told to stop. Each worker is a process with its own event loop and connections.

    Raises
    ------
    InputError
        Several workers are to share a file of SQLite: each would hold all orders, and read them anew whenever
        another has written one.
    """
    if workers > 1 and settings.database_url.startswith("sqlite"):
        raise InputError("SQLite is served by one worker; several want a postgresql:// database")
    os.environ["TRUETRADE_DATABASE_URL"] = settings.database_url
    set_up_logs()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory(prefix="truetrade-metrics-") as folder:
        if workers > 1:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        uvicorn.run(
            "api.serve:app",
            factory=True,
            host=host,
            port=port,
            workers=workers,
            http=TimedProtocol,
            ws="none",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=30,
            timeout_worker_healthcheck=60,  # by default a worker that imports for 5 s is killed as dead
        )
