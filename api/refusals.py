"""Why a request is refused before it reaches what it asks for: one class per reason."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from detector.errors import TrueTradeError

__all__ = [
    "CursorRefused",
    "IdempotencyKeyRefused",
    "MalformedBody",
    "NotAuthenticated",
    "ProviderUnreachable",
    "RequestRefused",
    "RoleRefused",
    "ServiceBusy",
    "TagMissing",
    "TagUnknown",
    "TooManyAttempts",
    "WrongMediaType",
]


class RequestRefused(TrueTradeError):
    """Root of these refusals; ``headers`` go with the answer."""

    headers: ClassVar[dict[str, str]] = {}


class NotAuthenticated(RequestRefused):
    """No key or token, or one that does not work."""

    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": 'Bearer realm="truetrade"'}

    def __init__(self, why: str) -> None:
        super().__init__(f"{why}; cannot answer. Send Authorization: Bearer with a working key.")


class ProviderUnreachable(RequestRefused):
    """The identity provider does not give its keys."""

    headers: ClassVar[dict[str, str]] = {"Retry-After": "10"}

    def __init__(self, why: str) -> None:
        super().__init__(f"the identity provider's keys cannot be fetched ({why}); cannot check the token.")


class RoleRefused(RequestRefused):
    """The caller is known, but its role may not do this."""

    def __init__(self, role: str, operation: str, allowed: Iterable[str]) -> None:
        super().__init__(f"role {role} may not {operation}. Allowed: {', '.join(sorted(allowed))}.")
        self.role, self.operation = role, operation


class CursorRefused(RequestRefused):
    """The cursor is not one that an earlier page gave."""

    def __init__(self) -> None:
        super().__init__("this cursor is of no page; cannot go on from it. Send next_cursor as it was given.")


class IdempotencyKeyRefused(RequestRefused):
    """The idempotency key is no plain text, or too long."""

    def __init__(self) -> None:
        super().__init__("the Idempotency-Key is not 1 to 200 printable ASCII characters; cannot keep it.")


class TagMissing(RequestRefused):
    """An edit does not say which version it is of."""

    def __init__(self) -> None:
        super().__init__("If-Match is missing; cannot edit unread. Send the ETag of what was read.")


class TagUnknown(RequestRefused):
    """No version has ever had this tag."""

    def __init__(self) -> None:
        super().__init__("If-Match is the ETag of no version; cannot edit it. Read again and send that ETag.")


class WrongMediaType(RequestRefused):
    """The body is not JSON by its Content-Type."""

    def __init__(self) -> None:
        super().__init__("the body is not application/json by its Content-Type; cannot read it. Send JSON.")


class TooManyAttempts(RequestRefused):
    """Wrong secrets for one key, too often in a short time."""

    headers: ClassVar[dict[str, str]] = {"Retry-After": "60"}

    def __init__(self) -> None:
        super().__init__("this key was tried with wrong secrets too often; cannot check it. Wait a minute.")


class ServiceBusy(RequestRefused):
    """More requests are waiting than can be answered in time."""

    headers: ClassVar[dict[str, str]] = {"Retry-After": "1"}

    def __init__(self) -> None:
        super().__init__("too many orders wait to be scored; cannot take this one. Try again in a second.")


class MalformedBody(RequestRefused):
    """The body is not JSON as RFC 8259 has it."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the body is not readable JSON: {why}; cannot read it. Send JSON in UTF-8.")
