"""Every table of the store, collected: importing this module fills ``METADATA``."""

from detector.store import keys, outbox
from detector.store.columns import METADATA

__all__ = ["METADATA", "keys", "outbox"]
