"""What metrics and the status read every few seconds is found without going through years of it

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_PARTIAL = (
    ("ix_actions_codes", ["export_id", "action_id"], "action IN ('codes-gone', 'codes-back')"),
    ("ix_actions_missed", ["at"], "action IN ('late', 'uncollected')"),
)


def upgrade() -> None:
    for name, columns, where in _PARTIAL:
        condition = sa.text(where)
        op.create_index(name, "actions", columns, sqlite_where=condition, postgresql_where=condition)
    op.create_index("ix_quiet_days_day", "quiet_days", ["day"])


def downgrade() -> None:
    op.drop_index("ix_quiet_days_day", "quiet_days")
    for name, _, _ in reversed(_PARTIAL):
        op.drop_index(name, "actions")
