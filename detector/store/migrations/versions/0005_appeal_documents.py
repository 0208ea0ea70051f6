"""Which documents an appeal names; ``truetrade enforce rebuild`` fills it from appeals of before."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The table ``APPEAL_DOCUMENTS`` of ``detector.store.appeal_documents``."""
    op.create_table(
        "enforcement_appeal_documents",
        sa.Column("appeal_id", sa.Text, nullable=False),
        sa.Column("document_id", sa.Text, nullable=False),
        sa.Column("case_id", sa.Text, nullable=False),
        sa.Column("seller_id", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("appeal_id", "document_id", name="pk_enforcement_appeal_documents"),
    )
    for column in ("case_id", "document_id"):
        op.create_index(f"ix_enforcement_appeal_documents_{column}", "enforcement_appeal_documents", [column])
