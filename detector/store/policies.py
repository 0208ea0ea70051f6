"""The text of every policy that a notice has rested on, so that a case can be read with the rules of its time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, Connection, Table, Text, insert, select

from detector.policy.schema import Policy
from detector.store.columns import METADATA, Instant

__all__ = ["PolicyText", "keep_policy", "policy_texts"]

POLICIES = Table(
    "policies",
    METADATA,
    Column("sha256", Text, primary_key=True),
    Column("version", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("since", Instant, nullable=False),
)


@dataclass(frozen=True, slots=True)
class PolicyText:
    """A policy file; ``sha256`` is that of ``text`` in UTF-8, ``since`` the first notice that named it."""

    sha256: str
    version: str
    text: str
    since: datetime


def keep_policy(connection: Connection, policy: Policy, at: datetime) -> None:
    """Keep the policy's text unless it is kept already."""
    if not policy_texts(connection, [policy.sha256]):
        row = {"sha256": policy.sha256, "version": policy.version, "text": policy.text, "since": at}
        connection.execute(insert(POLICIES).values(row))


def policy_texts(connection: Connection, sha256s: Iterable[str]) -> list[PolicyText]:
    """The texts of the policies with these hashes, as far as they are kept, oldest first."""
    query = select(POLICIES).where(POLICIES.c.sha256.in_(list(sha256s)))
    rows = connection.execute(query.order_by(POLICIES.c.since, POLICIES.c.sha256))
    return [PolicyText(row.sha256, row.version, row.text, row.since) for row in rows]
