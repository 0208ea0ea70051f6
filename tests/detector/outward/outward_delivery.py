"""A receiver of webhooks as a test sees it, and messages to send it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from detector.store import endpoints, outbox
from detector.store.messages import NewMessage, message_id_of


def until(true: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until it is true; fail when it does not become so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.02)


@dataclass(frozen=True)
class Receiver:
    """A running receiver; ``secret`` signs what it accepts."""

    folder: Path
    secret: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{(self.folder / 'port').read_text()}/hook"

    def requests(self) -> list[dict[str, Any]]:
        """Every request that came, its signature verified by the receiver, in order."""
        log = self.folder / "log.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def taken(self) -> list[dict[str, Any]]:
        """The requests answered with 200."""
        return [request for request in self.requests() if request["answer"] == 200]

    def let_go(self) -> None:
        """End the waiting of the behaviour ``wait``."""
        (self.folder / "go").touch()


def add_endpoint(store: Engine, url: str, secret: str | None, endpoint_id: str = "erp") -> None:
    with store.begin() as connection:
        endpoints.add_endpoint(
            connection, endpoint_id=endpoint_id, url=url, secret=secret, kinds=(), now=datetime.now(UTC)
        )


def put(store: Engine, seller_id: str, number: int, payload: dict[str, Any] | None = None) -> str:
    """Append a message; its id."""
    message_id = message_id_of(seller_id, number)
    kind = f"notice.{payload['kind']}" if payload else "case.opened"
    with store.begin() as connection:
        content = payload or {"number": number}
        outbox.append(connection, [NewMessage(message_id, seller_id, kind, content, datetime.now(UTC))])
    return message_id
