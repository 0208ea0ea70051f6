"""The tables that come in and go out: names, types, keys and allowed values.

This is the data contract as data. Ingest validates against it, the simulator writes it, the features
read it; nobody else spells a column's type.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

__all__ = [
    "CLAUSES",
    "CLAUSE_IDS",
    "INPUT_TABLES",
    "Column",
    "Table",
    "arrow_schema",
]

Kind = Literal["string", "timestamp", "int", "float", "bool", "currency", "country"]

CLAUSE_IDS: dict[str, str] = {
    "self_dealing": "2.1.a",
    "tracking_mismatch": "2.1.b",
    "invalid_tracking": "2.1.c",
    "repeat_buying": "2.1.d",
    "reviews": "2.1.e",
    "abuse": "2.1.f",
}
"""Policy clause code → clause id of the fake-transaction control rules."""
CLAUSES: tuple[str, ...] = tuple(CLAUSE_IDS)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an input table.

    ``required`` columns must exist and hold a value in every row. ``enum`` is the closed list of values,
    ``minimum`` / ``maximum`` the inclusive range of a number.
    """

    name: str
    kind: Kind
    required: bool = False
    enum: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """One input table: its columns, in the contract's order, and the key that makes a row unique.

    An empty ``key`` means that only exact duplicates are dropped.
    """

    name: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


def _strings(*names: str, required: bool = False) -> tuple[Column, ...]:
    return tuple(Column(name, "string", required) for name in names)


def _times(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, "timestamp") for name in names)


def _amounts(*names: str, required: bool = False, maximum: float | None = None) -> tuple[Column, ...]:
    """Money, weights, counts: integers that are never negative."""
    return tuple(Column(name, "int", required, minimum=0, maximum=maximum) for name in names)


def _flags(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, "bool") for name in names)


ORDER_STATUSES = (
    "UNPAID",
    "ON_HOLD",
    "AWAITING_SHIPMENT",
    "PARTIALLY_SHIPPING",
    "AWAITING_COLLECTION",
    "IN_TRANSIT",
    "DELIVERED",
    "COMPLETED",
    "CANCELLED",
)
TRACKING_STATUSES = (
    "LABEL_CREATED",
    "PICKED_UP",
    "IN_TRANSIT",
    "CUSTOMS",
    "OUT_FOR_DELIVERY",
    "AVAILABLE_FOR_PICKUP",
    "ATTEMPT_FAIL",
    "DELIVERED",
    "RETURNING",
    "RETURNED",
    "EXCEPTION",
    "EXPIRED",
    "NOT_FOUND",
    "INVALID",
    "UNKNOWN",
)
ACCOUNT_KINDS = ("buyer", "seller", "creator", "partner")
IDENTIFIER_KINDS = ("device", "ip", "phone", "email", "payment", "address", "bank_account", "document")

