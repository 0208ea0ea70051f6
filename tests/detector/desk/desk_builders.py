"""A desk over a database, and what tests ask of it."""

from __future__ import annotations

from typing import Any

from enforcement_builders import DAY
from sqlalchemy import Engine, Table, insert, select

from detector.desk.desk import Desk, Receipt
from detector.enforcement.commands import Command
from detector.enforcement.refusals import Refusal
from detector.store.audit import verify
from detector.store.documents import CONTENTS, DOCUMENTS
from detector.store.projections import DUE, PROJECTIONS


def accept(desk: Desk, *commands: Command) -> Receipt:
    """Submit commands that must be accepted; the last one's receipt."""
    for command in commands:
        answer = desk.submit(command)
        assert isinstance(answer, Receipt), str(answer)
    return answer


def refuse(desk: Desk, command: Command) -> Refusal:
    """The refusal of a command that must be refused."""
    answer = desk.submit(command)
    assert isinstance(answer, Refusal), answer
    return answer


def bring(engine: Engine, seller_id: str, *document_ids: str) -> None:
    """The seller's documents, under these ids."""
    with engine.begin() as connection:
        for document_id in document_ids:
            content = {"sha256": document_id, "size_bytes": 1, "media_type": "text/plain", "content": b"x"}
            connection.execute(insert(CONTENTS).values(content))
            told = {"seller_id": seller_id, "sha256": document_id, "name": f"{document_id}.txt"}
            row = {**told, "document_id": document_id, "uploaded_by": "key:1", "uploaded_at": DAY}
            connection.execute(insert(DOCUMENTS).values(row))


def rows(engine: Engine, table: Table) -> list[dict[str, Any]]:
    """Every row of a table, in the order of its key."""
    with engine.connect() as connection:
        query = select(table).order_by(*table.primary_key)
        return [dict(row._mapping) for row in connection.execute(query)]


def projected(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """All that is derived from the events."""
    return {table.name: rows(engine, table) for table in (*PROJECTIONS, DUE)}


def findings(engine: Engine) -> list[str]:
    """What an audit finds wrong."""
    with engine.connect() as connection:
        return list(verify(connection))
