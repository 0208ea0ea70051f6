"""The audit log."""

from __future__ import annotations

from api.enforcing import Page, Reading, page, position
from api.paging import After, Limit
from api.routing import new_router
from detector.desk import reading

__all__ = ["router"]

router = new_router("audit")


@router.get("/v1/audit")
def audit(connection: Reading, after: After, limit: Limit = 50) -> Page:
    """Every command, refused ones too, in order; each entry's hash covers the one before it."""
    (start,) = position(after, int) or (0,)
    found = reading.audit_entries(connection, after=start, limit=limit + 1)
    return page(found, limit, lambda entry: (entry["number"],))
