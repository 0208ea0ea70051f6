"""Sellers' documents: type by content, once per content, changed bytes named; hostile names and archives."""

from __future__ import annotations

import hashlib
import io
import zipfile
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, insert, select, text, update

from detector.store.appeal_documents import APPEAL_DOCUMENTS
from detector.store.documents import (
    CONTENTS,
    DOCUMENTS,
    Document,
    DocumentAltered,
    DocumentStore,
    DocumentTooLarge,
    UnknownDocument,
)
from detector.store.filetypes import DocumentRefused, detect_type, safe_name

NOW = datetime(2024, 3, 1, tzinfo=UTC)
PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(40)
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(40)


def an_archive(*parts: str, content: bytes = b"<x/>", packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", packing) as archive:
        for part in parts:
            archive.writestr(part, content)
    return stream.getvalue()


DOCX = an_archive("[Content_Types].xml", "_rels/.rels", "word/document.xml")
XLSX = an_archive("[Content_Types].xml", "_rels/.rels", "xl/workbook.xml")


@pytest.fixture(params=["database", "folder"])
def documents(request: pytest.FixtureRequest, tmp_path: Path) -> DocumentStore:
    return DocumentStore(tmp_path / "documents" if request.param == "folder" else None, 10_000)


def put(store: Engine, documents: DocumentStore, content: bytes = PDF, **changes: Any) -> Document:
    facts = {"seller_id": "S1", "name": "invoice.pdf", "by": "anna", "at": NOW, **changes}
    with store.begin() as connection:
        return documents.put(connection, content=content, **facts)


def test_what_no_appeal_names_goes_at_the_end_of_its_retention(
    store: Engine, documents: DocumentStore
) -> None:
    named, old = put(store, documents), put(store, documents, PNG)
    young = put(store, documents, JPEG, at=NOW + timedelta(days=9))
    shared = put(store, documents, PNG, seller_id="S2", at=NOW + timedelta(days=9))
    link = {"appeal_id": "A1", "document_id": named.document_id, "case_id": "C1", "seller_id": "S1"}
    with store.begin() as connection:
        connection.execute(insert(APPEAL_DOCUMENTS).values(link))
        assert documents.forget(connection, NOW + timedelta(days=1)) == 1
        assert documents.forget(connection, NOW + timedelta(days=1)) == 0
    with store.begin() as connection:
        assert documents.of_case(connection, "C1") == [named]
        assert [documents.read(connection, d.document_id) for d in (named, young, shared)] == [PDF, JPEG, PNG]
        with pytest.raises(UnknownDocument):
            documents.get(connection, old.document_id)
        assert documents.forget(connection, NOW + timedelta(days=10)) == 2
    with store.begin() as connection:
        assert [row.sha256 for row in connection.execute(select(CONTENTS))] == [named.sha256]
    if documents.folder is not None:
        assert [path.name for path in documents.folder.rglob("*") if path.is_file()] == [named.sha256]


def test_a_document_comes_back_as_it_was(store: Engine, documents: DocumentStore) -> None:
    kept = put(store, documents)
    assert kept == Document(
        kept.document_id,
        "S1",
        hashlib.sha256(PDF).hexdigest(),
        "invoice.pdf",
        len(PDF),
        "application/pdf",
        "anna",
        NOW,
    )
    with store.connect() as connection:
        assert documents.read(connection, kept.document_id) == PDF
        assert connection.scalars(select(DOCUMENTS.c.document_id)).all() == [kept.document_id]
        assert list(documents.verify(connection)) == []
        with pytest.raises(UnknownDocument, match="doc_none"):
            documents.get(connection, "doc_none")


def test_the_same_bytes_are_kept_once(store: Engine, documents: DocumentStore) -> None:
    first, again = put(store, documents), put(store, documents, name="other.pdf", by="ben")
    other = put(store, documents, seller_id="S2")
    assert again == first
    assert other.document_id != first.document_id
    assert other.sha256 == first.sha256
    with store.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM document_contents")).scalar() == 1
    if documents.folder is not None:
        assert [path.name for path in documents.folder.rglob("*") if path.is_file()] == [first.sha256]


def test_a_changed_byte_is_found_and_named(store: Engine, documents: DocumentStore) -> None:
    whole, changed = put(store, documents, PNG), put(store, documents, PDF)
    damaged = PDF.replace(b"1.7", b"1.6")
    if documents.folder is None:
        with store.begin() as connection:
            mine = update(CONTENTS).where(CONTENTS.c.sha256 == changed.sha256)
            connection.execute(mine.values(content=damaged))
    else:
        (documents.folder / changed.sha256[:2] / changed.sha256).write_bytes(damaged)
    with store.connect() as connection:
        found = list(documents.verify(connection))
        assert [(altered.document_id, altered.seller_id) for altered in found] == [
            (changed.document_id, "S1")
        ]
        assert hashlib.sha256(damaged).hexdigest() in found[0].problem
        with pytest.raises(DocumentAltered, match=changed.document_id):
            documents.read(connection, changed.document_id)
        assert documents.read(connection, whole.document_id) == PNG


def test_missing_bytes_are_found_and_named(store: Engine, tmp_path: Path) -> None:
    documents = DocumentStore(tmp_path / "documents", 10_000)
    kept = put(store, documents)
    next(path for path in (tmp_path / "documents").rglob("*") if path.is_file()).unlink()
    with store.connect() as connection:
        (altered,) = documents.verify(connection)
    assert (altered.document_id, altered.problem) == (kept.document_id, "its bytes are missing")


def test_too_large_is_refused_at_the_byte(store: Engine, documents: DocumentStore) -> None:
    assert put(store, documents, b"a" * 10_000).size_bytes == 10_000
    with pytest.raises(DocumentTooLarge, match="10,001 bytes"):
        put(store, documents, b"a" * 10_001)


@pytest.mark.parametrize(
    ("content", "name", "media_type", "extension"),
    [
        (PDF, "x.exe", "application/pdf", ".pdf"),
        (PNG, "x.pdf", "image/png", ".png"),
        (JPEG, "x", "image/jpeg", ".jpg"),
        (DOCX, "x.zip", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", ".docx"),
        (XLSX, "x.docx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ".xlsx"),
        (b"BMW, paid in full", "x.bmp", "text/plain", ".txt"),
        ("订单,金额\n1,2\n".encode("gb18030"), "x.CSV", "text/csv", ".csv"),
        ("\ufefforder,sum\r\n".encode(), "x.csv", "text/csv", ".csv"),
    ],
)
def test_the_type_is_read_from_the_bytes(content: bytes, name: str, media_type: str, extension: str) -> None:
    assert detect_type(content, name) == (media_type, extension)


def encrypted(archive: bytes) -> bytes:
    """The archive with every part's flag of encryption set."""
    changed = bytearray(archive)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = changed.find(signature)
        while at >= 0:
            changed[at + offset] |= 1
            at = changed.find(signature, at + 1)
    return bytes(changed)


def understated(archive: bytes) -> bytes:
    """The archive with every part's declared size set to one byte."""
    changed = bytearray(archive)
    at = changed.find(b"PK\x01\x02")
    while at >= 0:
        changed[at + 24 : at + 28] = (1).to_bytes(4, "little")
        at = changed.find(b"PK\x01\x02", at + 1)
    return bytes(changed)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"MZ\x90\x00" + bytes(200), "portable-executable"),
        (b"<html><script>alert(1)</script></html>", "text/html"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg"),
        (b"GIF89a" + bytes(20), "image/gif"),
        (bytes(range(256)), "of no known type"),
        (an_archive("a.txt"), "neither DOCX nor XLSX"),
        (an_archive("[Content_Types].xml", "word/document.xml", "word/vbaProject.bin"), "macros"),
        (an_archive("[Content_Types].xml", "word/document.xml", content=bytes(3_000_000)), "too much"),
        (an_archive("[Content_Types].xml", *(f"word/{n}.xml" for n in range(5_001))), "too much"),
        (encrypted(DOCX), "encrypted"),
        (
            an_archive("[Content_Types].xml", "word/document.xml", packing=zipfile.ZIP_LZMA),
            "compressed in a way",
        ),
        (DOCX[: len(DOCX) // 2], "cannot be read"),
        (
            understated(an_archive("[Content_Types].xml", "word/document.xml", content=bytes(5_000))),
            "ZIP archive|damaged",
        ),
    ],
)
def test_what_is_not_taken_is_refused_and_says_why(content: bytes, problem: str) -> None:
    with pytest.raises(DocumentRefused, match=problem) as refusal:
        detect_type(content, "invoice.pdf")
    assert "allowed: PDF, PNG" in str(refusal.value)


@given(st.binary(max_size=300))
def test_any_bytes_are_taken_as_something_or_refused(content: bytes) -> None:
    for prefix in (b"", b"PK\x03\x04", DOCX[:-30]):
        with suppress(DocumentRefused):
            assert detect_type(prefix + content, "x")[1] in {".pdf", ".png", ".jpg", ".docx", ".xlsx", ".txt"}


@given(st.text(max_size=300), st.sampled_from([".pdf", ".txt", ".jpg"]))
def test_a_name_is_safe_whatever_it_was(name: str, extension: str) -> None:
    safe = safe_name(name, extension)
    assert safe.endswith(extension)
    assert len(safe) > len(extension)
    assert not set(safe) & set("/\\:*?\"<>|\r\n\0;&$`'")
    assert not safe.startswith((".", " "))
    assert len(safe) <= 110
    assert safe_name(safe, extension) == safe
    assert safe.isprintable()


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "passwd.pdf"),
        ("C:\\temp\\receipt.PDF", "receipt.pdf"),
        ("invoice\r\nSet-Cookie: a.pdf", "invoice__Set-Cookie_ a.pdf"),
        ("con.pdf", "_con.pdf"),
        ("发票 (1).pdf", "发票 (1).pdf"),
        ("\u202efdp.exe", "_fdp.exe.pdf"),
        ("....", "document.pdf"),
    ],
)
def test_names(name: str, safe: str) -> None:
    assert safe_name(name, ".pdf") == safe
