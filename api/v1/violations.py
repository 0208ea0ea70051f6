"""Violations: cases that were decided as one, with their windows to appeal."""

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

router = new_router("violations")


@router.get("/v1/violations")
def violations(connection: Reading, after: After, limit: Limit = 50, seller_id: SellerId = None) -> Page:
    """Violations by id, as they stand now."""
    (start,) = position(after, str) or (None,)
    found = reading.violations(connection, now(), seller_id=seller_id, after=start, limit=limit + 1)
    return page(found, limit, lambda violation: (violation["violation_id"],))


@router.get("/v1/violations/{violation_id}")
def violation(violation_id: Id, connection: Reading) -> dict[str, Any]:
    """One violation, as it stands now."""
    return reading.single(connection, "violation", violation_id, now())


@router.post(
    "/v1/violations/{violation_id}/approval", openapi_extra=as_command("approve_measures", "violation_id")
)
def approve_measures(violation_id: Id, request: Request, desk: OneDesk, body: CommandBody) -> CommandAnswer:
    """Let the proposed measures start: ``approve_measures``, by another than who decided the case."""
    return carry_out(request, desk, "approve_measures", body, violation_id=violation_id)


@router.post("/v1/violations/{violation_id}/waiver", openapi_extra=as_command("waive_appeal", "violation_id"))
def waive_appeal(violation_id: Id, request: Request, desk: OneDesk, body: CommandBody) -> CommandAnswer:
    """The seller gives up the right to appeal: ``waive_appeal``."""
    return carry_out(request, desk, "waive_appeal", body, violation_id=violation_id)
