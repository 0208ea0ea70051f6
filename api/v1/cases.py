"""Cases: investigations of sellers, worst first, and what is decided of them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Query, Request, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from api.enforcing import (
    EDITED,
    CommandAnswer,
    CommandBody,
    IfMatch,
    OneDesk,
    Page,
    Reading,
    SellerId,
    acting,
    as_command,
    carry_out,
    etag,
    key_of,
    now,
    page,
    position,
)
from api.paging import After, Limit
from api.parameters import Id
from api.refusals import CursorRefused
from api.routing import new_router
from detector.desk import reading
from detector.desk.files import edit_case, note_case
from detector.enforcement.days import parse_instant
from detector.store.case_files import CaseFile

__all__ = ["router"]

router = new_router("cases")

Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]
Instant = Annotated[
    datetime, BeforeValidator(parse_instant), WithJsonSchema({"type": "string", "format": "date-time"})
]


class Edit(BaseModel):
    """What people change; a member that is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    assignee: Name | None = None
    due_at: Instant | None = None


class NewNote(BaseModel):
    """A note."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(min_length=1, max_length=10_000)]


class FileAnswer(BaseModel):
    """The case's file; its version is also the ETag."""

    model_config = ConfigDict(from_attributes=True)

    case_id: str
    seller_id: str
    priority: float
    hint: str | None
    assignee: str | None
    due_at: datetime | None
    version: int


@router.get("/v1/cases")
def cases(
    connection: Reading,
    after: After,
    limit: Limit = 50,
    state: Literal["open", "decided"] | None = None,
    seller_id: SellerId = None,
    assignee: Annotated[str | None, Query(min_length=1, max_length=200, pattern=r"^[^\x00]+$")] = None,
) -> Page:
    """Cases, those with the most expected harm first."""
    found = reading.cases(
        connection,
        state=state,
        seller_id=seller_id,
        assignee=assignee,
        after=_after(after),
        limit=limit + 1,
    )
    return page(found, limit, lambda case: (repr(case["priority"]), case["case_id"]))


def _after(after: tuple[Any, ...] | None) -> tuple[float, str] | None:
    parts = position(after, str, str)
    try:
        return None if parts is None else (float(parts[0]), parts[1])
    except ValueError:
        raise CursorRefused from None


@router.get("/v1/cases/{case_id}")
def case(case_id: Id, connection: Reading, response: Response) -> dict[str, Any]:
    """One case: its orders, evidence, notes, and the ETag under which its file is edited."""
    found = reading.case(connection, case_id)
    response.headers["ETag"] = etag(found["version"])
    return found


@router.patch("/v1/cases/{case_id}", openapi_extra=EDITED)
def edit(
    case_id: Id, version: IfMatch, changes: Edit, request: Request, desk: OneDesk, response: Response
) -> FileAnswer:
    """Assign the case, or move its due date."""
    given = changes.model_dump(exclude_unset=True)
    actor, key = acting(request, "edit_case", {}), key_of(request, {})
    file = edit_case(desk, case_id, version, given, key=key, actor=actor, now=now())
    return _file(file, response)


@router.post("/v1/cases/{case_id}/notes", openapi_extra=EDITED)
def add_note(
    case_id: Id, version: IfMatch, note: NewNote, request: Request, desk: OneDesk, response: Response
) -> FileAnswer:
    """Add a note to the case's file."""
    actor, key = acting(request, "note_case", {}), key_of(request, {})
    file = note_case(desk, case_id, version, note.text, key=key, actor=actor, now=now())
    return _file(file, response)


def _file(file: CaseFile, response: Response) -> FileAnswer:
    response.headers["ETag"] = etag(file.version)
    return FileAnswer.model_validate(file)


@router.post("/v1/cases", openapi_extra=as_command("open_case"))
def open_case(request: Request, desk: OneDesk, body: CommandBody) -> CommandAnswer:
    """Open a case by hand: ``open_case``."""
    return carry_out(request, desk, "open_case", body)


@router.post("/v1/cases/{case_id}/evidence", openapi_extra=as_command("extend_case", "case_id"))
def extend_case(case_id: Id, request: Request, desk: OneDesk, body: CommandBody) -> CommandAnswer:
    """Add evidence to an open case: ``extend_case``."""
    return carry_out(request, desk, "extend_case", body, case_id=case_id)


@router.post("/v1/cases/{case_id}/decision", openapi_extra=as_command("decide_case", "case_id"))
def decide_case(case_id: Id, request: Request, desk: OneDesk, body: CommandBody) -> CommandAnswer:
    """Decide a case: ``decide_case``."""
    return carry_out(request, desk, "decide_case", body, case_id=case_id)


@router.post("/v1/cases/{case_id}/completion", openapi_extra=as_command("complete_investigation", "case_id"))
def complete_investigation(case_id: Id, request: Request, desk: OneDesk, body: CommandBody) -> CommandAnswer:
    """The investigation is over: ``complete_investigation``."""
    return carry_out(request, desk, "complete_investigation", body, case_id=case_id)


@router.post("/v1/cases/{case_id}/losses", openapi_extra=as_command("establish_loss", "case_id"))
def establish_loss(case_id: Id, request: Request, desk: OneDesk, body: CommandBody) -> CommandAnswer:
    """Losses to be paid from what is held: ``establish_loss``."""
    return carry_out(request, desk, "establish_loss", body, case_id=case_id)
