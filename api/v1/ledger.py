"""The ledger: every seller's money, entry by entry with its cause."""

from __future__ import annotations

from typing import Any

from fastapi import Request

from api.enforcing import CommandAnswer, CommandBody, OneDesk, Reading, as_command, carry_out
from api.parameters import Id
from api.routing import new_router
from detector.desk import reading

__all__ = ["router"]

router = new_router("ledger")


@router.get("/v1/ledger/{seller_id}")
def statement(seller_id: Id, connection: Reading) -> dict[str, Any]:
    """A seller's statement per currency, in minor units; empty for a seller without entries."""
    return reading.ledger(connection, seller_id)


@router.post("/v1/ledger", openapi_extra=as_command("credit_proceeds"))
def credit_proceeds(request: Request, desk: OneDesk, body: CommandBody) -> CommandAnswer:
    """Proceeds of an order: ``credit_proceeds``."""
    return carry_out(request, desk, "credit_proceeds", body)
