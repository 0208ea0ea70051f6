"""Documents that sellers bring with an appeal: kept by the hash of their bytes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool

from api.enforcing import OneDesk, Reading, now
from api.json_body import body_limit
from api.openapi import failure
from api.parameters import Id
from api.principal import Caller
from api.routing import new_router
from detector.store.documents import Document

__all__ = ["router"]

MAX_BYTES = 64 * 2**20
"""No setting takes a larger document."""

router = new_router("documents")

_BYTES = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"format": "binary"}}},
    },
    "responses": {str(status): failure(status) for status in (413, 422)},
}
_KNOWN = {"responses": {"404": failure(404)}}
Text = Annotated[str, Query(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]


class DocumentAnswer(BaseModel):
    """A kept document; ``document_id`` is what an appeal names."""

    model_config = ConfigDict(from_attributes=True)

    document_id: str
    seller_id: str
    sha256: str
    name: str
    size_bytes: int
    media_type: str
    uploaded_at: datetime


@router.post("/v1/documents", openapi_extra=_BYTES)
@body_limit(MAX_BYTES)
async def upload(
    request: Request, desk: OneDesk, caller: Caller, seller_id: Text, name: Text
) -> DocumentAnswer:
    """Keep a document of a seller. What it is, is read from its bytes; the same bytes are one document."""
    content = await request.body()

    def keep() -> Document:
        with desk.engine.begin() as connection:
            kept: Document = request.app.state.documents.put(
                connection, seller_id=seller_id, name=name, content=content, by=caller.id, at=now()
            )
            return kept

    return DocumentAnswer.model_validate(await run_in_threadpool(keep))


@router.get("/v1/documents/{document_id}", openapi_extra=_KNOWN)
def document(document_id: Id, request: Request, connection: Reading) -> DocumentAnswer:
    """What is known of a document."""
    return DocumentAnswer.model_validate(request.app.state.documents.get(connection, document_id))


@router.get("/v1/documents/{document_id}/content", response_class=Response, openapi_extra=_KNOWN)
def content(document_id: Id, request: Request, connection: Reading) -> Response:
    """The document's bytes, to be saved: a browser must not show what a seller sends."""
    found: bytes = request.app.state.documents.read(connection, document_id)
    headers = {
        "content-disposition": f'attachment; filename="{document_id}"',
        "x-content-type-options": "nosniff",
    }
    return Response(found, media_type="application/octet-stream", headers=headers)
