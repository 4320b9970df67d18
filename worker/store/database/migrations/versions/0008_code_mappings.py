"""The administrator's own word on behavior codes, with who said it, when and why, and who took it back

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

from worker.store.database.column_types import Instant

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "code_mappings",
        sa.Column("mapping_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("district_id", sa.String(length=64), nullable=False),
        sa.Column("school_id", sa.String(length=64), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("external_reference_code", sa.Text()),
        sa.Column("mapped_at", Instant(), nullable=False),
        sa.Column("mapped_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("ended_at", Instant()),
        sa.Column("ended_by", sa.Text()),
        sa.Column("end_reason", sa.Text()),
    )
    in_force = sa.text("ended_at IS NULL")
    op.create_index(
        "ux_code_mappings_in_force",
        "code_mappings",
        ["district_id", "school_id", "code"],
        unique=True,
        sqlite_where=in_force,
        postgresql_where=in_force,
    )


def downgrade() -> None:
    op.drop_table("code_mappings")
