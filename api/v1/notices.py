"""Notices: what a seller has been told, for the seller centre to show."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from api.enforcing import Page, Reading, page, position
from api.paging import After, Limit
from api.routing import new_router
from detector.store.messages import messages_of

__all__ = ["router"]

router = new_router("notices")


@router.get("/v1/notices")
def notices(
    connection: Reading,
    after: After,
    seller_id: Annotated[str, Query(min_length=1, max_length=200, pattern=r"^[^\x00]+$")],
    limit: Limit = 50,
) -> Page:
    """A seller's notices, oldest first: what, why, measures, until when, how to appeal. No buyer is named."""
    (start,) = position(after, int) or (0,)
    found = messages_of(connection, seller_id, "notice", after=start, limit=limit + 1)
    items = [
        {"position": one.position, "notice_id": one.message_id, "at": one.at, "kind": one.kind, **one.payload}
        for one in found
    ]
    return page(items, limit, lambda notice: (notice["position"],))
