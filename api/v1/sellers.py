"""Sellers: what the last published scan makes of one."""

from __future__ import annotations

from api.answers import SellerAnswer
from api.parameters import Id
from api.routing import new_router
from api.scoring import Scoring

__all__ = ["router"]

router = new_router("sellers")


@router.get("/v1/sellers/{seller_id:path}")
def seller(seller_id: Id, service: Scoring) -> SellerAnswer:
    """The verdict of the last published scan on one seller."""
    return SellerAnswer.model_validate(service.seller(seller_id))
