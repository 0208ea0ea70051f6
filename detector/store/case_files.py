"""What people keep about a case besides the events: its evidence, who works on it until when, their notes.

A file is edited under its version, which the API shows as an ETag: who edits another version than the last
is refused and reads it again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Float,
    Index,
    Integer,
    Row,
    Table,
    Text,
    func,
    insert,
    select,
    text,
    update,
)

from detector.errors import TrueTradeError
from detector.store.columns import METADATA, Instant, Json

__all__ = [
    "EVIDENCE",
    "FILES",
    "NOTES",
    "CaseEdited",
    "CaseFile",
    "Note",
    "UnknownCase",
    "add_evidence",
    "add_note",
    "edit_file",
    "evidence_of",
    "notes_of",
    "open_file",
    "read_file",
    "remind_no_more",
    "weigh",
]

FILES = Table(
    "case_files",
    METADATA,
    Column("case_id", Text, primary_key=True),
    Column("seller_id", Text, nullable=False),
    Column("priority", Float, nullable=False),
    Column("hint", Text),
    Column("assignee", Text),
    Column("due_at", Instant),
    Column("reminded_at", Instant),
    Column("version", Integer, nullable=False),
)
Index(
    "ix_case_files_to_remind",
    FILES.c.due_at,
    sqlite_where=text("reminded_at IS NOT due_at"),
    postgresql_where=text("reminded_at IS DISTINCT FROM due_at"),
)
"""``reminded_at``: the due date that was told, or that needs no telling because the case is decided."""

NOTES = Table(
    "case_notes",
    METADATA,
    Column("case_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("author", Text, nullable=False),
    Column("text", Text, nullable=False),
)

EVIDENCE = Table(
    "case_evidence",
    METADATA,
    Column("fingerprint", Text, primary_key=True),
    Column("case_id", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("source", Text, nullable=False),
    Column("content", Json, nullable=False),
    Index(None, "case_id"),
)
"""``content``: the evidence as ``detector.cases.Evidence`` writes it. A fingerprint is taken once, ever."""


@dataclass(eq=False)
class UnknownCase(TrueTradeError):
    """There is no such case."""

    case_id: str

    def __str__(self) -> str:
        return f"case {self.case_id} does not exist; cannot be read or edited. Allowed: an existing case."


@dataclass(eq=False)
class CaseEdited(TrueTradeError):
    """Somebody else has edited the case's file. ``version`` is the one it has now."""

    case_id: str
    version: int

    def __str__(self) -> str:
        return (
            f"the file of case {self.case_id} is at version {self.version}; cannot edit another version. "
            f"Allowed: read it again and edit that."
        )


@dataclass(frozen=True, slots=True)
class CaseFile:
    """``priority``: expected harm, where 1.0 is what makes a violation serious; ``hint``: suspect or
    possible_victim, None where nothing was said; ``version`` rises with every edit and note."""

    case_id: str
    seller_id: str
    priority: float
    hint: str | None
    assignee: str | None
    due_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True)
class Note:
    """Notes are added, never changed; ``number`` counts from 1."""

    case_id: str
    number: int
    at: datetime
    author: str
    text: str


_FILE = (
    FILES.c.case_id,
    FILES.c.seller_id,
    FILES.c.priority,
    FILES.c.hint,
    FILES.c.assignee,
    FILES.c.due_at,
    FILES.c.version,
)


def open_file(
    connection: Connection,
    case_id: str,
    seller_id: str,
    *,
    priority: float,
    hint: str | None,
    due_at: datetime,
) -> None:
    """The file of a case that was just opened."""
    row = {"case_id": case_id, "seller_id": seller_id, "priority": priority, "hint": hint, "due_at": due_at}
    connection.execute(insert(FILES).values(**row, version=1))


def read_file(connection: Connection, case_id: str, *, lock: bool = False) -> CaseFile:
    """The case's file (UnknownCase where there is none)."""
    query = select(*_FILE).where(FILES.c.case_id == case_id)
    row = connection.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise UnknownCase(case_id)
    return CaseFile(*row)


def edit_file(connection: Connection, case_id: str, version: int, changes: Mapping[str, Any]) -> CaseFile:
    """Change ``assignee`` or ``due_at`` of the file at ``version``; the file after it.

    Raises
    ------
    UnknownCase, CaseEdited
        There is no such file; it has another version.
    """
    known = read_file(connection, case_id, lock=True)
    if known.version != version:
        raise CaseEdited(case_id, known.version)
    connection.execute(update(FILES).where(FILES.c.case_id == case_id).values(**changes, version=version + 1))
    return read_file(connection, case_id)


def weigh(connection: Connection, case_id: str, **found: float | str | None) -> None:
    """Note the ``priority`` and ``hint`` that evidence gives the case; people's edits are not disturbed."""
    connection.execute(update(FILES).where(FILES.c.case_id == case_id).values(**found))


def remind_no_more(connection: Connection, case_id: str) -> None:
    """The case is decided: nobody has to be told that it is due."""
    connection.execute(update(FILES).where(FILES.c.case_id == case_id).values(reminded_at=FILES.c.due_at))


def add_note(
    connection: Connection, case_id: str, version: int, *, at: datetime, author: str, text: str
) -> Note:
    """Add a note to the file at ``version`` (raises as ``edit_file``)."""
    edit_file(connection, case_id, version, {})
    count = select(func.count()).select_from(NOTES).where(NOTES.c.case_id == case_id)
    note = Note(case_id, connection.execute(count).scalar_one() + 1, at, author, text)
    connection.execute(
        insert(NOTES).values(case_id=case_id, number=note.number, at=at, author=author, text=text)
    )
    return note


def notes_of(connection: Connection, case_id: str) -> list[Note]:
    """The case's notes in the order they were written."""
    query = select(NOTES).where(NOTES.c.case_id == case_id).order_by(NOTES.c.number)
    return [Note(row.case_id, row.number, row.at, row.author, row.text) for row in connection.execute(query)]


def add_evidence(
    connection: Connection,
    case_id: str,
    fingerprint: str,
    *,
    at: datetime,
    source: str,
    content: Mapping[str, Any],
) -> None:
    """Put evidence on the case's file."""
    row = {"fingerprint": fingerprint, "case_id": case_id, "at": at, "source": source}
    connection.execute(insert(EVIDENCE).values(**row, content=content))


def evidence_of(connection: Connection, case_id: str) -> Sequence[Row[Any]]:
    """The case's evidence, oldest first: fingerprint, at, source, content."""
    query = select(EVIDENCE).where(EVIDENCE.c.case_id == case_id)
    return connection.execute(query.order_by(EVIDENCE.c.at, EVIDENCE.c.fingerprint)).all()
