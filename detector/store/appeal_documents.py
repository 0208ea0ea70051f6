"""How appeals name the documents that back them, and which appeal names which."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from sqlalchemy import Column, Index, Table, Text

from detector.store.columns import METADATA

__all__ = ["APPEAL_DOCUMENTS", "named_in"]

_ID = re.compile(r"[\w.-]+")

APPEAL_DOCUMENTS = Table(
    "enforcement_appeal_documents",
    METADATA,
    Column("appeal_id", Text, primary_key=True),
    Column("document_id", Text, primary_key=True),
    Column("case_id", Text, nullable=False),
    Column("seller_id", Text, nullable=False),
    Index(None, "case_id"),
    Index(None, "document_id"),
)
"""Which documents an appeal names: they stay as long as the appeal is on record."""


def named_in(appeal_documents: Iterable[object]) -> list[str]:
    """What an appeal names: each entry is a document's id, or an object that has it as ``document_id``.

    >>> named_in(["doc_1", {"document_id": "doc_2", "shows": "payment"}])
    ['doc_1', 'doc_2']
    """
    return [_named(entry) for entry in appeal_documents]


def _named(entry: object) -> str:
    """The id; what cannot be one, as JSON, which names no document and can be stored and shown."""
    named = entry.get("document_id") if isinstance(entry, Mapping) else entry
    return named if isinstance(named, str) and _ID.fullmatch(named) else json.dumps(entry)
