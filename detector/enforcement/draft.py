"""The workbench of ``decide``: a state, the events decided so far, and the state they lead to."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from detector.enforcement.days import end_of_day
from detector.enforcement.events import Event, MoneyMoved, NoticeKind, NoticeSent
from detector.enforcement.evolve import evolve
from detector.enforcement.ledger import Entry
from detector.enforcement.state import SellerState
from detector.policy.enforcement import Enforcement
from detector.policy.schema import Policy

__all__ = ["Draft"]


class Draft:
    """Collects events and keeps ``state`` abreast of them; nothing outside sees it before it is complete."""

    def __init__(self, state: SellerState, policy: Policy, now: datetime) -> None:
        self.state = state
        self.now = now
        self.zone: ZoneInfo = policy.zone
        self.policy: Enforcement = policy.enforcement
        self.events: list[Event] = []

    def add(self, event: Event) -> None:
        self.events.append(event)
        self.state = evolve(self.state, event)

    def move(self, entry: Entry) -> None:
        """Post a ledger entry; a zero amount posts nothing."""
        if entry.amount_minor:
            self.add(MoneyMoved(at=self.now, entry=entry))

    def notify(self, kind: NoticeKind, violation_id: str | None = None) -> None:
        self.add(NoticeSent(at=self.now, kind=kind, violation_id=violation_id))

    def day_end(self, days: int) -> datetime:
        """First instant after the ``days``-th calendar day from now, in the market's zone."""
        return end_of_day(self.now, days, self.zone)
