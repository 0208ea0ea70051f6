"""Who is calling: an API key of a system, or a token that a person's identity provider has signed."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from sqlalchemy import Engine

from api.oidc import OidcTokens
from api.principal import Principal
from api.refusals import NotAuthenticated, TooManyAttempts
from detector.store.keys import ApiKey, find_key, key_id_of, verify

__all__ = ["Gate", "KeyRing"]

K = TypeVar("K")
V = TypeVar("V")

RECHECK_SECONDS = 5.0
"""A key that was verified is looked up again after so long: a revocation acts within this time."""
_REMEMBERED = 1024
_WRONG_PER_MINUTE = 10


@dataclass(slots=True)
class _Verified:
    key: ApiKey
    looked_up: float


class KeyRing:
    """API keys, verified once and remembered, so that argon2 is not paid per request.

    Tokens are remembered by their SHA-256. What can change of a key (its expiry and revocation) is read
    anew every RECHECK_SECONDS; that is one indexed look-up.
    """

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine.execution_options(reads_only=True)
        self._clock = clock
        self._verified: OrderedDict[bytes, _Verified] = OrderedDict()
        self._wrong: OrderedDict[str, list[float]] = OrderedDict()
        self._one_by_one = CapacityLimiter(2)  # each check holds 19 MiB

    async def principal(self, token: str, key_id: str) -> Principal:
        """The holder of the key. Raises NotAuthenticated or TooManyAttempts."""
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        known = self._verified.get(digest)
        if known is None:
            self._not_too_often(key_id)
            known = await run_sync(self._check, digest, token, key_id, limiter=self._one_by_one)
        elif self._clock() - known.looked_up >= RECHECK_SECONDS:
            known = await self._rechecked(digest, known)
        if known is None or not known.key.works_at(datetime.now(UTC)):
            raise NotAuthenticated("the key is unknown, expired or revoked")
        return Principal(f"key:{key_id}", known.key.name, known.key.role)

    async def _rechecked(self, digest: bytes, known: _Verified) -> _Verified | None:
        """Looked up again, for one caller: who comes meanwhile need not look as well."""
        before, known.looked_up = known.looked_up, self._clock()
        try:
            return await run_sync(self._look_again, digest, known)
        except BaseException:
            known.looked_up = before
            raise

    def _check(self, digest: bytes, token: str, key_id: str) -> _Verified | None:
        looked_up = self._clock()
        key = self._find(key_id)
        if key is None:
            return None
        if not verify(key, token):
            _remember(self._wrong, key_id, [*self._wrong.get(key_id, []), looked_up])
            return None
        return _remember(self._verified, digest, _Verified(key, looked_up))

    def _look_again(self, digest: bytes, known: _Verified) -> _Verified | None:
        looked_up = self._clock()
        key = self._find(known.key.key_id)
        if key is None or key.secret_hash != known.key.secret_hash:
            self._verified.pop(digest, None)
            return None
        return _remember(self._verified, digest, _Verified(key, looked_up))

    def _find(self, key_id: str) -> ApiKey | None:
        with self._engine.connect() as connection:
            return find_key(connection, key_id)

    def _not_too_often(self, key_id: str) -> None:
        recent = [at for at in self._wrong.get(key_id, []) if self._clock() - at < 60]
        if len(recent) >= _WRONG_PER_MINUTE:
            raise TooManyAttempts
        if recent:
            self._wrong[key_id] = recent
        else:
            self._wrong.pop(key_id, None)


class Gate:
    """Turns an ``Authorization`` header into a principal. ``oidc`` None: only keys are taken."""

    def __init__(self, keys: KeyRing, oidc: OidcTokens | None) -> None:
        self._keys = keys
        self._oidc = oidc

    async def principal(self, authorization: str | None) -> Principal:
        """Who is calling. Raises NotAuthenticated, TooManyAttempts."""
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise NotAuthenticated("there is no key")
        key_id = key_id_of(token)
        if key_id is not None:
            return await self._keys.principal(token, key_id)
        if self._oidc is None:
            raise NotAuthenticated("this is no key of ours, and log-in by identity provider is not set up")
        return await self._oidc.principal(token)


def _remember(known: OrderedDict[K, V], name: K, value: V) -> V:
    """Keep the latest so many."""
    known[name] = value
    known.move_to_end(name)
    while len(known) > _REMEMBERED:
        known.popitem(last=False)
    return value
