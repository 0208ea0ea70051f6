"""What the dispatcher asks of a way to send: take one message, or say why not."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from detector.errors import TrueTradeError
from detector.store.endpoints import Endpoint
from detector.store.messages import Message

__all__ = ["DeliveryFailed", "Transport"]


class DeliveryFailed(TrueTradeError):
    """The other side has not taken the message. ``for_good``: trying again cannot help."""

    def __init__(self, reason: str, *, for_good: bool = False) -> None:
        super().__init__(reason)
        self.for_good = for_good


class Transport(Protocol):
    """Sends messages to the endpoints of one kind of URL."""

    async def send(self, endpoint: Endpoint, message: Message, now: datetime) -> None:
        """Return when the other side has taken the message; raise DeliveryFailed when it has not."""
