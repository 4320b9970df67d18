"""Every version of the program that has run here, not the last alone: two that take turns are not new each time

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    seen = op.create_table("program_versions", sa.Column("version", sa.String(length=32), primary_key=True))
    last = sa.table("catalogue", sa.column("program_version"))
    op.execute(
        seen.insert().from_select(
            ["version"], sa.select(last.c.program_version).where(last.c.program_version.is_not(None))
        )
    )
    with op.batch_alter_table("catalogue") as catalogue:
        catalogue.drop_column("program_version")


def downgrade() -> None:
    with op.batch_alter_table("catalogue") as catalogue:
        catalogue.add_column(sa.Column("program_version", sa.String(length=32), nullable=True))
    op.drop_table("program_versions")
