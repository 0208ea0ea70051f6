"""Every table of the store, collected: importing this module fills ``METADATA``."""

from detector.store import contacts, facts, idempotency, keys, outbox
from detector.store.columns import METADATA

__all__ = ["METADATA", "contacts", "facts", "idempotency", "keys", "outbox"]
