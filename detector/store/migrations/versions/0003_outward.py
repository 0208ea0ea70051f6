"""Outwards: outbox, endpoints, deliveries, contacts; documents, policies."""

import sqlalchemy as sa
from alembic import op

from detector.store.columns import Instant, Json

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The tables of ``detector.store``: ``outbox``, ``contacts``, ``documents``, ``policies``."""
    _outbox()
    _endpoints()
    _deliveries()
    _contacts()
    _documents()
    _policies()


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("seller_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("payload", Json, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_outbox"),
        sa.UniqueConstraint("message_id", name="uq_outbox_message_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_seller_id_position", "outbox", ["seller_id", "position"])
    op.create_index("ix_outbox_at", "outbox", ["at"])


def _endpoints() -> None:
    op.create_table(
        "outbox_endpoints",
        sa.Column("endpoint_id", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("secret", sa.Text),
        sa.Column("kinds", Json, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("endpoint_id", name="pk_outbox_endpoints"),
    )


def _deliveries() -> None:
    op.create_table(
        "outbox_deliveries",
        sa.Column("endpoint_id", sa.Text, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("seller_id", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_attempt_at", Instant, nullable=False),
        sa.Column("leased_until", Instant),
        sa.Column("delivered_at", Instant),
        sa.Column("dead_at", Instant),
        sa.Column("last_error", sa.Text),
        sa.PrimaryKeyConstraint("endpoint_id", "position", name="pk_outbox_deliveries"),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["outbox_endpoints.endpoint_id"],
            name="fk_outbox_deliveries_endpoint_id_outbox_endpoints",
        ),
        sa.ForeignKeyConstraint(
            ["position"], ["outbox.position"], name="fk_outbox_deliveries_position_outbox"
        ),
    )
    pending = sa.text("delivered_at IS NULL AND dead_at IS NULL")
    op.create_index(
        "ix_outbox_deliveries_pending",
        "outbox_deliveries",
        ["endpoint_id", "seller_id", "position"],
        postgresql_where=pending,
        sqlite_where=pending,
    )


def _contacts() -> None:
    op.create_table(
        "seller_contacts",
        sa.Column("seller_id", sa.Text, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("language", sa.Text),
        sa.Column("country", sa.Text),
        sa.PrimaryKeyConstraint("seller_id", name="pk_seller_contacts"),
    )


def _documents() -> None:
    op.create_table(
        "document_contents",
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("size_bytes", sa.Integer, nullable=False),
        sa.Column("media_type", sa.Text, nullable=False),
        sa.Column("content", sa.LargeBinary),
        sa.PrimaryKeyConstraint("sha256", name="pk_document_contents"),
    )
    op.create_table(
        "documents",
        sa.Column("document_id", sa.Text, nullable=False),
        sa.Column("seller_id", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("uploaded_by", sa.Text, nullable=False),
        sa.Column("uploaded_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("document_id", name="pk_documents"),
        sa.UniqueConstraint("seller_id", "sha256", name="uq_documents_seller_id_sha256"),
        sa.ForeignKeyConstraint(
            ["sha256"], ["document_contents.sha256"], name="fk_documents_sha256_document_contents"
        ),
    )


def _policies() -> None:
    op.create_table(
        "policies",
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("since", Instant, nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_policies"),
    )
