"""Retention: the versions whose data is still there, by when they were received; students' ids as long as they come

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
    with op.batch_alter_table("tardies") as tardies:
        tardies.alter_column("student_id", existing_type=sa.String(length=64), type_=sa.Text())
    kept = sa.text("document IS NOT NULL")
    op.create_index(
        "ix_tardy_versions_kept",
        "tardy_versions",
        ["received_at", "district_id", "tardy_id", "version"],
        unique=False,
        sqlite_where=kept,
        postgresql_where=kept,
    )


def downgrade() -> None:
    op.drop_index("ix_tardy_versions_kept", table_name="tardy_versions")
    with op.batch_alter_table("tardies") as tardies:
        tardies.alter_column("student_id", existing_type=sa.Text(), type_=sa.String(length=64))
