"""Holds: proceeds that are withheld."""

from __future__ import annotations

from typing import Any

from fastapi import Request

from api.enforcing import (
    CommandAnswer,
    CommandBody,
    OneDesk,
    Page,
    Reading,
    SellerId,
    as_command,
    carry_out,
    now,
    page,
    position,
)
from api.paging import After, Limit
from api.parameters import Id
from api.routing import new_router
from detector.desk import reading

__all__ = ["router"]

router = new_router("holds")


@router.get("/v1/holds")
def holds(connection: Reading, after: After, limit: Limit = 50, seller_id: SellerId = None) -> Page:
    """Holds by id, as they stand now."""
    (start,) = position(after, str) or (None,)
    found = reading.holds(connection, now(), seller_id=seller_id, after=start, limit=limit + 1)
    return page(found, limit, lambda hold: (hold["hold_id"],))


@router.get("/v1/holds/{hold_id}")
def hold(hold_id: Id, connection: Reading) -> dict[str, Any]:
    """One hold, as it stands now."""
    return reading.single(connection, "hold", hold_id, now())


@router.post("/v1/holds", openapi_extra=as_command("place_hold"))
def place_hold(request: Request, desk: OneDesk, body: CommandBody) -> CommandAnswer:
    """Withhold proceeds: ``place_hold``."""
    return carry_out(request, desk, "place_hold", body)


@router.post("/v1/holds/{hold_id}/settlement", openapi_extra=as_command("settle_hold", "hold_id"))
def settle_hold(hold_id: Id, request: Request, desk: OneDesk, body: CommandBody) -> CommandAnswer:
    """End a hold whose term is over: ``settle_hold``."""
    return carry_out(request, desk, "settle_hold", body, hold_id=hold_id)
