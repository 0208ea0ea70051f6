"""Enforcement: events, projections, audit, cases."""

import sqlalchemy as sa
from alembic import op

from detector.store.columns import Instant, Json

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The tables of ``detector.store`` for enforcement."""
    _streams()
    _projections()
    _due()
    _audit()
    _case_files()


def _streams() -> None:
    op.create_table(
        "enforcement_sellers",
        sa.Column("seller_id", sa.Text, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("latest", Instant, nullable=False),
        sa.Column("state", sa.Text),
        sa.Column("state_form", sa.Text),
        sa.Column("state_sequence", sa.BigInteger()),
        sa.Column("state_at", Instant),
        sa.PrimaryKeyConstraint("seller_id", name="pk_enforcement_sellers"),
    )
    op.create_table(
        "enforcement_events",
        sa.Column("seller_id", sa.Text, nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("seller_id", "sequence", name="pk_enforcement_events"),
        sqlite_with_rowid=False,
    )


def _projections() -> None:
    op.create_table(
        "enforcement_cases",
        sa.Column("case_id", sa.Text, nullable=False),
        sa.Column("seller_id", sa.Text, nullable=False),
        sa.Column("opened_at", Instant, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("clauses", Json, nullable=False),
        sa.Column("order_count", sa.Integer(), nullable=False),
        sa.Column("fake_gmv_minor", Json, nullable=False),
        sa.Column("outcome", sa.Text),
        sa.Column("decided_at", Instant),
        sa.Column("decided_by", sa.Text),
        sa.Column("completed_at", Instant),
        sa.Column("overturned", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("case_id", name="pk_enforcement_cases"),
    )
    op.create_index("ix_enforcement_cases_seller_id", "enforcement_cases", ["seller_id"])
    op.create_table(
        "enforcement_violations",
        sa.Column("violation_id", sa.Text, nullable=False),
        sa.Column("case_id", sa.Text, nullable=False),
        sa.Column("seller_id", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("occurrence", sa.Integer(), nullable=False),
        sa.Column("noticed_at", Instant, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("closes_at", Instant),
        sa.Column("needs_reassessment", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("violation_id", name="pk_enforcement_violations"),
    )
    op.create_index("ix_enforcement_violations_seller_id", "enforcement_violations", ["seller_id"])
    op.create_table(
        "enforcement_measures",
        sa.Column("violation_id", sa.Text, nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seller_id", sa.Text, nullable=False),
        sa.Column("measure", sa.Text, nullable=False),
        sa.Column("proposed", sa.Boolean(), nullable=False),
        sa.Column("starts_at", Instant),
        sa.Column("ends_at", Instant),
        sa.PrimaryKeyConstraint("violation_id", "place", name="pk_enforcement_measures"),
    )
    op.create_index("ix_enforcement_measures_seller_id", "enforcement_measures", ["seller_id"])
    op.create_table(
        "enforcement_holds",
        sa.Column("hold_id", sa.Text, nullable=False),
        sa.Column("case_id", sa.Text, nullable=False),
        sa.Column("seller_id", sa.Text, nullable=False),
        sa.Column("placed_at", Instant, nullable=False),
        sa.Column("ended", sa.Text),
        sa.Column("term_ends_at", Instant),
        sa.Column("amount_minor", Json, nullable=False),
        sa.PrimaryKeyConstraint("hold_id", name="pk_enforcement_holds"),
    )
    op.create_index("ix_enforcement_holds_seller_id", "enforcement_holds", ["seller_id"])
    op.create_table(
        "enforcement_appeals",
        sa.Column("appeal_id", sa.Text, nullable=False),
        sa.Column("violation_id", sa.Text, nullable=False),
        sa.Column("seller_id", sa.Text, nullable=False),
        sa.Column("stage", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("filed_at", Instant, nullable=False),
        sa.Column("documents", sa.JSON(), nullable=False),
        sa.Column("decided_at", Instant),
        sa.Column("decided_by", sa.Text),
        sa.Column("reason", sa.Text),
        sa.PrimaryKeyConstraint("appeal_id", name="pk_enforcement_appeals"),
    )
    op.create_index("ix_enforcement_appeals_seller_id", "enforcement_appeals", ["seller_id"])
    op.create_index("ix_enforcement_appeals_violation_id", "enforcement_appeals", ["violation_id"])
    op.create_table(
        "enforcement_removed_orders",
        sa.Column("order_id", sa.Text, nullable=False),
        sa.Column("violation_id", sa.Text, nullable=False),
        sa.Column("seller_id", sa.Text, nullable=False),
        sa.Column("removed_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("order_id", "violation_id", name="pk_enforcement_removed_orders"),
    )
    op.create_index(
        "ix_enforcement_removed_orders_violation_id", "enforcement_removed_orders", ["violation_id"]
    )
    op.create_table(
        "enforcement_labels",
        sa.Column("subject_kind", sa.Text, nullable=False),
        sa.Column("subject_id", sa.Text, nullable=False),
        sa.Column("case_id", sa.Text, nullable=False),
        sa.Column("seller_id", sa.Text, nullable=False),
        sa.Column("is_fake", sa.Boolean(), nullable=False),
        sa.Column("labelled_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("subject_kind", "subject_id", "case_id", name="pk_enforcement_labels"),
    )


def _due() -> None:
    op.create_table(
        "enforcement_due",
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("subject_id", sa.Text, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("seller_id", sa.Text, nullable=False),
        sa.Column("sent_at", Instant),
        sa.PrimaryKeyConstraint("kind", "subject_id", "at", name="pk_enforcement_due"),
    )
    op.create_index("ix_enforcement_due_seller_id", "enforcement_due", ["seller_id"])
    op.create_index(
        "ix_enforcement_due_unsent",
        "enforcement_due",
        ["at"],
        sqlite_where=sa.text("sent_at IS NULL"),
        postgresql_where=sa.text("sent_at IS NULL"),
    )


def _audit() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("actor_id", sa.Text, nullable=False),
        sa.Column("actor_role", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("detail", sa.Text),
        sa.Column("seller_id", sa.Text),
        sa.Column("first_sequence", sa.BigInteger()),
        sa.Column("event_hashes", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_audit_entries"),
    )
    op.create_index(
        "ix_audit_entries_seller_id_first_sequence", "audit_entries", ["seller_id", "first_sequence"]
    )
    op.create_index(
        "uq_audit_entries_accepted_key",
        "audit_entries",
        ["key"],
        unique=True,
        sqlite_where=sa.text("accepted"),
        postgresql_where=sa.text("accepted"),
    )
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_head"),
    )
    op.execute(sa.text(f"INSERT INTO audit_head (id, number, hash) VALUES (1, 0, '{'0' * 64}')"))


def _case_files() -> None:
    op.create_table(
        "case_files",
        sa.Column("case_id", sa.Text, nullable=False),
        sa.Column("seller_id", sa.Text, nullable=False),
        sa.Column("priority", sa.Float(), nullable=False),
        sa.Column("hint", sa.Text),
        sa.Column("assignee", sa.Text),
        sa.Column("due_at", Instant),
        sa.Column("reminded_at", Instant),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("case_id", name="pk_case_files"),
    )
    op.create_index("ix_case_files_due_at", "case_files", ["due_at"])
    op.create_table(
        "case_notes",
        sa.Column("case_id", sa.Text, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("case_id", "number", name="pk_case_notes"),
    )
    op.create_table(
        "case_evidence",
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("case_id", sa.Text, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("content", Json, nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_case_evidence"),
    )
    op.create_index("ix_case_evidence_case_id", "case_evidence", ["case_id"])
