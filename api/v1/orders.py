"""Orders as the service knows them: every decision on one."""

from __future__ import annotations

from api.answers import DecisionAnswer, OrderAnswer
from api.paging import After, Limit, cursor_after
from api.parameters import Id
from api.routing import new_router
from api.scoring import Scoring
from detector.service import Decision, UnknownRecord
from detector.store.columns import to_micros

__all__ = ["router"]

router = new_router("orders")


@router.get("/v1/orders/{order_id:path}")
def order(order_id: Id, service: Scoring, after: After, limit: Limit = 50) -> OrderAnswer:
    """All decisions on one order."""
    known = service.decisions_of(order_id)
    if not known:
        raise UnknownRecord("order", order_id)
    rest = known if after is None else [one for one in known if list(_position(one)) < list(after)]
    page = rest[:limit]
    return OrderAnswer(
        order_id=order_id,
        decisions=[DecisionAnswer.model_validate(one) for one in page],
        next_cursor=cursor_after(*_position(page[-1])) if len(rest) > limit else None,
    )


def _position(decision: Decision) -> tuple[int, str]:
    return to_micros(decision.decided_at), decision.decision_id
