"""Every table of the store, collected: importing this module fills ``METADATA``."""

from detector.store import (
    appeal_documents,
    audit,
    case_files,
    contacts,
    decisions,
    documents,
    endpoints,
    events,
    facts,
    idempotency,
    keys,
    messages,
    outbox,
    policies,
    projections,
    snapshots,
)
from detector.store.columns import METADATA

__all__ = [
    "METADATA",
    "appeal_documents",
    "audit",
    "case_files",
    "contacts",
    "decisions",
    "documents",
    "endpoints",
    "events",
    "facts",
    "idempotency",
    "keys",
    "messages",
    "outbox",
    "policies",
    "projections",
    "snapshots",
]
