"""Scoring: what is this order worth looking at, and why."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import Body, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter

from api.answers import Scored, ScoredBatch
from api.bodies import ORDERS_BODY, SCORED_ORDER
from api.examples import AN_ORDER
from api.idempotency import claim_of
from api.json_body import body_limit
from api.metrics import count_decisions
from api.routing import DirectRoute, new_router
from detector.service import Decision, ScoreRequest
from detector.store.idempotency import Claim

__all__ = ["router"]

MAX_BATCH_BYTES = 16 * 2**20

router = new_router("score", DirectRoute)

_STORE = {
    "parameters": [
        {
            "name": "store",
            "in": "query",
            "schema": {"type": "boolean", "default": True},
            "description": "false: a dry run, nothing is kept.",
        }
    ]
}


@dataclass(frozen=True, slots=True)
class _Scored(Decision):
    """``Scored`` as it is written: a decision need not be checked again."""

    took_ms: float


@dataclass(frozen=True, slots=True)
class _ScoredBatch:
    """As ``_Scored``, of ``ScoredBatch``."""

    decisions: Sequence[Decision]
    took_ms: float


_ONE, _MANY = TypeAdapter(_Scored), TypeAdapter(_ScoredBatch)


@router.post("/v1/score", response_model=Scored, openapi_extra=_STORE)
async def score(
    request: Request, order: Annotated[SCORED_ORDER, Body(openapi_examples={"order": {"value": AN_ORDER}})]
) -> Response:
    """Score one order with all that is known of it, keep it, and say why."""
    began = time.perf_counter()
    store, claim = _is_stored(request), await claim_of(request)
    decision = await request.app.state.writer.score(_wanted(order, store, claim))
    members = {name: getattr(decision, name) for name in Decision.__slots__}
    return _json(_ONE.dump_json(_Scored(**members, took_ms=_ms_since(began))))


@router.post("/v1/score/batch", response_model=ScoredBatch, openapi_extra=_STORE)
@body_limit(MAX_BATCH_BYTES)
async def score_batch(
    request: Request,
    body: Annotated[ORDERS_BODY, Body(openapi_examples={"orders": {"value": {"orders": [AN_ORDER]}}})],
) -> Response:
    """Score up to 1,000 orders in one transaction: all of them, or none."""
    began = time.perf_counter()
    store, claim = _is_stored(request), await claim_of(request)
    wanted = [_wanted(order, store, _nth(claim, n)) for n, order in enumerate(body["orders"])]
    decisions: Sequence[Decision] = await request.app.state.writer.run(
        lambda service, now: service.score(wanted, now)
    )
    count_decisions(decisions, request.app.state.service.snapshot_in_use)
    return _json(_MANY.dump_json(_ScoredBatch(decisions, _ms_since(began))))


def _is_stored(request: Request) -> bool:
    if not request.scope["query_string"]:
        return True
    given = request.query_params.get("store", "true")
    if given not in ("true", "false"):
        raise RequestValidationError([{"loc": ("query", "store"), "msg": "it must be true or false"}])
    return given == "true"


def _wanted(order: Mapping[str, Any], store: bool, claim: Claim | None) -> ScoreRequest:
    return ScoreRequest(order, store, claim if store else None)


def _nth(claim: Claim | None, number: int) -> Claim | None:
    """The claim of one order of a batch: each is answered as it was the first time."""
    return None if claim is None else replace(claim, key=f"{claim.key} {number}")


def _json(answer: bytes) -> Response:
    return Response(answer, media_type="application/json")


def _ms_since(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 3)