ORDERS = Table(
    "orders",
    ("order_id",),
    (
        *_strings("order_id", "seller_id", "buyer_id", required=True),
        Column("created_at", "timestamp", required=True),
        Column("currency", "currency", required=True),
        *_amounts("total_minor", required=True),
        Column("status", "string", enum=ORDER_STATUSES),
        *_times("paid_at", "shipped_at", "delivered_at", "completed_at", "cancelled_at", "refunded_at"),
        *_amounts(
            "refund_minor",
            "subtotal_minor",
            "seller_discount_minor",
            "platform_discount_minor",
            "shipping_fee_minor",
        ),
        *_strings("payment_method", "payment_id", "device_id", "ip_address"),
        *_strings("recipient_name", "recipient_phone"),
        Column("ship_to_country", "country"),
        *_strings("ship_to_region", "ship_to_city", "ship_to_postcode", "ship_to_address"),
        Column("channel", "string", enum=("live", "video", "showcase", "search", "shop")),
        *_strings("creator_id", "campaign_id", "promotion_id"),
        *_flags("is_sample", "is_replacement", "is_exchange"),
        *_strings("combined_group_id"),
    ),
)
ORDER_ITEMS = Table(
    "order_items",
    ("order_id", "line_no"),
    (
        *_strings("order_id", "line_no", required=True),
        *_strings("product_id", "sku_id"),
        *_amounts("quantity", "unit_price_minor", "list_price_minor"),
    ),
)
PRODUCTS = Table(
    "products",
    ("product_id",),
    (
        *_strings("product_id", required=True),
        *_strings("seller_id", "title", "category"),
        *_amounts("weight_g"),
        *_times("listed_at"),
    ),
)
SELLERS = Table(
    "sellers",
    ("seller_id",),
    (
        *_strings("seller_id", required=True),
        *_times("registered_at"),
        Column("country", "country"),
        *_strings("region", "city", "postcode"),
    ),
)
BUYERS = Table("buyers", ("buyer_id",), (*_strings("buyer_id", required=True), *_times("registered_at")))
CREATORS = Table(
    "creators",
    ("creator_id",),
    (
        *_strings("creator_id", required=True),
        *_times("registered_at"),
        *_amounts("follower_count", "public_video_count"),
        *_flags("identity_verified"),
        *_strings("partner_id"),
    ),
)
ACCOUNT_IDENTIFIERS = Table(
    "account_identifiers",
    ("account_kind", "account_id", "identifier_kind", "identifier_value"),
    (
        Column("account_kind", "string", required=True, enum=ACCOUNT_KINDS),
        *_strings("account_id", required=True),
        Column("identifier_kind", "string", required=True, enum=IDENTIFIER_KINDS),
        *_strings("identifier_value", required=True),
    ),
)
SHIPMENTS = Table(
    "shipments",
    ("shipment_id",),
    (
        *_strings("shipment_id", required=True),
        *_strings("order_id", "carrier", "tracking_number"),
        *_times("created_at", "shipped_at"),
        Column("handover", "string", enum=("PICK_UP", "DROP_OFF")),
        Column("ship_from_country", "country"),
        *_strings("ship_from_region", "ship_from_city", "ship_from_postcode"),
        *_amounts("declared_weight_g"),
        *_strings("last_mile_tracking_number"),
    ),
)
TRACKING_EVENTS = Table(
    "tracking_events",
    ("shipment_id", "event_at", "status"),
    (
        *_strings("shipment_id", required=True),
        Column("event_at", "timestamp", required=True),
        Column("status", "string", required=True, enum=TRACKING_STATUSES),
        Column("country", "country"),
        *_strings("region", "city", "postcode"),
        Column("latitude", "float", minimum=-90, maximum=90),
        Column("longitude", "float", minimum=-180, maximum=180),
        *_amounts("weight_g"),
        *_strings("signed_by"),
    ),
)
REVIEWS = Table(
    "reviews",
    ("review_id",),
    (
        *_strings("review_id", required=True),
        *_strings("order_id", "product_id", "buyer_id", "seller_id"),
        *_times("created_at"),
        Column("rating", "int", minimum=1, maximum=5),
        *_strings("text"),
    ),
)
PROMOTIONS = Table(
    "promotions",
    ("promotion_id", "product_id"),
    (
        *_strings("promotion_id", "product_id", required=True),
        Column("kind", "string", enum=("flash_sale", "discount", "voucher")),
        *_strings("seller_id"),
        *_amounts("price_minor"),
        *_times("starts_at", "ends_at"),
    ),
)
CAMPAIGNS = Table(
    "campaigns",
    ("campaign_id", "product_id"),
    (
        *_strings("campaign_id", "product_id", required=True),
        *_strings("partner_id", "seller_id"),
        *_amounts("creator_commission_bp", "partner_commission_bp"),
        *_times("starts_at", "ends_at"),
    ),
)
AFFILIATE_CLICKS = Table(
    "affiliate_clicks",
    (),
    (
        *_strings("creator_id", "product_id"),
        *_times("clicked_at"),
        *_strings("buyer_id", "device_id", "ip_address"),
    ),
)
REPORTS = Table(
    "reports",
    ("report_id",),
    (
        *_strings("report_id", required=True),
        *_times("created_at"),
        Column("reporter_kind", "string", enum=("buyer", "seller", "staff", "other")),
        *_strings("seller_id", "order_id", "reason", "text"),
    ),
)
LABELS = Table(
    "labels",
    ("subject_kind", "subject_id"),
    (
        Column("subject_kind", "string", required=True, enum=("order", "seller")),
        *_strings("subject_id", required=True),
        *_flags("is_fake"),
        Column("clause", "string", enum=CLAUSES),
        *_strings("source"),
        *_times("labelled_at"),
    ),
)

INPUT_TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        ORDERS,
        ORDER_ITEMS,
        PRODUCTS,
        SELLERS,
        BUYERS,
        CREATORS,
        ACCOUNT_IDENTIFIERS,
        SHIPMENTS,
        TRACKING_EVENTS,
        REVIEWS,
        PROMOTIONS,
        CAMPAIGNS,
        AFFILIATE_CLICKS,
        REPORTS,
        LABELS,
    )
}
"""Every input table by name; only ``orders`` must be there."""

_ARROW: dict[Kind, pa.DataType] = {
    "string": pa.string(),
    "currency": pa.string(),
    "country": pa.string(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
}


def arrow_schema(table: Table) -> pa.Schema:
    """The Arrow schema of a clean input table: strings, int64, doubles, UTC microsecond instants.

    >>> arrow_schema(BUYERS)
    buyer_id: string
    registered_at: timestamp[us, tz=UTC]
    """
    return pa.schema([(column.name, _ARROW[column.kind]) for column in table.columns])
