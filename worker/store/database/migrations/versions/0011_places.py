"""Places: the installation's random id, and the folders that bear its mark

Revision ID: 0011
Revises: 0010
"""

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

from worker.store.database.column_types import Instant

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("catalogue", sa.Column("installation", sa.String(length=32)))
    catalogue = sa.table("catalogue", sa.column("installation", sa.String(length=32)))
    op.execute(catalogue.update().values(installation=uuid4().hex))
    op.create_table(
        "marked_places",
        sa.Column("place_hash", sa.String(length=64), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("token", sa.String(length=32), nullable=False),
        sa.Column("marked_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("place_hash"),
    )


def downgrade() -> None:
    op.drop_table("marked_places")
    with op.batch_alter_table("catalogue") as catalogue:
        catalogue.drop_column("installation")
