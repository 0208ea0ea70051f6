"""Webhooks as Standard Webhooks (standardwebhooks.com) has them: signed, one HTTP POST per message."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import Callable
from datetime import datetime
from math import floor
from urllib.parse import urlsplit

import httpx
from standardwebhooks import Webhook

from detector.enforcement.days import format_instant
from detector.errors import TrueTradeError
from detector.outward.transport import DeliveryFailed
from detector.store.endpoints import Endpoint
from detector.store.messages import Message

__all__ = ["BadEndpoint", "Webhooks", "body_of", "http_client", "new_secret", "require_webhook_url"]

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_GONE = 410


class BadEndpoint(TrueTradeError):
    """The URL cannot be that of a webhook."""


class Webhooks:
    """Posts messages. ``timeout_seconds`` is for the whole exchange, however slowly the other side drips.

    Any 2xx answer takes the message; its body is not read. Redirects are not followed. 410 Gone ends the
    matter for good.
    """

    def __init__(self, client: httpx.AsyncClient, timeout_seconds: float) -> None:
        self._client = client
        self._timeout_seconds = timeout_seconds

    async def send(self, endpoint: Endpoint, message: Message, now: datetime) -> None:
        body = body_of(message)
        signature = Webhook(endpoint.secret or "").sign(message.message_id, now, body)
        headers = {
            "content-type": "application/json",
            "webhook-id": message.message_id,
            "webhook-timestamp": str(floor(now.timestamp())),
            "webhook-signature": signature,
        }
        status = await self._post(endpoint.url, body, headers)
        if not 200 <= status < 300:
            note = "; redirects are not followed" if 300 <= status < 400 else ""
            raise DeliveryFailed(f"answered {status}{note}", for_good=status == _GONE)

    async def _post(self, url: str, body: str, headers: dict[str, str]) -> int:
        try:
            async with (
                asyncio.timeout(self._timeout_seconds),
                self._client.stream("POST", url, content=body.encode(), headers=headers) as response,
            ):
                return response.status_code
        except TimeoutError:
            raise DeliveryFailed(f"no answer in {self._timeout_seconds:g} s") from None
        except httpx.HTTPError as error:
            raise DeliveryFailed(f"{type(error).__name__}: {error}") from None


def http_client(timeout_seconds: float) -> httpx.AsyncClient:
    """A client that goes where the URL says and nowhere else: no redirects, no proxies or logins of the
    environment. It trusts the certificates that this machine trusts."""
    trusted = ssl.create_default_context()
    return httpx.AsyncClient(timeout=timeout_seconds, follow_redirects=False, trust_env=False, verify=trusted)


def body_of(message: Message) -> str:
    """The message's JSON: type, timestamp (when it came true), data. The same bytes at every attempt."""
    content = {"type": message.kind, "timestamp": format_instant(message.at), "data": message.payload}
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def new_secret(random_bytes: Callable[[int], bytes]) -> str:
    """A signing secret of 32 random bytes in the form of the standard."""
    return "whsec_" + base64.b64encode(random_bytes(32)).decode()


def require_webhook_url(url: str) -> None:
    """Refuse what is not ``https://HOST…``; plain http is for this machine only, logins are for nobody."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        raise BadEndpoint(f"{url!r} is no URL") from None
    secure = parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    if not host or not secure or parts.username is not None or parts.fragment:
        raise BadEndpoint(
            f"{url!r} cannot be a webhook; it should be https://HOST/PATH, without login and fragment"
        )
