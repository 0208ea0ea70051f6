"""Enforcement: events, cases, documents, outbox, audit."""

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The tables of ``detector.store`` for enforcement."""
