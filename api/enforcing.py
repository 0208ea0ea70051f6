"""What the routes of enforcement share: commands handed to the desk, pages, versions of what people edit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import uuid4

from fastapi import Body, Depends, Header, Query, Request
from pydantic import BaseModel, TypeAdapter
from sqlalchemy import Connection

from api.idempotency import FORM
from api.openapi import failure
from api.paging import cursor_after
from api.principal import Principal
from api.refusals import CursorRefused, IdempotencyKeyRefused, TagMissing, TagUnknown
from api.roles import ACTOR_ROLE
from detector.desk.desk import Desk, Receipt
from detector.enforcement.codec import event_data, event_type
from detector.enforcement.commands import COMMANDS, Actor, Command
from detector.enforcement.refusals import InvalidCommand, Refusal
from detector.enforcement.transitions import ROLES
from detector.store.database import one_moment

__all__ = [
    "EDITED",
    "CommandAnswer",
    "CommandBody",
    "EventAnswer",
    "IfMatch",
    "OneDesk",
    "Page",
    "Reading",
    "SellerId",
    "acting",
    "as_command",
    "carry_out",
    "etag",
    "key_of",
    "now",
    "page",
    "position",
]

CommandBody = Annotated[dict[str, Any], Body()]
"""The contract's own fields of a command; ``at`` and ``actor`` are the service's to say, others are ignored."""

SellerId = Annotated[str | None, Query(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]
"""Parameter ``seller_id`` of a list: of this seller only."""


class EventAnswer(BaseModel, extra="allow"):
    """Something that happened, with its own facts beside these."""

    type: str
    at: datetime


class CommandAnswer(BaseModel):
    """A command that was accepted."""

    key: str
    at: datetime
    seller_id: str | None
    repeated: bool
    events: list[EventAnswer]


class Page(BaseModel):
    """One page of a list; ``next_cursor`` is null on the last."""

    items: list[dict[str, Any]]
    next_cursor: str | None


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


OneDesk = Annotated[Desk, Depends(_desk)]
"""Parameter of a handler that gives commands."""


def _reading(request: Request) -> Iterator[Connection]:
    with one_moment(_desk(request).engine) as connection:
        yield connection


Reading = Annotated[Connection, Depends(_reading)]
"""Parameter of a handler that reads."""


def carry_out(request: Request, desk: Desk, kind: str, body: Mapping[str, Any], **path: str) -> CommandAnswer:
    """Give the command to the desk; ``path`` are the fields that the address says.

    Raises
    ------
    Refusal
        As the desk refuses it.
    """
    answer = desk.submit_data(
        kind, {**body, **path}, key=key_of(request, body), actor=acting(request, kind, body), now=now()
    )
    if isinstance(answer, Refusal):
        raise answer
    return _answer(answer)


def now() -> datetime:
    """The instant of the request."""
    return datetime.now(UTC)


def _answer(receipt: Receipt) -> CommandAnswer:
    events = [{"type": event_type(event), **event_data(event)} for event in receipt.events]
    command = receipt.command
    return CommandAnswer(
        key=command.key,
        at=command.at,
        seller_id=receipt.seller_id,
        repeated=receipt.repeated,
        events=[EventAnswer.model_validate(event) for event in events],
    )


def key_of(request: Request, body: Mapping[str, Any]) -> str:
    """The command's key: the header's, else the body's, else a new one that nobody can repeat."""
    key = request.headers.get("idempotency-key", body.get("key"))
    if key is None:
        return str(uuid4())
    if not isinstance(key, str) or not re.fullmatch(FORM, key):
        raise IdempotencyKeyRefused
    return key


def acting(request: Request, kind: str, body: Mapping[str, Any]) -> Actor:
    """Who gives the command. The seller centre speaks for a seller, whom ``actor.id`` of the body names."""
    principal: Principal = request.state.principal
    role = ACTOR_ROLE[principal.role]
    if role != "seller":
        return Actor(principal.id, role)
    actor = body.get("actor")
    seller_id = actor.get("id") if isinstance(actor, Mapping) else None
    if not isinstance(seller_id, str) or not re.fullmatch(r"[^\x00]{1,200}", seller_id):
        raise InvalidCommand(kind, "actor.id", "it should name the seller who acts")
    return Actor(seller_id, role)


def as_command(kind: str, *in_path: str) -> dict[str, Any]:
    """How the OpenAPI document describes the body of ``kind``, without what the address says."""
    own = {field.name for field in fields(COMMANDS[kind])} - {field.name for field in fields(Command)}
    schema = _inlined(TypeAdapter(COMMANDS[kind]).json_schema())
    properties = {
        name: schema["properties"][name] for name in schema["properties"] if name in own - {*in_path}
    }
    if "seller" in ROLES[kind]:
        named = {"id": {"type": "string", "minLength": 1, "maxLength": 200}}
        properties["actor"] = {"type": "object", "properties": named, "required": ["id"]}
    required = [name for name in schema["required"] if name in properties]
    body = {"type": "object", "properties": properties, "required": required}
    return {
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {str(status): failure(status) for status in (404, 409)},
    }


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with every reference replaced by what it refers to."""
    known = schema.pop("$defs", {})

    def walk(part: Any) -> Any:
        if isinstance(part, dict):
            if "$ref" in part:
                return walk(known[part["$ref"].rsplit("/", 1)[1]])
            return {name: walk(value) for name, value in part.items()}
        return [walk(item) for item in part] if isinstance(part, list) else part

    inlined: dict[str, Any] = walk(schema)
    return inlined


def page(
    items: Sequence[dict[str, Any]], limit: int, key: Callable[[dict[str, Any]], tuple[str | int, ...]]
) -> Page:
    """A page of what was asked for with one element more than ``limit``."""
    shown = list(items[:limit])
    is_last = len(items) <= limit
    return Page(items=shown, next_cursor=None if is_last else cursor_after(*key(shown[-1])))


def position(after: tuple[Any, ...] | None, *kinds: type) -> Any:
    """The parts of a cursor, of these types; CursorRefused where somebody made one up."""
    if after is None:
        return None
    if len(after) != len(kinds) or not all(
        type(part) is kind for part, kind in zip(after, kinds, strict=True)
    ):
        raise CursorRefused
    if any(isinstance(part, int) and not 0 <= part < 2**63 for part in after):
        raise CursorRefused
    if any(isinstance(part, str) and "\0" in part for part in after):
        raise CursorRefused
    return after


EDITED: dict[str, Any] = {"responses": {str(status): failure(status) for status in (404, 412, 428)}}
"""What an edit adds to the OpenAPI document."""


def etag(version: int) -> str:
    """The version of a case's file as an entity tag."""
    return f'"{version}"'


def _matched(
    tag: Annotated[
        str | None,
        Header(alias="If-Match", description='Required: the ETag of what was read, such as "3".'),
    ] = None,
) -> int:
    if tag is None:
        raise TagMissing
    if not re.fullmatch(r'"[0-9]{1,9}"', tag):
        raise TagUnknown
    return int(tag.strip('"'))


IfMatch = Annotated[int, Depends(_matched)]
"""Parameter of a handler that edits: the version that was read."""
