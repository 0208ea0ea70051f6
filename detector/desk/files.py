"""Edits of a case's file: who works on it, until when, and notes. Each is in the audit log like a command."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from detector.desk.desk import Desk
from detector.enforcement.commands import Actor
from detector.enforcement.days import format_instant
from detector.enforcement.refusals import IdempotencyConflict
from detector.store import audit
from detector.store.case_files import CaseFile, add_note, edit_file, read_file

__all__ = ["edit_case", "note_case"]


def edit_case(
    desk: Desk,
    case_id: str,
    version: int,
    changes: Mapping[str, Any],
    *,
    key: str,
    actor: Actor,
    now: datetime,
) -> CaseFile:
    """Change ``assignee`` or ``due_at`` of the file at ``version``; the file after it.

    Raises
    ------
    UnknownCase, CaseEdited, IdempotencyConflict
        There is no such case; its file has another version; the key was used for something else.
    """
    told = {name: format_instant(new) if isinstance(new, datetime) else new for name, new in changes.items()}
    return _edit(
        desk,
        "edit_case",
        {"case_id": case_id, "version": version, **told},
        lambda connection: edit_file(connection, case_id, version, changes),
        (key, actor, now),
    )


def note_case(
    desk: Desk, case_id: str, version: int, text: str, *, key: str, actor: Actor, now: datetime
) -> CaseFile:
    """Add a note to the file at ``version`` (raises as ``edit_case``)."""
    return _edit(
        desk,
        "note_case",
        {"case_id": case_id, "version": version, "text": text},
        lambda connection: add_note(connection, case_id, version, at=now, author=actor.id, text=text),
        (key, actor, now),
    )


def _edit(
    desk: Desk,
    kind: str,
    told: Mapping[str, Any],
    edit: Callable[[Connection], object],
    given: tuple[str, Actor, datetime],
) -> CaseFile:
    key, actor, now = given
    content = json.dumps({"type": kind, **told, "actor": actor.id}, sort_keys=True)

    def work(connection: Connection, _lock: bool) -> CaseFile:
        case_id = str(told["case_id"])
        known = audit.answered(connection, key)
        if known and known.content != content:
            raise IdempotencyConflict(key, kind)
        if known is None:
            edit(connection)
            audit.record(connection, audit.Entry(now, actor.id, actor.role, kind, key, content))
        return read_file(connection, case_id)

    return desk.transact(work)
