"""Examples of request bodies: shown in the OpenAPI document, sent by the tests."""

from __future__ import annotations

from typing import Any

__all__ = ["AN_ORDER", "ROWS"]

_ITEM = {"line_no": "1", "product_id": "p-2077", "quantity": 2, "unit_price_minor": 1299}
_SHIPMENT = {
    "shipment_id": "h-88121",
    "carrier": "dhl",
    "tracking_number": "00340434161094042557",
    "created_at": "2026-03-02T08:00:00Z",
    "handover": "PICK_UP",
    "ship_from_country": "DE",
    "declared_weight_g": 640,
}
_REVIEW = {"review_id": "r-5521", "created_at": "2026-03-06T19:12:00Z", "rating": 5, "text": "Fits well."}

AN_ORDER: dict[str, Any] = {
    "order_id": "o-100045",
    "seller_id": "s-310",
    "buyer_id": "b-9921",
    "created_at": "2026-03-01T09:30:00Z",
    "currency": "EUR",
    "total_minor": 2598,
    "status": "AWAITING_SHIPMENT",
    "paid_at": "2026-03-01T09:31:12Z",
    "device_id": "d-71f0",
    "ip_address": "198.51.100.7",
    "ship_to_country": "DE",
    "ship_to_postcode": "10115",
    "channel": "video",
    "items": [_ITEM],
}

ROWS: dict[str, dict[str, Any]] = {
    "orders": AN_ORDER
    | {
        "status": "COMPLETED",
        "shipment": _SHIPMENT,
        "tracking_events": [{"event_at": "2026-03-03T07:40:00Z", "status": "IN_TRANSIT", "country": "DE"}],
        "review": _REVIEW,
    },
    "shipments": _SHIPMENT | {"order_id": "o-100045"},
    "tracking_events": {
        "shipment_id": "h-88121",
        "event_at": "2026-03-04T11:02:00Z",
        "status": "DELIVERED",
        "country": "DE",
        "postcode": "10115",
        "weight_g": 655,
    },
    "reviews": _REVIEW
    | {"order_id": "o-100045", "product_id": "p-2077", "buyer_id": "b-9921", "seller_id": "s-310"},
    "reports": {
        "report_id": "rp-12",
        "created_at": "2026-03-07T10:00:00Z",
        "reporter_kind": "buyer",
        "seller_id": "s-310",
        "order_id": "o-100045",
        "reason": "empty parcel",
    },
    "labels": {
        "subject_kind": "order",
        "subject_id": "o-100045",
        "is_fake": True,
        "clause": "tracking_mismatch",
        "source": "case",
        "labelled_at": "2026-03-20T12:00:00Z",
    },
}
"""Table → one row as its bulk route takes it."""
