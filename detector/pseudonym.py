"""Identity values as pseudonyms: keyed, stable, one way; people's names sealed.

A stored pseudonym still joins (the same device is the same pseudonym) but tells nobody without the key
what the value was. The kind is part of the message, so equal values of different kinds do not match.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from detector.errors import TrueTradeError

__all__ = ["IDENTITY_COLUMNS", "PseudonymError", "Veil", "load_key", "pseudonym"]

_MIN_KEY_BYTES = 16
_MAC_BYTES = 16  # no two values of a marketplace collide in 128 bits

NAME = "name"
"""Kind of a person's name."""

IDENTITY_COLUMNS: dict[str, dict[str, str]] = {
    "orders": {
        "payment_id": "payment",
        "device_id": "device",
        "ip_address": "ip",
        "recipient_name": "name",
        "recipient_phone": "phone",
        "ship_to_address": "address",
    },
    "affiliate_clicks": {"device_id": "device", "ip_address": "ip"},
    "tracking_events": {"signed_by": "name"},
}
"""Contract table → column → kind of identity value. In ``account_identifiers`` each row names its kind."""


class PseudonymError(TrueTradeError):
    """The pseudonym key is missing, too short, or readable by others."""


def pseudonym(key: bytes, kind: str, value: str) -> str:
    """``kind:`` and 32 hex digits of the keyed BLAKE2b over kind and value.

    >>> pseudonym(b"0" * 16, "device", "iphone-7")
    'device:b4cae203855f3f9e414bb8178946b0eb'
    """
    return _finished(_keyed(key, kind), kind, value)


def _keyed(key: bytes, kind: str) -> hashlib.blake2b:
    """The MAC over the kind, to go on from with a value."""
    short = key if len(key) <= hashlib.blake2b.MAX_KEY_SIZE else hashlib.blake2b(key).digest()
    return hashlib.blake2b(f"{kind}\0".encode(), digest_size=_MAC_BYTES, key=short)


def _finished(begun: hashlib.blake2b, kind: str, value: str) -> str:
    mac = begun.copy()
    mac.update(value.encode())
    return f"{kind}:{mac.hexdigest()}"


class Veil:
    """Identity values as the store keeps them.

    A person's name is not only compared for equality (did the recipient's wife sign?), so a name is sealed:
    encrypted with AES-SIV, which gives equal names equal texts and lets ``opened`` read it with the key.
    Every other value is a one-way ``pseudonym``.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._begun: dict[str, hashlib.blake2b] = {}
        self._cipher = AESSIV(hmac.digest(key, b"names", "sha512"))

    def veiled(self, kind: str, value: str) -> str:
        """What is stored in place of ``value``."""
        if kind != NAME:
            begun = self._begun.get(kind)
            if begun is None:
                begun = self._begun[kind] = _keyed(self._key, kind)
            return _finished(begun, kind, value)
        sealed = self._cipher.encrypt(value.encode(), None) if value else b""
        return f"{NAME}:{base64.urlsafe_b64encode(sealed).decode()}"

    def veiled_all(self, kinds: Iterable[str], values: Sequence[str | None]) -> list[str | None]:
        """As ``veiled``, value by value; null stays null."""
        told = zip(kinds, values, strict=False)
        return [None if value is None else self.veiled(kind, value) for kind, value in told]

    def opened(self, sealed: str) -> str:
        """The name that ``veiled`` sealed. Raises PseudonymError under another key."""
        try:
            cipher = base64.urlsafe_b64decode(sealed.removeprefix(f"{NAME}:"))
            return self._cipher.decrypt(cipher, None).decode() if cipher else ""
        except (InvalidTag, ValueError):
            raise PseudonymError(
                "a stored name was sealed with another pseudonym key; use that one"
            ) from None


def load_key(environment: Mapping[str, str], path: Path) -> bytes:
    """The key from ``TRUETRADE_PSEUDONYM_KEY``, else from the file at ``path``, which is made if missing.

    A new file holds 32 random bytes as hex and can be read by its owner only. Raises PseudonymError when
    a key is too short, or the file can be read by others.
    """
    given = environment.get("TRUETRADE_PSEUDONYM_KEY")
    if given is not None:
        return _checked(given, "TRUETRADE_PSEUDONYM_KEY")
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read_key(path)
    except OSError as error:
        raise PseudonymError(f"pseudonym key {path} cannot be made: {error.strerror}") from None
    with os.fdopen(handle, "w") as stream:
        stream.write(secrets.token_hex(32) + "\n")
    return _read_key(path)


def _read_key(path: Path) -> bytes:
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise PseudonymError(f"pseudonym key {path} can be read by others; run chmod 600 on it")
    return _checked(path.read_text().strip(), str(path))


def _checked(text: str, where: str) -> bytes:
    key = text.encode()
    if len(key) < _MIN_KEY_BYTES:
        raise PseudonymError(f"{where} has {len(key)} bytes; a pseudonym key needs {_MIN_KEY_BYTES} or more")
    return key
