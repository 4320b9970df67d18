"""Standing aside: what met a defect is passed over for a while; which version of the program failed an attempt

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

from worker.store.database.column_types import Instant

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "asides",
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("thing", sa.String(length=128), nullable=False),
        sa.Column("step", sa.String(length=32), nullable=False),
        sa.Column("reference", sa.String(length=32), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("again_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("version", "kind", "thing"),
    )
    op.add_column("attempts", sa.Column("defect_version", sa.String(length=32), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("attempts") as attempts:
        attempts.drop_column("defect_version")
    op.drop_table("asides")
