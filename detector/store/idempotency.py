"""Requests that are carried out once, however often they come: the same key is answered the same."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Table, Text, bindparam, delete, select, update

from detector.enforcement.refusals import IdempotencyConflict
from detector.store.columns import METADATA, Instant, Json
from detector.store.inserting import insert_new

__all__ = ["IDEMPOTENCY", "Claim", "forget_before", "recall", "remember"]

IDEMPOTENCY = Table(
    "idempotency",
    METADATA,
    Column("scope", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("answer", Json),
    Column("at", Instant, nullable=False, index=True),
)


@dataclass(frozen=True, slots=True, order=True)
class Claim:
    """A request's claim to be carried out: who asks for what, the caller's key, a digest of the content."""

    scope: str
    key: str
    digest: str


def recall(connection: Connection, claims: Iterable[Claim], now: datetime) -> dict[Claim, Any]:
    """The answers of those claims that have been carried out; the others are taken by this transaction.

    It must ``remember`` an answer for each claim taken, or roll back. Somebody else who comes with the same
    claim waits here until then. Claims are taken in sorted order, so that two groups never wait for each
    other.

    Raises
    ------
    IdempotencyConflict
        A key was used before with other content.
    """
    take = insert_new(connection, IDEMPOTENCY).returning(IDEMPOTENCY.c.key)
    answers: dict[Claim, Any] = {}
    for claim in sorted(set(claims)):
        values = {"scope": claim.scope, "key": claim.key, "digest": claim.digest, "at": now}
        if connection.execute(take, values).first() is None:
            answers[claim] = _answer(connection, claim)
    return answers


def _answer(connection: Connection, claim: Claim) -> Any:
    this = (IDEMPOTENCY.c.scope == claim.scope) & (IDEMPOTENCY.c.key == claim.key)
    found = connection.execute(select(IDEMPOTENCY.c.digest, IDEMPOTENCY.c.answer).where(this)).one()
    if found.digest != claim.digest:
        raise IdempotencyConflict(claim.key, claim.scope.rpartition(" ")[2])
    return found.answer


_REMEMBER = (
    update(IDEMPOTENCY)
    .where(IDEMPOTENCY.c.scope == bindparam("scope_"), IDEMPOTENCY.c.key == bindparam("key_"))
    .values(answer=bindparam("answer_"))
)


def remember(connection: Connection, answers: dict[Claim, Any]) -> None:
    """Keep the answers (JSON values) of claims that ``recall`` took in this transaction."""
    rows = [
        {"scope_": claim.scope, "key_": claim.key, "answer_": answer} for claim, answer in answers.items()
    ]
    if rows:
        connection.execute(_REMEMBER, rows)


def forget_before(connection: Connection, before: datetime) -> int:
    """Drop the keys taken before; the number dropped. The same key would then be carried out again."""
    return connection.execute(delete(IDEMPOTENCY).where(IDEMPOTENCY.c.at < before)).rowcount
