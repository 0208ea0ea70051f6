"""API keys: made here, shown once, kept as an argon2 hash behind a fast look-up id."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from sqlalchemy import Column, Connection, RowMapping, Table, Text, insert, or_, select, update

from detector.errors import TrueTradeError
from detector.roles import Role
from detector.store.columns import METADATA, Instant

__all__ = [
    "API_KEYS",
    "ApiKey",
    "KeyEnded",
    "NewKey",
    "UnknownKey",
    "create_key",
    "find_key",
    "key_id_of",
    "list_keys",
    "revoke_key",
    "rotate_key",
    "verify",
]

ROTATION_OVERLAP = timedelta(hours=24)
"""How long a rotated key still works, so that its holder can change over."""

_PREFIX = "tt"
_SECRET_BYTES = 32
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# OWASP's smallest argon2id. The secret is 256 random bits and needs no stretching; more memory per check
# would only let a flood of wrong keys eat the server's.

API_KEYS = Table(
    "api_keys",
    METADATA,
    Column("key_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("secret_hash", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
)


class UnknownKey(TrueTradeError):
    """No key has this id."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"key {key_id!r} does not exist; truetrade keys list shows those that do")
        self.key_id = key_id


class KeyEnded(TrueTradeError):
    """The key has been revoked or has expired, and cannot be rotated."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"key {key_id} has ended; cannot rotate it. Allowed: truetrade keys create")
        self.key_id = key_id


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is stored. ``expires_at`` None: it does not expire."""

    key_id: str
    name: str
    role: Role
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    secret_hash: str = field(repr=False)

    def works_at(self, now: datetime) -> bool:
        """Whether the key is neither revoked nor expired; the instant of expiry is already too late."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made. ``token`` is shown once and stored nowhere."""

    key_id: str
    token: str = field(repr=False)


def create_key(
    connection: Connection, *, role: Role, name: str, now: datetime, expires_at: datetime | None = None
) -> NewKey:
    """Make a key: ``tt_ID_SECRET``."""
    key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(_SECRET_BYTES)
    values = {"key_id": key_id, "name": name, "role": role, "secret_hash": _HASHER.hash(secret)}
    connection.execute(insert(API_KEYS).values(**values, created_at=now, expires_at=expires_at))
    return NewKey(key_id, f"{_PREFIX}_{key_id}_{secret}")


def find_key(connection: Connection, key_id: str) -> ApiKey | None:
    """The key with this id, working or not."""
    row = connection.execute(select(API_KEYS).where(API_KEYS.c.key_id == key_id)).mappings().first()
    return None if row is None else _key(row)


def list_keys(connection: Connection) -> list[ApiKey]:
    """Every key, oldest first, ended ones too."""
    rows = connection.execute(select(API_KEYS).order_by(API_KEYS.c.created_at, API_KEYS.c.key_id))
    return [_key(row) for row in rows.mappings()]


def revoke_key(connection: Connection, key_id: str, now: datetime) -> None:
    """End a key now; revoking it again changes nothing. Raises UnknownKey."""
    _existing(connection, key_id)
    once = (API_KEYS.c.key_id == key_id) & API_KEYS.c.revoked_at.is_(None)
    connection.execute(update(API_KEYS).where(once).values(revoked_at=now))


def rotate_key(connection: Connection, key_id: str, now: datetime) -> NewKey:
    """Make a successor of the same name, role and length of life; the old key ends after the overlap.

    Raises UnknownKey, and KeyEnded for a key that does not work any more.
    """
    old = _existing(connection, key_id)
    if not old.works_at(now):
        raise KeyEnded(key_id)
    lasts = None if old.expires_at is None else old.expires_at - old.created_at
    expires_at = None if lasts is None else now + lasts
    ends = now + ROTATION_OVERLAP
    later = or_(API_KEYS.c.expires_at.is_(None), API_KEYS.c.expires_at > ends)
    connection.execute(update(API_KEYS).where(API_KEYS.c.key_id == key_id, later).values(expires_at=ends))
    return create_key(connection, role=old.role, name=old.name, now=now, expires_at=expires_at)


def key_id_of(token: str) -> str | None:
    """The look-up id within a token; None where it is not shaped like one of our keys.

    >>> key_id_of("tt_0011223344556677_secret")
    '0011223344556677'
    """
    prefix, _, rest = token.partition("_")
    key_id, _, secret = rest.partition("_")
    return key_id if prefix == _PREFIX and key_id and secret else None


def verify(key: ApiKey, token: str) -> bool:
    """Whether ``token`` is the key's own; costs some 20 ms of CPU and 19 MiB, on purpose."""
    try:
        return _HASHER.verify(key.secret_hash, token.removeprefix(f"{_PREFIX}_{key.key_id}_"))
    except VerifyMismatchError:
        return False


def _existing(connection: Connection, key_id: str) -> ApiKey:
    key = find_key(connection, key_id)
    if key is None:
        raise UnknownKey(key_id)
    return key


def _key(row: RowMapping) -> ApiKey:
    values: dict[str, Any] = dict(row)
    return ApiKey(**values)
