"""Documents that sellers bring: kept once per content, under the SHA-256 of their bytes.

By default the bytes are in the database, so that one backup and one transaction hold everything; a market
with many large files gives a folder instead, which the backup must then include. What a file is, is read
from its bytes (``store.filetypes``), never from its name or from what the sender says.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    delete,
    select,
    text,
)

from detector.errors import TrueTradeError
from detector.settings import Settings
from detector.store.appeal_documents import APPEAL_DOCUMENTS
from detector.store.columns import METADATA, Instant
from detector.store.filetypes import detect_type, safe_name
from detector.store.inserting import insert_new

__all__ = [
    "CONTENTS",
    "DOCUMENTS",
    "AlteredDocument",
    "Document",
    "DocumentAltered",
    "DocumentStore",
    "DocumentTooLarge",
    "UnknownDocument",
    "first_unknown",
]

CONTENTS = Table(
    "document_contents",
    METADATA,
    Column("sha256", Text, primary_key=True),
    Column("size_bytes", Integer, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("content", LargeBinary),
)
DOCUMENTS = Table(
    "documents",
    METADATA,
    Column("document_id", Text, primary_key=True),
    Column("seller_id", Text, nullable=False),
    Column("sha256", Text, ForeignKey("document_contents.sha256"), nullable=False),
    Column("name", Text, nullable=False),
    Column("uploaded_by", Text, nullable=False),
    Column("uploaded_at", Instant, nullable=False),
    UniqueConstraint("seller_id", "sha256"),
)


class DocumentTooLarge(TrueTradeError):
    """The document has more bytes than the setting allows."""


class UnknownDocument(TrueTradeError):
    """There is no such document of this seller."""


class DocumentAltered(TrueTradeError):
    """The stored bytes are not those that were handed in."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document without its bytes. ``name``: as the seller called it, made safe, ending as its type does."""

    document_id: str
    seller_id: str
    sha256: str
    name: str
    size_bytes: int
    media_type: str
    uploaded_by: str
    uploaded_at: datetime


@dataclass(frozen=True, slots=True)
class AlteredDocument:
    """What ``verify`` found: ``problem`` is one sentence."""

    document_id: str
    seller_id: str
    problem: str


