"""Facts in bulk: orders, shipments, tracking events, reviews, reports, labels."""

from typing import Annotated, Any

from fastapi import Body, Request

from api.answers import BulkAnswer, RowAnswer
from api.bodies import BULK, MAX_ROWS, Refused
from api.examples import ROWS
from api.idempotency import claim_of
from api.json_body import body_limit
from api.routing import new_router
from api.scoring import Writing
from detector.service import RowResult
from detector.store.idempotency import Claim

__all__ = ["router"]

MAX_BULK_BYTES = 16 * 2**20

router = new_router("facts")


def _answer(result: RowResult) -> RowAnswer:
    return RowAnswer(
        accepted=result.accepted, key=result.key, reason=result.reason, decision_ids=list(result.decision_ids)
    )


def _add_route(table: str) -> None:
    # This module's annotations are evaluated as they stand: each handler has a body type of its own.
    path = f"/v1/{table.replace('_', '-')}"
    body_type: Any = Annotated[
        BULK[table], Body(openapi_examples={"rows": {"value": {table: [ROWS[table]]}}})
    ]

    @body_limit(MAX_BULK_BYTES)
    async def add(body: body_type, request: Request, writer: Writing) -> BulkAnswer:
        return await _added(table, body[table], writer, await claim_of(request))

    add.__doc__ = (
        f"Tell up to {MAX_ROWS:,} rows of ``{table}``; each is accepted, or refused with its reason."
    )
    name = f"add_{table}"
    router.post(path, name=name)(add)


async def _added(table: str, rows: list[Any], writer: Writing, claim: Claim | None) -> BulkAnswer:
    good = [row for row in rows if not isinstance(row, Refused)]
    results = iter(await writer.run(lambda service, now: service.add(table, good, now, claim)))
    answers = [
        RowAnswer(accepted=False, key=None, reason=row.reason, decision_ids=[])
        if isinstance(row, Refused)
        else _answer(next(results))
        for row in rows
    ]
    accepted = sum(answer.accepted for answer in answers)
    return BulkAnswer(accepted=accepted, refused=len(answers) - accepted, rows=answers)


for _table in BULK:
    _add_route(_table)
