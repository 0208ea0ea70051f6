"""Penalties: the measures of upheld violations, and the orders that do not count because of them."""

from __future__ import annotations

from api.enforcing import Page, Reading, SellerId, now, page, position
from api.paging import After, Limit
from api.routing import new_router
from detector.desk import reading

__all__ = ["router"]

router = new_router("penalties")


@router.get("/v1/penalties")
def penalties(connection: Reading, after: After, limit: Limit = 50, seller_id: SellerId = None) -> Page:
    """Measures that are now in force, scheduled or proposed."""
    start = position(after, str, int)
    found = reading.measures(connection, now(), seller_id=seller_id, after=start, limit=limit + 1)
    return page(found, limit, lambda measure: (measure["violation_id"], measure["place"]))


@router.get("/v1/penalties/removed-orders")
def removed_orders(connection: Reading, after: After, limit: Limit = 50, seller_id: SellerId = None) -> Page:
    """Orders whose sales and reviews are removed, each with the violation that removes it."""
    start = position(after, str, str)
    found = reading.removed_orders(connection, seller_id=seller_id, after=start, limit=limit + 1)
    return page(found, limit, lambda mark: (mark["order_id"], mark["violation_id"]))
