"""Quoting for the SQL that ingest writes."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["ident", "idents", "literal", "literals"]


def ident(name: str) -> str:
    """A quoted SQL name.

    >>> print(ident("order_id"))
    "order_id"
    """
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A quoted SQL string.

    >>> print(literal("it's"))
    'it''s'
    """
    return "'" + text.replace("'", "''") + "'"


def idents(names: Iterable[str]) -> str:
    """Quoted SQL names with commas between."""
    return ", ".join(ident(name) for name in names)


def literals(texts: Iterable[str]) -> str:
    """Quoted SQL strings with commas between."""
    return ", ".join(literal(text) for text in texts)
