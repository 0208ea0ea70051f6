"""Facts, decisions, snapshots: what the scoring service keeps."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TEXT, WHOLE, FLAG = sa.Text(), sa.BigInteger(), sa.Boolean()
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def _table(name: str, key: tuple[str, ...], *columns: sa.Column[Any], **options: Any) -> None:
    op.create_table(name, *columns, sa.PrimaryKeyConstraint(*key, name=op.f(f"pk_{name}")), **options)


def _required(kind: Any, *names: str, **options: Any) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=False, **options) for name in names]


def _optional(kind: Any, *names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=True) for name in names]


def upgrade() -> None:
    """The tables of ``detector.store.facts``, ``decisions`` and ``snapshots``."""
    _table(
        "account_identifiers",
        ("account_kind", "account_id", "identifier_kind", "identifier_value"),
        *_required(TEXT, "account_kind", "account_id", "identifier_kind", "identifier_value"),
        sqlite_with_rowid=False,
    )
    _table(
        "affiliate_clicks",
        ("row_digest",),
        *_required(TEXT, "row_digest"),
        *_optional(TEXT, "creator_id", "product_id"),
        *_optional(WHOLE, "clicked_at"),
        *_optional(TEXT, "buyer_id", "device_id", "ip_address"),
    )
    _table(
        "buyers",
        ("buyer_id",),
        *_required(TEXT, "buyer_id"),
        *_optional(WHOLE, "registered_at"),
    )
    _table(
        "campaigns",
        ("campaign_id", "product_id"),
        *_required(TEXT, "campaign_id", "product_id"),
        *_optional(TEXT, "partner_id", "seller_id"),
        *_optional(WHOLE, "creator_commission_bp", "partner_commission_bp", "starts_at", "ends_at"),
        sqlite_with_rowid=False,
    )
    _table(
        "creators",
        ("creator_id",),
        *_required(TEXT, "creator_id"),
        *_optional(WHOLE, "registered_at", "follower_count", "public_video_count"),
        *_optional(FLAG, "identity_verified"),
        *_optional(TEXT, "partner_id"),
    )
    _table(
        "decisions",
        ("decision_id",),
        *_required(TEXT, "decision_id", "order_id", "seller_id"),
        *_required(WHOLE, "decided_at"),
        *_required(sa.Double(), "score"),
        *_required(TEXT, "decision"),
        *_optional(sa.Double(), "anomaly_score"),
        *_required(sa.Double(), "rule_score"),
        *_required(JSON, "clauses", "reasons"),
        *_optional(TEXT, "ring_id"),
        *_required(JSON, "versions"),
        *_required(TEXT, "feature_set"),
        *_required(sa.LargeBinary(), "features"),
    )
    op.create_index("ix_decisions_order", "decisions", ["order_id", "decided_at"])
    op.create_index(
        "ix_decisions_suspected",
        "decisions",
        ["seller_id", "decided_at"],
        sqlite_where=sa.text("decision != 'allow'"),
        postgresql_where=sa.text("decision != 'allow'"),
    )
    _table(
        "feature_sets",
        ("digest",),
        *_required(TEXT, "digest"),
        *_required(JSON, "names"),
    )
    _table(
        "labels",
        ("subject_kind", "subject_id"),
        *_required(TEXT, "subject_kind", "subject_id"),
        *_optional(FLAG, "is_fake"),
        *_optional(TEXT, "clause", "source"),
        *_optional(WHOLE, "labelled_at"),
        sqlite_with_rowid=False,
    )
    _table(
        "order_items",
        ("order_id", "line_no"),
        *_required(TEXT, "order_id", "line_no"),
        *_optional(TEXT, "product_id", "sku_id"),
        *_optional(WHOLE, "quantity", "unit_price_minor", "list_price_minor"),
        sqlite_with_rowid=False,
    )
    _table(
        "orders",
        ("order_id",),
        *_required(TEXT, "order_id", "seller_id", "buyer_id"),
        *_required(WHOLE, "created_at"),
        *_required(TEXT, "currency"),
        *_required(WHOLE, "total_minor"),
        *_optional(TEXT, "status"),
        *_optional(
            WHOLE,
            "paid_at",
            "shipped_at",
            "delivered_at",
            "completed_at",
            "cancelled_at",
            "refunded_at",
            "refund_minor",
            "subtotal_minor",
            "seller_discount_minor",
            "platform_discount_minor",
            "shipping_fee_minor",
        ),
        *_optional(
            TEXT,
            "payment_method",
            "payment_id",
            "device_id",
            "ip_address",
            "recipient_name",
            "recipient_phone",
            "ship_to_country",
            "ship_to_region",
            "ship_to_city",
            "ship_to_postcode",
            "ship_to_address",
            "channel",
            "creator_id",
            "campaign_id",
            "promotion_id",
        ),
        *_optional(FLAG, "is_sample", "is_replacement", "is_exchange"),
        *_optional(TEXT, "combined_group_id"),
    )
    if op.get_bind().dialect.name == "postgresql":
        _window_indexes()
    _table(
        "order_writes",
        ("place",),
        *_required(WHOLE, "place", "token"),
    )
    _table(
        "products",
        ("product_id",),
        *_required(TEXT, "product_id"),
        *_optional(TEXT, "seller_id", "title", "category"),
        *_optional(WHOLE, "weight_g", "listed_at"),
    )
    _table(
        "promotions",
        ("promotion_id", "product_id"),
        *_required(TEXT, "promotion_id", "product_id"),
        *_optional(TEXT, "kind", "seller_id"),
        *_optional(WHOLE, "price_minor", "starts_at", "ends_at"),
        sqlite_with_rowid=False,
    )
    _table(
        "reported",
        ("fact",),
        *_required(TEXT, "fact"),
    )
    _table(
        "reports",
        ("report_id",),
        *_required(TEXT, "report_id"),
        *_optional(WHOLE, "created_at"),
        *_optional(TEXT, "reporter_kind", "seller_id", "order_id", "reason", "text"),
    )
    _table(
        "reviews",
        ("review_id",),
        *_required(TEXT, "review_id"),
        *_optional(TEXT, "order_id", "product_id", "buyer_id", "seller_id"),
        *_optional(WHOLE, "created_at", "rating"),
        *_optional(TEXT, "text"),
    )
    op.create_index("ix_reviews_order_id", "reviews", ["order_id"])
    _table(
        "sellers",
        ("seller_id",),
        *_required(TEXT, "seller_id"),
        *_optional(WHOLE, "registered_at"),
        *_optional(TEXT, "country", "region", "city", "postcode"),
    )
    _table(
        "shipments",
        ("shipment_id",),
        *_required(TEXT, "shipment_id"),
        *_optional(TEXT, "order_id", "carrier", "tracking_number"),
        *_optional(WHOLE, "created_at", "shipped_at"),
        *_optional(
            TEXT, "handover", "ship_from_country", "ship_from_region", "ship_from_city", "ship_from_postcode"
        ),
        *_optional(WHOLE, "declared_weight_g"),
        *_optional(TEXT, "last_mile_tracking_number"),
    )
    op.create_index("ix_shipments_order_id", "shipments", ["order_id"])
    _table(
        "snapshot_ring_pairs",
        ("generation", "buyer_id", "seller_id"),
        *_required(sa.Integer(), "generation"),
        *_required(TEXT, "buyer_id", "seller_id", "ring_id"),
        *_required(sa.Integer(), "order_count"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_snapshot_ring_pairs_ring", "snapshot_ring_pairs", ["generation", "ring_id"])
    _table(
        "snapshot_rings",
        ("generation", "ring_id"),
        *_required(sa.Integer(), "generation"),
        *_required(TEXT, "ring_id"),
        *_required(JSON, "facts"),
        sqlite_with_rowid=False,
    )
    _table(
        "snapshot_sellers",
        ("generation", "seller_id"),
        *_required(sa.Integer(), "generation"),
        *_required(TEXT, "seller_id"),
        *_required(sa.Double(), "score"),
        *_required(TEXT, "recommendation"),
        *_required(JSON, "verdict"),
        sqlite_with_rowid=False,
    )
    _table(
        "snapshot_values",
        ("number",),
        *_required(WHOLE.with_variant(sa.Integer(), "sqlite"), "number", autoincrement=False),
        *_required(sa.LargeBinary(), "data"),
    )
    _table(
        "snapshots",
        ("generation",),
        *_required(sa.Integer(), "generation", autoincrement=False),
        *_required(FLAG, "in_force"),
        *_required(WHOLE, "as_of", "published_at"),
        *_required(JSON, "groups", "score_shares"),
    )
    _table(
        "tracking_events",
        ("shipment_id", "event_at", "status"),
        *_required(TEXT, "shipment_id"),
        *_required(WHOLE, "event_at"),
        *_required(TEXT, "status"),
        *_optional(TEXT, "country", "region", "city", "postcode"),
        *_optional(sa.Double(), "latitude", "longitude"),
        *_optional(WHOLE, "weight_g"),
        *_optional(TEXT, "signed_by"),
        sqlite_with_rowid=False,
    )


def _window_indexes() -> None:
    money = ["currency", "platform_discount_minor"]
    for key, told in (
        ("buyer_id", [*money, "seller_id", "total_minor"]),
        ("device_id", ["buyer_id", *money]),
        ("ip_address", ["buyer_id"]),
        ("payment_id", ["buyer_id"]),
        ("recipient_phone", ["buyer_id"]),
        ("seller_id", []),
    ):
        op.create_index(f"ix_orders_window_{key}", "orders", [key, "created_at", *told])
    op.create_index("ix_orders_window_buyer_id_seller_id", "orders", ["buyer_id", "seller_id", "created_at"])
