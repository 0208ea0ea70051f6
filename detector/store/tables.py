"""Every table of the store, collected: importing this module fills ``METADATA``."""

from detector.store import idempotency, keys, outbox
from detector.store.columns import METADATA

__all__ = ["METADATA", "idempotency", "keys", "outbox"]
