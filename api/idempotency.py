"""``Idempotency-Key``: what comes again under its key is answered as it was the first time."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from fastapi import Request

from api.principal import Principal
from api.refusals import IdempotencyKeyRefused
from detector.store.idempotency import Claim

__all__ = ["FORM", "PARAMETER", "claim_of"]

FORM = r"^[\x20-\x7e]{1,200}$"

PARAMETER: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "pattern": FORM},
    "description": "The same key with the same content is carried out once and answered the same.",
}
"""The header as every POST under ``/v1`` documents it."""


async def claim_of(request: Request) -> Claim | None:
    """The claim to hand down into a POST's transaction; None without a key.

    A key belongs to its caller and address. The content is what the JSON says, however it is written.

    Raises
    ------
    IdempotencyKeyRefused
        The key is longer than 200 characters, or not printable ASCII.
    """
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not re.fullmatch(FORM, key):
        raise IdempotencyKeyRefused
    caller: Principal = request.state.principal
    content = [request.url.query, await request.json()]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Claim(f"{caller.id} {request.method} {request.url.path}", key, digest)
