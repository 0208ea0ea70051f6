"""Who is told what happens: the addresses of other systems, and what each wants to hear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Boolean, Column, Connection, Table, Text, insert, select

from detector.errors import TrueTradeError
from detector.store.columns import METADATA, Instant, Json

__all__ = [
    "ENDPOINTS",
    "SELLERS_BY_EMAIL",
    "Endpoint",
    "UnknownEndpoint",
    "active_endpoints",
    "add_endpoint",
    "require_endpoint",
]

SELLERS_BY_EMAIL = "mailto:"
"""The URL of the endpoint that means: every seller, at the address on record."""

ENDPOINTS = Table(
    "outbox_endpoints",
    METADATA,
    Column("endpoint_id", Text, primary_key=True),
    Column("url", Text, nullable=False),
    Column("secret", Text),
    Column("kinds", Json, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
)


class UnknownEndpoint(TrueTradeError):
    """There is no active endpoint with this id."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Who is told. ``kinds``: kinds or their first words (``notice`` is every notice); empty: everything."""

    endpoint_id: str
    url: str
    secret: str | None
    kinds: tuple[str, ...]

    def wants(self, kind: str) -> bool:
        """Whether messages of ``kind`` go to this endpoint."""
        return not self.kinds or any(kind == known or kind.startswith(f"{known}.") for known in self.kinds)


def add_endpoint(
    connection: Connection,
    *,
    endpoint_id: str,
    url: str,
    secret: str | None,
    kinds: Sequence[str],
    now: datetime,
) -> Endpoint:
    """A new endpoint; it learns what is appended from now on (``replay_range`` brings the past)."""
    row = {"endpoint_id": endpoint_id, "url": url, "secret": secret, "kinds": list(kinds)}
    connection.execute(insert(ENDPOINTS).values(**row, active=True, created_at=now))
    return Endpoint(endpoint_id, url, secret, tuple(kinds))


def active_endpoints(connection: Connection) -> list[Endpoint]:
    """Every endpoint that is told things, oldest first."""
    columns = (ENDPOINTS.c.endpoint_id, ENDPOINTS.c.url, ENDPOINTS.c.secret, ENDPOINTS.c.kinds)
    query = select(*columns).where(ENDPOINTS.c.active).order_by(ENDPOINTS.c.created_at, columns[0])
    return [Endpoint(row[0], row[1], row[2], tuple(row[3])) for row in connection.execute(query)]


def require_endpoint(connection: Connection, endpoint_id: str) -> Endpoint:
    """The active endpoint with this id (UnknownEndpoint where there is none)."""
    for endpoint in active_endpoints(connection):
        if endpoint.endpoint_id == endpoint_id:
            return endpoint
    raise UnknownEndpoint(f"there is no active endpoint {endpoint_id!r}; see outbox endpoints list")
