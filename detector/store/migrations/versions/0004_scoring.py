"""Facts, decisions, snapshots: what the scoring service keeps."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    """The tables of ``detector.store.facts``, ``decisions`` and ``snapshots``."""

    op.create_table(
        "account_identifiers",
        sa.Column("account_kind", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("identifier_kind", sa.Text(), nullable=False),
        sa.Column("identifier_value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(
            "account_kind",
            "account_id",
            "identifier_kind",
            "identifier_value",
            name=op.f("pk_account_identifiers"),
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "affiliate_clicks",
        sa.Column("row_digest", sa.Text(), nullable=False),
        sa.Column("creator_id", sa.Text(), nullable=True),
        sa.Column("product_id", sa.Text(), nullable=True),
        sa.Column("clicked_at", sa.BigInteger(), nullable=True),
        sa.Column("buyer_id", sa.Text(), nullable=True),
        sa.Column("device_id", sa.Text(), nullable=True),
        sa.Column("ip_address", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("row_digest", name=op.f("pk_affiliate_clicks")),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "buyers",
        sa.Column("buyer_id", sa.Text(), nullable=False),
        sa.Column("registered_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("buyer_id", name=op.f("pk_buyers")),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "campaigns",
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("product_id", sa.Text(), nullable=False),
        sa.Column("partner_id", sa.Text(), nullable=True),
        sa.Column("seller_id", sa.Text(), nullable=True),
        sa.Column("creator_commission_bp", sa.BigInteger(), nullable=True),
        sa.Column("partner_commission_bp", sa.BigInteger(), nullable=True),
        sa.Column("starts_at", sa.BigInteger(), nullable=True),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("campaign_id", "product_id", name=op.f("pk_campaigns")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "creators",
        sa.Column("creator_id", sa.Text(), nullable=False),
        sa.Column("registered_at", sa.BigInteger(), nullable=True),
        sa.Column("follower_count", sa.BigInteger(), nullable=True),
        sa.Column("public_video_count", sa.BigInteger(), nullable=True),
        sa.Column("identity_verified", sa.Boolean(), nullable=True),
        sa.Column("partner_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("creator_id", name=op.f("pk_creators")),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "decisions",
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("seller_id", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("anomaly_score", sa.Double(), nullable=True),
        sa.Column("rule_score", sa.Double(), nullable=False),
        sa.Column("clauses", JSON, nullable=False),
        sa.Column("reasons", JSON, nullable=False),
        sa.Column("ring_id", sa.Text(), nullable=True),
        sa.Column("versions", JSON, nullable=False),
        sa.Column("feature_set", sa.Text(), nullable=False),
        sa.Column("features", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_decisions")),
    )
    op.create_index("ix_decisions_order", "decisions", ["order_id", "decided_at"], unique=False)
    op.create_index(
        "ix_decisions_suspected",
        "decisions",
        ["seller_id", "decided_at"],
        unique=False,
        sqlite_where=sa.text("decision != 'allow'"),
        postgresql_where=sa.text("decision != 'allow'"),
    )
    op.create_table(
        "feature_sets",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("names", JSON, nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_feature_sets")),
    )
    op.create_table(
        "labels",
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("is_fake", sa.Boolean(), nullable=True),
        sa.Column("clause", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("labelled_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("subject_kind", "subject_id", name=op.f("pk_labels")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "order_items",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("line_no", sa.Text(), nullable=False),
        sa.Column("product_id", sa.Text(), nullable=True),
        sa.Column("sku_id", sa.Text(), nullable=True),
        sa.Column("quantity", sa.BigInteger(), nullable=True),
        sa.Column("unit_price_minor", sa.BigInteger(), nullable=True),
        sa.Column("list_price_minor", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("order_id", "line_no", name=op.f("pk_order_items")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "orders",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("seller_id", sa.Text(), nullable=False),
        sa.Column("buyer_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("paid_at", sa.BigInteger(), nullable=True),
        sa.Column("shipped_at", sa.BigInteger(), nullable=True),
        sa.Column("delivered_at", sa.BigInteger(), nullable=True),
        sa.Column("completed_at", sa.BigInteger(), nullable=True),
        sa.Column("cancelled_at", sa.BigInteger(), nullable=True),
        sa.Column("refunded_at", sa.BigInteger(), nullable=True),
        sa.Column("refund_minor", sa.BigInteger(), nullable=True),
        sa.Column("subtotal_minor", sa.BigInteger(), nullable=True),
        sa.Column("seller_discount_minor", sa.BigInteger(), nullable=True),
        sa.Column("platform_discount_minor", sa.BigInteger(), nullable=True),
        sa.Column("shipping_fee_minor", sa.BigInteger(), nullable=True),
        sa.Column("payment_method", sa.Text(), nullable=True),
        sa.Column("payment_id", sa.Text(), nullable=True),
        sa.Column("device_id", sa.Text(), nullable=True),
        sa.Column("ip_address", sa.Text(), nullable=True),
        sa.Column("recipient_name", sa.Text(), nullable=True),
        sa.Column("recipient_phone", sa.Text(), nullable=True),
        sa.Column("ship_to_country", sa.Text(), nullable=True),
        sa.Column("ship_to_region", sa.Text(), nullable=True),
        sa.Column("ship_to_city", sa.Text(), nullable=True),
        sa.Column("ship_to_postcode", sa.Text(), nullable=True),
        sa.Column("ship_to_address", sa.Text(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("creator_id", sa.Text(), nullable=True),
        sa.Column("campaign_id", sa.Text(), nullable=True),
        sa.Column("promotion_id", sa.Text(), nullable=True),
        sa.Column("is_sample", sa.Boolean(), nullable=True),
        sa.Column("is_replacement", sa.Boolean(), nullable=True),
        sa.Column("is_exchange", sa.Boolean(), nullable=True),
        sa.Column("combined_group_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_orders")),
        sqlite_with_rowid=True,
    )
    op.create_index(
        "ix_orders_window_buyer_id",
        "orders",
        ["buyer_id", "created_at", "currency", "platform_discount_minor", "seller_id", "total_minor"],
        unique=False,
    )
    op.create_index(
        "ix_orders_window_buyer_id_seller_id", "orders", ["buyer_id", "seller_id", "created_at"], unique=False
    )
    op.create_index(
        "ix_orders_window_device_id",
        "orders",
        ["device_id", "created_at", "buyer_id", "currency", "platform_discount_minor"],
        unique=False,
    )
    op.create_index(
        "ix_orders_window_ip_address", "orders", ["ip_address", "created_at", "buyer_id"], unique=False
    )
    op.create_index(
        "ix_orders_window_payment_id", "orders", ["payment_id", "created_at", "buyer_id"], unique=False
    )
    op.create_index(
        "ix_orders_window_recipient_phone",
        "orders",
        ["recipient_phone", "created_at", "buyer_id"],
        unique=False,
    )
    op.create_index("ix_orders_window_seller_id", "orders", ["seller_id", "created_at"], unique=False)
    op.create_table(
        "products",
        sa.Column("product_id", sa.Text(), nullable=False),
        sa.Column("seller_id", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("weight_g", sa.BigInteger(), nullable=True),
        sa.Column("listed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("product_id", name=op.f("pk_products")),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "promotions",
        sa.Column("promotion_id", sa.Text(), nullable=False),
        sa.Column("product_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("seller_id", sa.Text(), nullable=True),
        sa.Column("price_minor", sa.BigInteger(), nullable=True),
        sa.Column("starts_at", sa.BigInteger(), nullable=True),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("promotion_id", "product_id", name=op.f("pk_promotions")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "reported",
        sa.Column("fact", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("fact", name=op.f("pk_reported")),
    )
    op.create_table(
        "reports",
        sa.Column("report_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("reporter_kind", sa.Text(), nullable=True),
        sa.Column("seller_id", sa.Text(), nullable=True),
        sa.Column("order_id", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("report_id", name=op.f("pk_reports")),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "reviews",
        sa.Column("review_id", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=True),
        sa.Column("product_id", sa.Text(), nullable=True),
        sa.Column("buyer_id", sa.Text(), nullable=True),
        sa.Column("seller_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("rating", sa.BigInteger(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("review_id", name=op.f("pk_reviews")),
        sqlite_with_rowid=True,
    )
    op.create_index("ix_reviews_order_id", "reviews", ["order_id"], unique=False)
    op.create_table(
        "sellers",
        sa.Column("seller_id", sa.Text(), nullable=False),
        sa.Column("registered_at", sa.BigInteger(), nullable=True),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("region", sa.Text(), nullable=True),
        sa.Column("city", sa.Text(), nullable=True),
        sa.Column("postcode", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("seller_id", name=op.f("pk_sellers")),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "shipments",
        sa.Column("shipment_id", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=True),
        sa.Column("carrier", sa.Text(), nullable=True),
        sa.Column("tracking_number", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("shipped_at", sa.BigInteger(), nullable=True),
        sa.Column("handover", sa.Text(), nullable=True),
        sa.Column("ship_from_country", sa.Text(), nullable=True),
        sa.Column("ship_from_region", sa.Text(), nullable=True),
        sa.Column("ship_from_city", sa.Text(), nullable=True),
        sa.Column("ship_from_postcode", sa.Text(), nullable=True),
        sa.Column("declared_weight_g", sa.BigInteger(), nullable=True),
        sa.Column("last_mile_tracking_number", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("shipment_id", name=op.f("pk_shipments")),
        sqlite_with_rowid=True,
    )
    op.create_index("ix_shipments_order_id", "shipments", ["order_id"], unique=False)
    op.create_table(
        "snapshot_ring_pairs",
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("buyer_id", sa.Text(), nullable=False),
        sa.Column("seller_id", sa.Text(), nullable=False),
        sa.Column("ring_id", sa.Text(), nullable=False),
        sa.Column("order_count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("generation", "buyer_id", "seller_id", name=op.f("pk_snapshot_ring_pairs")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_snapshot_ring_pairs_ring", "snapshot_ring_pairs", ["generation", "ring_id"], unique=False
    )
    op.create_table(
        "snapshot_rings",
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("ring_id", sa.Text(), nullable=False),
        sa.Column("facts", JSON, nullable=False),
        sa.PrimaryKeyConstraint("generation", "ring_id", name=op.f("pk_snapshot_rings")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "snapshot_sellers",
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("seller_id", sa.Text(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("recommendation", sa.Text(), nullable=False),
        sa.Column("verdict", JSON, nullable=False),
        sa.PrimaryKeyConstraint("generation", "seller_id", name=op.f("pk_snapshot_sellers")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "snapshot_values",
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("generation", "number", "key", name=op.f("pk_snapshot_values")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "snapshots",
        sa.Column("generation", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("in_force", sa.Boolean(), nullable=False),
        sa.Column("as_of", sa.BigInteger(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.Column("groups", JSON, nullable=False),
        sa.PrimaryKeyConstraint("generation", name=op.f("pk_snapshots")),
    )
    op.create_table(
        "tracking_events",
        sa.Column("shipment_id", sa.Text(), nullable=False),
        sa.Column("event_at", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("region", sa.Text(), nullable=True),
        sa.Column("city", sa.Text(), nullable=True),
        sa.Column("postcode", sa.Text(), nullable=True),
        sa.Column("latitude", sa.Double(), nullable=True),
        sa.Column("longitude", sa.Double(), nullable=True),
        sa.Column("weight_g", sa.BigInteger(), nullable=True),
        sa.Column("signed_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("shipment_id", "event_at", "status", name=op.f("pk_tracking_events")),
        sqlite_with_rowid=False,
    )
