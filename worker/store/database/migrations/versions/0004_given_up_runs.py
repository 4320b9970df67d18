"""Runs that a person has given up while their file may have left

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("abandon_by", sa.Text()))
    op.add_column("runs", sa.Column("abandon_reason", sa.Text()))


def downgrade() -> None:
    op.drop_column("runs", "abandon_reason")
    op.drop_column("runs", "abandon_by")
