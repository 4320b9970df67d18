"""When, by whom and why a version of a tardy was taken back

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

from worker.store.database.column_types import Instant

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tardy_versions", sa.Column("taken_back_at", Instant(), nullable=True))
    op.add_column("tardy_versions", sa.Column("taken_back_by", sa.Text(), nullable=True))
    op.add_column("tardy_versions", sa.Column("take_back_reason", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("tardy_versions", "take_back_reason")
    op.drop_column("tardy_versions", "taken_back_by")
    op.drop_column("tardy_versions", "taken_back_at")
