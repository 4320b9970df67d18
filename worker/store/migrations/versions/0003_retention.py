"""Retention: the versions whose data is still there, by when they were received

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    kept = sa.text("document IS NOT NULL")
    op.create_index(
        "ix_tardy_versions_kept",
        "tardy_versions",
        ["received_at"],
        unique=False,
        sqlite_where=kept,
        postgresql_where=kept,
    )


def downgrade() -> None:
    op.drop_index("ix_tardy_versions_kept", table_name="tardy_versions")
