"""Identity values as pseudonyms: keyed, stable, one way.

A stored pseudonym still joins (the same device is the same pseudonym) but tells nobody without the key
what the value was. The kind is part of the message, so equal values of different kinds do not match.
"""

from __future__ import annotations

import hmac
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

import duckdb
import pyarrow as pa
from duckdb.func import FunctionNullHandling, PythonUDFType

from detector.errors import TrueTradeError

__all__ = ["IDENTITY_COLUMNS", "PseudonymError", "load_key", "pseudonym", "register_pseudonym"]

_MIN_KEY_BYTES = 16
_HEX_DIGITS = 32  # 128 bits of the MAC: no two values of a marketplace collide

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
    """``kind:`` and 32 hex digits of HMAC-SHA-256 over kind and value.

    >>> pseudonym(b"0" * 16, "device", "iphone-7")
    'device:018e3fb4544fc0d2d9c7664fe91bc5a9'
    """
    message = f"{kind}\0{value}".encode()
    return f"{kind}:{hmac.digest(key, message, 'sha256').hex()[:_HEX_DIGITS]}"


def register_pseudonym(con: duckdb.DuckDBPyConnection, key: bytes) -> None:
    """Give ``con`` the SQL function ``pseudonym(kind, value)``, null where the value is null.

    ``SELECT * REPLACE (pseudonym('device', device_id) AS device_id) FROM orders``
    """

    def over_columns(kinds: pa.ChunkedArray, values: pa.ChunkedArray) -> pa.Array:
        pairs = zip(kinds.to_pylist(), values.to_pylist(), strict=True)
        return pa.array([_or_null(key, kind, value) for kind, value in pairs], pa.string())

    con.create_function(
        "pseudonym",
        over_columns,
        ["VARCHAR", "VARCHAR"],
        "VARCHAR",
        type=PythonUDFType.ARROW,
        null_handling=FunctionNullHandling.SPECIAL,
    )


def _or_null(key: bytes, kind: str, value: str | None) -> str | None:
    return None if value is None else pseudonym(key, kind, value)


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
