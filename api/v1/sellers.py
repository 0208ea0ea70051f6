"""Sellers: what the last published scan makes of one."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from api.answers import ReasonAnswer
from api.parameters import Id
from api.routing import new_router
from api.scoring import Scoring

__all__ = ["router"]

router = new_router("sellers")


class SellerAnswer(BaseModel):
    """A row of ``sellers.parquet``: suspected, never called a fraudster."""

    seller_id: str
    score: float
    recommendation: Literal["none", "watch", "open_case"]
    disposition_hint: Literal["suspect", "possible_victim"] | None
    order_count: int
    suspected_order_count: int
    gmv_minor: dict[str, int]
    suspected_gmv_minor: dict[str, int]
    clauses: list[str]
    reasons: list[ReasonAnswer]


@router.get("/v1/sellers/{seller_id:path}")
def seller(seller_id: Id, service: Scoring) -> SellerAnswer:
    """The verdict of the last published scan on one seller."""
    return SellerAnswer.model_validate(service.seller(seller_id))
