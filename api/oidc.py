"""Log-in of people: bearer tokens (JWT) of the identity provider that the settings name."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry

from api.principal import Principal
from api.refusals import NotAuthenticated, ProviderUnreachable
from detector.roles import Role

__all__ = ["OidcTokens"]

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures only a holder of the provider's private key can make; never a shared secret, never none."""
_KEYS_LAST_SECONDS = 300.0
_KEYS_AT_MOST_EVERY_SECONDS = 10.0
_LEEWAY_SECONDS = 30


class OidcTokens:
    """Validates tokens of one issuer for one audience, and maps a claim to a role.

    Parameters
    ----------
    issuer
        Its ``/.well-known/openid-configuration`` names the keys.
    audience
        What ``aud`` must hold.
    role_claim
        Claim with a name or a list of names.
    roles
        Name in that claim → role; other names mean nothing here.
    """

    def __init__(self, issuer: str, audience: str, role_claim: str, roles: Mapping[str, Role]) -> None:
        self._issuer, self._audience = issuer, audience
        self._role_claim, self._roles = role_claim, roles
        self._keys: KeySet | None = None
        self._fetched = float("-inf")
        self._fetching = asyncio.Lock()

    async def principal(self, token: str) -> Principal:
        """The person of the token. Raises NotAuthenticated, ProviderUnreachable."""
        try:
            claims = await self._verified_claims(token)
            self._registry().validate(claims)
        except (JoseError, ValueError) as error:  # ValueError: not base64, not JSON, an unknown kid
            raise NotAuthenticated(f"the token does not hold ({type(error).__name__})") from None
        subject = str(claims["sub"])
        return Principal(f"oidc:{subject}", str(claims.get("name") or subject), self._role(claims))

    async def _verified_claims(self, token: str) -> dict[str, Any]:
        keys = await self._current_keys(_KEYS_LAST_SECONDS)
        try:
            return jwt.decode(token, keys, algorithms=ALGORITHMS).claims
        except (JoseError, ValueError):  # the provider may have changed its keys since
            fresh = await self._current_keys(_KEYS_AT_MOST_EVERY_SECONDS)
            if fresh is keys:
                raise
            return jwt.decode(token, fresh, algorithms=ALGORITHMS).claims

    def _registry(self) -> JWTClaimsRegistry:
        return JWTClaimsRegistry(
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": self._audience},
            exp={"essential": True},
            sub={"essential": True},
        )

    def _role(self, claims: Mapping[str, Any]) -> Role:
        named = claims.get(self._role_claim)
        names = named if isinstance(named, list) else [named]
        found = {self._roles[name] for name in names if isinstance(name, str) and name in self._roles}
        if len(found) != 1:
            what = f"names the roles {', '.join(sorted(found))}" if found else "names no role"
            raise NotAuthenticated(f"the token's claim {self._role_claim} {what}, and exactly one is needed")
        return found.pop()

    async def _current_keys(self, max_age: float) -> KeySet:
        async with self._fetching:
            if self._keys is None or time.monotonic() - self._fetched > max_age:
                self._keys, self._fetched = await self._fetch(), time.monotonic()
            return self._keys

    async def _fetch(self) -> KeySet:
        try:
            async with httpx.AsyncClient(timeout=5) as client:
                address = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
                about = (await client.get(address)).raise_for_status().json()
                if about["issuer"] != self._issuer:
                    raise ProviderUnreachable("it names another issuer")
                found = (await client.get(about["jwks_uri"])).raise_for_status().json()
            return KeySet.import_key_set(found)
        except (httpx.HTTPError, JoseError, KeyError, TypeError, ValueError) as error:
            raise ProviderUnreachable(type(error).__name__) from None
