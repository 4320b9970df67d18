"""Who is at work: the flushers' signs of life

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

from worker.store.database.column_types import Instant

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "flushers",
        sa.Column("worker", sa.String(length=300), nullable=False),
        sa.Column("heartbeat_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("worker", name=op.f("pk_flushers")),
    )


def downgrade() -> None:
    op.drop_table("flushers")
