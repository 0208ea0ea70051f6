"""Appeals: what sellers bring against violations, and how it is decided."""

from __future__ import annotations

from typing import Any, Literal

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
from api.principal import Caller, Principal
from api.routing import new_router
from detector.desk import reading

__all__ = ["router"]

router = new_router("appeals")


@router.get("/v1/appeals")
def appeals(
    connection: Reading,
    caller: Caller,
    after: After,
    limit: Limit = 50,
    seller_id: SellerId = None,
    state: Literal["pending", "granted", "rejected", "failed_no_documents"] | None = None,
) -> Page:
    """Appeals by id."""
    (start,) = position(after, str) or (None,)
    found = reading.appeals(connection, seller_id=seller_id, state=state, after=start, limit=limit + 1)
    found = [_shown(appeal, caller) for appeal in found]
    return page(found, limit, lambda appeal: (appeal["appeal_id"],))


@router.get("/v1/appeals/{appeal_id}")
def appeal(appeal_id: Id, connection: Reading, caller: Caller) -> dict[str, Any]:
    """One appeal with the references of its documents."""
    return _shown(reading.single(connection, "appeal", appeal_id, now()), caller)


def _shown(appeal: dict[str, Any], caller: Principal) -> dict[str, Any]:
    """Who decided is the platform's to know."""
    hidden = {"decided_by"} if caller.role == "seller_centre" else set()
    return {name: value for name, value in appeal.items() if name not in hidden}


@router.post("/v1/appeals", openapi_extra=as_command("file_appeal"))
def file_appeal(request: Request, desk: OneDesk, body: CommandBody) -> CommandAnswer:
    """Appeal against a violation: ``file_appeal``; accepted or refused at once."""
    return carry_out(request, desk, "file_appeal", body)


@router.post("/v1/appeals/{appeal_id}/decision", openapi_extra=as_command("decide_appeal", "appeal_id"))
def decide_appeal(appeal_id: Id, request: Request, desk: OneDesk, body: CommandBody) -> CommandAnswer:
    """Grant or reject an appeal: ``decide_appeal``, by another than who decided the case."""
    return carry_out(request, desk, "decide_appeal", body, appeal_id=appeal_id)
