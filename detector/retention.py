"""What the store may keep: the end of retention, and a buyer's right to be forgotten."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Table, delete, or_, select, update

from detector.pseudonym import IDENTITY_COLUMNS
from detector.store.decisions import DECISIONS
from detector.store.documents import DocumentStore
from detector.store.facts import FACTS, orders_written
from detector.store.idempotency import forget_before

__all__ = ["erase_buyer", "purge"]

_DATED = {"reviews": "created_at", "affiliate_clicks": "clicked_at", "reports": "created_at"}


def purge(connection: Connection, before: datetime, documents: DocumentStore) -> dict[str, int]:
    """Remove what is older than ``before``; rows removed per table.

    Orders placed before go with their items, shipments, scans and decisions; reviews, clicks and reports by
    their own time; documents, unless an appeal names them. Labels stay: they say of an order whether it was
    fake, not whose it was. Do it last in a transaction (see ``DocumentStore.forget``).
    """
    orders, shipments = FACTS["orders"], FACTS["shipments"]
    old = select(orders.c.order_id).where(orders.c.created_at < before)
    sent = select(shipments.c.shipment_id).where(shipments.c.order_id.in_(old))
    events, items = FACTS["tracking_events"], FACTS["order_items"]
    removed = {
        "tracking_events": _delete(connection, events, events.c.shipment_id.in_(sent)),
        "shipments": _delete(connection, shipments, shipments.c.order_id.in_(old)),
        "order_items": _delete(connection, items, items.c.order_id.in_(old)),
        "decisions": _delete(connection, DECISIONS, DECISIONS.c.order_id.in_(old)),
        "orders": _delete(connection, orders, orders.c.created_at < before),
    }
    for name, column in _DATED.items():
        removed[name] = _delete(connection, FACTS[name], FACTS[name].c[column] < before)
    removed["idempotency"] = forget_before(connection, before)
    removed["documents"] = documents.forget(connection, before)
    orders_written(connection)
    return removed


def _delete(connection: Connection, table: Table, where: ColumnElement[bool]) -> int:
    return connection.execute(delete(table).where(where)).rowcount


def erase_buyer(connection: Connection, buyer_id: str) -> dict[str, int]:
    """Null the buyer's identifiers in orders, clicks and signatures; drop those that the account gave.

    Returns the rows that held some, per table: none the second time.
    """
    orders, shipments, identifiers = FACTS["orders"], FACTS["shipments"], FACTS["account_identifiers"]
    own = select(orders.c.order_id).where(orders.c.buyer_id == buyer_id)
    sent = select(shipments.c.shipment_id).where(shipments.c.order_id.in_(own))
    erased = {
        name: _null(connection, name, FACTS[name].c.buyer_id == buyer_id)
        for name in ("orders", "affiliate_clicks")
    }
    signed = FACTS["tracking_events"].c.shipment_id.in_(sent)
    erased["tracking_events"] = _null(connection, "tracking_events", signed)
    mine = (identifiers.c.account_kind == "buyer") & (identifiers.c.account_id == buyer_id)
    erased["account_identifiers"] = _delete(connection, identifiers, mine)
    orders_written(connection)
    return erased


def _null(connection: Connection, name: str, where: ColumnElement[bool]) -> int:
    table, columns = FACTS[name], IDENTITY_COLUMNS[name]
    held = or_(*(table.c[column].is_not(None) for column in columns))
    nothing = dict.fromkeys(columns)
    return connection.execute(update(table).where(where, held).values(nothing)).rowcount
