"""Cases of which somebody is to be reminded are found by an index; decided ones are none."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The index of ``detector.store.case_files`` over what is still to be told."""
    op.drop_index("ix_case_files_due_at", "case_files")
    op.create_index(
        "ix_case_files_to_remind",
        "case_files",
        ["due_at"],
        sqlite_where=sa.text("reminded_at IS NOT due_at"),
        postgresql_where=sa.text("reminded_at IS DISTINCT FROM due_at"),
    )
    op.execute(
        "UPDATE case_files SET reminded_at = due_at"
        " WHERE case_id IN (SELECT case_id FROM enforcement_cases WHERE outcome IS NOT NULL)"
    )
