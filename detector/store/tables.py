"""Every table of the store, collected: importing this module fills ``METADATA``."""

from detector.store import contacts, idempotency, keys, outbox
from detector.store.columns import METADATA

__all__ = ["METADATA", "contacts", "idempotency", "keys", "outbox"]