@dataclass(frozen=True, slots=True)
class DocumentStore:
    """``folder`` None: bytes are in the database. All methods work in the caller's transaction."""

    folder: Path | None
    max_bytes: int

    @classmethod
    def of(cls, settings: Settings) -> DocumentStore:
        """Documents as the settings keep them."""
        return cls(settings.documents_folder, settings.document_max_bytes)

    def put(
        self, connection: Connection, *, seller_id: str, name: str, content: bytes, by: str, at: datetime
    ) -> Document:
        """Keep a document. The same bytes of the same seller are one document, whose first name stays.

        Raises
        ------
        DocumentTooLarge, DocumentRefused
            Too many bytes; or none, or of a type that is not taken.
        """
        if len(content) > self.max_bytes:
            raise DocumentTooLarge(
                f"document {safe_name(name, '')!r} has {len(content):,} bytes; {self.max_bytes:,} are allowed"
            )
        media_type, extension = detect_type(content, name)
        sha256 = hashlib.sha256(content).hexdigest()
        self._keep(connection, sha256, media_type, content)
        document_id = f"doc_{uuid5(NAMESPACE_URL, f'truetrade:{seller_id}:{sha256}').hex}"
        row = {"document_id": document_id, "seller_id": seller_id, "sha256": sha256}
        row |= {"name": safe_name(name, extension), "uploaded_by": by}
        connection.execute(insert_new(connection, DOCUMENTS), row | {"uploaded_at": at})
        return self.get(connection, document_id)

    def get(self, connection: Connection, document_id: str) -> Document:
        """The document's description; UnknownDocument when there is none."""
        row = connection.execute(_DESCRIBED.where(DOCUMENTS.c.document_id == document_id)).first()
        if row is None:
            raise UnknownDocument(f"document {document_id} does not exist; see the case's documents")
        return Document(*row)

    def of_case(self, connection: Connection, case_id: str) -> list[Document]:
        """The documents that the case's appeals name, oldest first."""
        named = select(APPEAL_DOCUMENTS.c.document_id).where(APPEAL_DOCUMENTS.c.case_id == case_id)
        query = _DESCRIBED.where(DOCUMENTS.c.document_id.in_(named))
        ordered = query.order_by(DOCUMENTS.c.uploaded_at, DOCUMENTS.c.document_id)
        return [Document(*row) for row in connection.execute(ordered)]

    def read(self, connection: Connection, document_id: str) -> bytes:
        """The document's bytes; DocumentAltered when they are not those that were handed in."""
        document = self.get(connection, document_id)
        problem, content = self._checked(connection, document.sha256)
        if problem:
            raise DocumentAltered(f"document {document_id}: {problem}; restore it from a backup")
        return content

    def forget(self, connection: Connection, before: datetime) -> int:
        """Remove documents of before that no appeal names, with bytes that are nobody's then; how many.

        Do it last in a transaction: files that were removed do not come back. Nobody uploads meanwhile.
        """
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"LOCK TABLE {CONTENTS.name} IN EXCLUSIVE MODE"))
        named = select(APPEAL_DOCUMENTS.c.document_id)
        old = (DOCUMENTS.c.uploaded_at < before, DOCUMENTS.c.document_id.not_in(named))
        count = connection.execute(delete(DOCUMENTS).where(*old)).rowcount
        used = select(DOCUMENTS.c.sha256)
        unused = delete(CONTENTS).where(CONTENTS.c.sha256.not_in(used)).returning(CONTENTS.c.sha256)
        for sha256 in connection.scalars(unused).all():
            if self.folder is not None:
                self._path(sha256).unlink(missing_ok=True)
        return count

    def verify(self, connection: Connection) -> Iterator[AlteredDocument]:
        """Every document whose bytes are missing or changed."""
        for row in connection.execute(_DESCRIBED.order_by(DOCUMENTS.c.document_id)).all():
            problem, _ = self._checked(connection, row.sha256)
            if problem:
                yield AlteredDocument(row.document_id, row.seller_id, problem)

    def _keep(self, connection: Connection, sha256: str, media_type: str, content: bytes) -> None:
        row = {"sha256": sha256, "size_bytes": len(content), "media_type": media_type}
        kept = {"content": None if self.folder else content}
        connection.execute(insert_new(connection, CONTENTS), row | kept)
        if self.folder is not None:
            _write_once(self._path(sha256), content)

    def _checked(self, connection: Connection, sha256: str) -> tuple[str | None, bytes]:
        content = self._bytes(connection, sha256)
        if content is None:
            return "its bytes are missing", b""
        found = hashlib.sha256(content).hexdigest()
        problem = None if found == sha256 else f"its bytes have SHA-256 {found}, they had {sha256}"
        return problem, content

    def _bytes(self, connection: Connection, sha256: str) -> bytes | None:
        """From the database, or from the folder where it was kept there."""
        content = connection.execute(select(CONTENTS.c.content).where(CONTENTS.c.sha256 == sha256)).scalar()
        if content is not None or self.folder is None:
            return content
        path = self._path(sha256)
        return path.read_bytes() if path.exists() else None

    def _path(self, sha256: str) -> Path:
        assert self.folder is not None
        return self.folder / sha256[:2] / sha256


def first_unknown(connection: Connection, seller_id: str, document_ids: Sequence[str]) -> str | None:
    """The first of these that the seller has not brought, None when all are there."""
    mine = (DOCUMENTS.c.seller_id == seller_id, DOCUMENTS.c.document_id.in_(document_ids))
    known = set(connection.scalars(select(DOCUMENTS.c.document_id).where(*mine)))
    return next((document_id for document_id in document_ids if document_id not in known), None)


_DESCRIBED = select(
    DOCUMENTS.c.document_id,
    DOCUMENTS.c.seller_id,
    DOCUMENTS.c.sha256,
    DOCUMENTS.c.name,
    CONTENTS.c.size_bytes,
    CONTENTS.c.media_type,
    DOCUMENTS.c.uploaded_by,
    DOCUMENTS.c.uploaded_at,
).join_from(DOCUMENTS, CONTENTS)


def _write_once(path: Path, content: bytes) -> None:
    """The whole file under its name, or none: it is durable before the database names it."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(temporary, path)
    parent = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)
