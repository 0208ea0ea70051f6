"""The end of retention, and one buyer forgotten."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from builders import an_identifier, an_item, an_order, at, frames
from sqlalchemy import Engine, func, select
from stored_market import a_folder

from detector.load import load
from detector.pseudonym import IDENTITY_COLUMNS, Veil
from detector.retention import erase_buyer, purge
from detector.rulebook import load_rulebook
from detector.service import ScoreRequest, Service
from detector.store.decisions import DECISIONS
from detector.store.documents import DocumentStore
from detector.store.facts import FACTS

DOCUMENTS = DocumentStore(None, 1000)
KEY = b"a key of the tests, 32 bytes long"


@pytest.fixture
def market(store: Engine, tmp_path: Path) -> Engine:
    """Two buyers with one order each, ten days apart, with all that belongs to them."""
    hidden = {"device_id": "d1", "payment_id": "p1", "recipient_name": "Ana Sá", "recipient_phone": "5551234"}
    orders = [
        an_order(order_id=f"o{n}", buyer_id=f"b{n}", created_at=at(days=10 * n), **hidden) for n in (1, 2)
    ]
    sent = [{"shipment_id": f"h{n}", "order_id": f"o{n}"} for n in (1, 2)]
    load(
        store,
        a_folder(
            tmp_path / "in",
            frames(
                orders,
                order_items=[an_item("o1"), an_item("o2")],
                shipments=sent,
                tracking_events=[
                    row | {"event_at": at(days=30), "status": "DELIVERED", "signed_by": "Ana Sá"}
                    for row in ({"shipment_id": "h1"}, {"shipment_id": "h2"})
                ],
                reviews=[
                    {"review_id": f"r{n}", "order_id": f"o{n}", "created_at": at(days=10 * n)} for n in (1, 2)
                ],
                affiliate_clicks=[
                    {"buyer_id": f"b{n}", "clicked_at": at(days=10 * n), "device_id": "d1"} for n in (1, 2)
                ],
                account_identifiers=[an_identifier("device", "d1", f"b{n}") for n in (1, 2)],
                labels=[{"subject_kind": "order", "subject_id": "o1", "is_fake": True}],
            ),
        ),
        Veil(KEY),
    )
    return store


def rows(engine: Engine, table: str) -> int:
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(FACTS[table])) or 0


def test_what_is_older_goes_with_all_that_belongs_to_it(market: Engine) -> None:
    again = an_order(order_id="o1", buyer_id="b1") | {"created_at": at(days=10).replace(tzinfo=UTC)}
    with Service(market, load_rulebook(None), None, KEY) as service:
        service.score([ScoreRequest(again)], datetime(2024, 6, 1, tzinfo=UTC))
    with market.begin() as connection:
        removed = purge(connection, at(days=15), DOCUMENTS)
        left = connection.scalar(select(func.count()).select_from(DECISIONS))
    belongs = ("orders", "order_items", "shipments", "tracking_events", "reviews", "affiliate_clicks")
    assert removed == dict.fromkeys((*belongs, "decisions"), 1) | {
        "reports": 0,
        "idempotency": 0,
        "documents": 0,
    }
    assert {table: rows(market, table) for table in belongs} == dict.fromkeys(belongs, 1)
    assert (left, rows(market, "labels")) == (0, 1)
    with market.begin() as connection:
        assert set(purge(connection, at(days=15), DOCUMENTS).values()) == {0}


def test_an_erased_buyer_s_orders_stay_without_identifiers(market: Engine) -> None:
    with market.begin() as connection:
        first, second = erase_buyer(connection, "b1"), erase_buyer(connection, "b1")
    assert first == {"orders": 1, "affiliate_clicks": 1, "tracking_events": 1, "account_identifiers": 1}
    assert set(second.values()) == {0}
    with market.connect() as connection:
        for table, columns in IDENTITY_COLUMNS.items():
            found = connection.execute(select(FACTS[table])).mappings().all()
            mine = [r for r in found if "1" in (r.get("buyer_id") or r.get("shipment_id"))]
            others = [r for r in found if r not in mine]
            assert (len(mine), len(others)) == (1, 1)
            assert not any(mine[0][column] for column in columns), table
            assert any(others[0][column] for column in columns), table
        assert connection.scalars(select(FACTS["account_identifiers"].c.account_id)).all() == ["b2"]
