"""What an SIS that takes records said of each row, and what it left open

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

from worker.store.database.column_types import Instant

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "receipts",
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("district_id", sa.String(length=64), nullable=False),
        sa.Column("tardy_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(length=8), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("deed", sa.String(length=8), nullable=False),
        sa.Column("place", sa.String(length=64), nullable=False),
        sa.Column("batch", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=8), nullable=True),
        sa.Column("sis_id", sa.Text(), nullable=True),
        sa.Column("sis_version", sa.Text(), nullable=True),
        sa.Column("words", sa.Text(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("asked_at", Instant(), nullable=True),
        sa.Column("answered_at", Instant(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "line"),
    )
    op.create_index("ix_receipts_tardy", "receipts", ["district_id", "tardy_id"], unique=False)
    op.add_column("entries", sa.Column("sis_waits", sa.String(length=8), nullable=True))
    op.add_column("entries", sa.Column("later_at", Instant(), nullable=True))
    op.add_column("entries", sa.Column("later_times", sa.Integer(), nullable=True))
    put_off = sa.text("later_at IS NOT NULL")
    op.create_index(
        "ix_entries_later",
        "entries",
        ["export_id", "later_at"],
        unique=False,
        sqlite_where=put_off,
        postgresql_where=put_off,
    )
    op.add_column("runs", sa.Column("only_later", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    op.drop_column("runs", "only_later")
    op.drop_index("ix_entries_later", table_name="entries")
    op.drop_column("entries", "later_times")
    op.drop_column("entries", "later_at")
    op.drop_column("entries", "sis_waits")
    op.drop_index("ix_receipts_tardy", table_name="receipts")
    op.drop_table("receipts")
