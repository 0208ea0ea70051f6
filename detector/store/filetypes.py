"""What a file is, by its bytes; and a name for it that is safe to show and to save."""

from __future__ import annotations

import io
import re
import unicodedata
import zipfile
import zlib

import puremagic

from detector.errors import TrueTradeError

__all__ = ["DocumentRefused", "detect_type", "safe_name"]

_HEAD_BYTES = 64
_OFFICE = "application/vnd.openxmlformats-officedocument."
_EXTENSIONS = {
    "application/pdf": ".pdf",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    f"{_OFFICE}wordprocessingml.document": ".docx",
    f"{_OFFICE}spreadsheetml.sheet": ".xlsx",
}
_PARTS = {
    "word/document.xml": f"{_OFFICE}wordprocessingml.document",
    "xl/workbook.xml": f"{_OFFICE}spreadsheetml.sheet",
}
_MARKUP = {"text/html", "image/svg+xml", "application/xhtml+xml", "application/xml", "text/xml"}
_MAX_PARTS = 5_000
_MAX_UNPACKED_BYTES = 200_000_000
_MAX_RATIO = 200
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_MAX_NAME = 100
_RESERVED = frozenset(
    {"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(10))}
)


class DocumentRefused(TrueTradeError):
    """The document is of a type that is not taken, or is not sound."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"{problem}; allowed: PDF, PNG, JPEG, plain text, CSV, DOCX, XLSX")


def detect_type(content: bytes, name: str) -> tuple[str, str]:
    """Media type and file extension. Only whether text is called CSV is taken from the name.

    Raises
    ------
    DocumentRefused
        Empty, of another type, a zip bomb, encrypted, or with macros.
    """
    if not content:
        raise DocumentRefused("the document is empty")
    types = _types_of(content[:_HEAD_BYTES])
    for media_type in ("application/pdf", "image/png", "image/jpeg"):
        if media_type in types:
            return media_type, _EXTENSIONS[media_type]
    if content.startswith(b"PK"):
        media_type = _office_type(content)
        return media_type, _EXTENSIONS[media_type]
    if _MARKUP & types or not _is_text(content):
        found = ", ".join(sorted(filter(None, types))) or "of no known type"
        raise DocumentRefused(f"the document is {found}")
    is_csv = name.lower().endswith(".csv")
    return ("text/csv", ".csv") if is_csv else ("text/plain", ".txt")


def _types_of(head: bytes) -> set[str]:
    try:
        return {match.mime_type for match in puremagic.magic_string(head)}
    except puremagic.PureError:
        return set()


def _office_type(content: bytes) -> str:
    """DOCX or XLSX. The parts are unpacked once, bounded, so that no declared size is believed."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
            _refuse_unsound(parts, len(content))
            names = {part.filename for part in parts}
            types = [media_type for part, media_type in _PARTS.items() if part in names]
            if len(types) != 1 or "[Content_Types].xml" not in names:
                raise DocumentRefused("the document is a ZIP archive, but neither DOCX nor XLSX")
            if any(name.lower().endswith("vbaproject.bin") for name in names):
                raise DocumentRefused("the document has macros")
            if damaged := archive.testzip():
                raise DocumentRefused(f"the document's part {damaged!r} is damaged")
            return types[0]
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, ValueError, OSError) as error:
        raise DocumentRefused(f"the document is a ZIP archive that cannot be read: {error}") from None


def _refuse_unsound(parts: list[zipfile.ZipInfo], size: int) -> None:
    unpacked = sum(part.file_size for part in parts)
    if len(parts) > _MAX_PARTS or unpacked > min(_MAX_UNPACKED_BYTES, _MAX_RATIO * size):
        raise DocumentRefused(
            f"the document unpacks to {unpacked:,} bytes in {len(parts):,} parts, which is too much"
        )
    if any(part.flag_bits & 0x1 for part in parts):
        raise DocumentRefused("the document is encrypted")
    if any(part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for part in parts):
        raise DocumentRefused("the document is compressed in a way that DOCX and XLSX are not")


def _is_text(content: bytes) -> bool:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return not _CONTROL.search(content.decode(encoding))
        except UnicodeDecodeError:
            continue
    return False


def safe_name(name: str, extension: str) -> str:
    """The last part of ``name`` without anything that a shell, a path, a header or a page could trip over.

    >>> safe_name("../../etc/invoice 1.exe", ".pdf"), safe_name("发票.PDF", ".pdf"), safe_name("", ".txt")
    ('invoice 1.exe.pdf', '发票.pdf', 'document.txt')
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    kept = "".join(c if c.isalnum() or c in " .-_()" else "_" for c in last)
    stem = re.sub(r"\s+", " ", kept).strip(" .")
    if extension and stem.lower().endswith(extension):
        stem = stem[: -len(extension)].strip(" .")
    if extension == ".jpg" and stem.lower().endswith(".jpeg"):
        stem = stem[:-5].strip(" .")
    stem = stem[:_MAX_NAME].strip(" .") or "document"
    reserved = stem.partition(".")[0].upper() in _RESERVED
    return f"{'_' if reserved else ''}{stem}{extension}"
