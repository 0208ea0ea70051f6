"""Where and in which language a seller is written to."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from email.errors import MessageError
from email.headerregistry import Address
from pathlib import Path

from sqlalchemy import Column, Connection, Table, Text, delete, insert, select

from detector.errors import InputError, TrueTradeError
from detector.store.columns import METADATA

__all__ = ["BadAddress", "Contact", "contact_of", "put_contacts", "read_contacts"]

CONTACTS = Table(
    "seller_contacts",
    METADATA,
    Column("seller_id", Text, primary_key=True),
    Column("email", Text, nullable=False),
    Column("language", Text),
    Column("country", Text),
)


class BadAddress(TrueTradeError):
    """What was given as an e-mail address is none."""


@dataclass(frozen=True, slots=True)
class Contact:
    """``language`` (None: that of ``country``, ISO 3166) is that of the letters."""

    seller_id: str
    email: str
    language: str | None
    country: str | None


def put_contacts(connection: Connection, contacts: Iterable[Contact]) -> int:
    """Record the contacts, in place of what was known of these sellers; how many.

    Raises
    ------
    BadAddress
        An address is malformed; nothing has been recorded then if the transaction is the caller's own.
    """
    rows = []
    for contact in contacts:
        _require_address(contact)
        rows.append({name: getattr(contact, name) for name in Contact.__slots__})
    if rows:
        sellers = [row["seller_id"] for row in rows]
        connection.execute(delete(CONTACTS).where(CONTACTS.c.seller_id.in_(sellers)))
        connection.execute(insert(CONTACTS), rows)
    return len(rows)


def read_contacts(file: Path) -> list[Contact]:
    """The contacts of a CSV file with a header; its columns ``language`` and ``country`` may be missing."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file} cannot be read as CSV: {error}") from None
    contacts = []
    for number, row in enumerate(rows, start=1):
        if not row.get("seller_id") or not row.get("email"):
            raise InputError(f"{file}, row {number}: seller_id and email are both needed")
        contacts.append(
            Contact(row["seller_id"], row["email"], row.get("language") or None, row.get("country") or None)
        )
    return contacts


def contact_of(connection: Connection, seller_id: str) -> Contact | None:
    """The seller's contact, None when none is on record."""
    row = connection.execute(select(CONTACTS).where(CONTACTS.c.seller_id == seller_id)).first()
    return None if row is None else Contact(*row)


def _require_address(contact: Contact) -> None:
    try:
        address = Address(addr_spec=contact.email)
    except (MessageError, ValueError, IndexError):
        address = Address()
    if not address.username or "." not in address.domain:
        raise BadAddress(
            f"seller {contact.seller_id}: {contact.email!r} is no e-mail address such as name@shop.example"
        )
