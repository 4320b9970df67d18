"""School sense: what people decide, what competes, what was quiet

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

from worker.store.database.column_types import Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("entries", sa.Column("released", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("entries", sa.Column("collapse_key", sa.String(length=32), nullable=True))
    competing = sa.text("collapse_key IS NOT NULL")
    op.create_index(
        "ix_entries_collapse",
        "entries",
        ["export_id", "collapse_key"],
        unique=False,
        sqlite_where=competing,
        postgresql_where=competing,
    )
    op.add_column("runs", sa.Column("sealed_at", Instant(), nullable=True))
    op.add_column("runs", sa.Column("swept", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("runs", sa.Column("approved_revision", sa.Integer(), nullable=True))
    op.add_column("runs", sa.Column("approved_rows", sa.Integer(), nullable=True))
    op.create_table(
        "decisions",
        sa.Column("decision_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("decision", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("export_id", sa.String(length=63), nullable=False),
        sa.Column("district_id", sa.String(length=64), nullable=False),
        sa.Column("tardy_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("was", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("decision_id"),
    )
    op.create_index("ix_decisions_tardy", "decisions", ["district_id", "tardy_id"], unique=False)
    op.create_table(
        "quiet_days",
        sa.Column("export_id", sa.String(length=63), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("noticed_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("export_id", "day"),
    )


def downgrade() -> None:
    op.drop_table("quiet_days")
    op.drop_index("ix_decisions_tardy", table_name="decisions")
    op.drop_table("decisions")
    op.drop_column("runs", "approved_rows")
    op.drop_column("runs", "approved_revision")
    op.drop_column("runs", "swept")
    op.drop_column("runs", "sealed_at")
    op.drop_index("ix_entries_collapse", table_name="entries")
    op.drop_column("entries", "collapse_key")
    op.drop_column("entries", "released")
