"""Facts, decisions, snapshots, API keys: what the scoring service keeps."""

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The tables of ``detector.store`` for scoring."""
