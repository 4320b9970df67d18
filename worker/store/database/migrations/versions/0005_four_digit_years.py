"""Years below 1000, which earlier versions let in, were written without their leading zeros: SQLite then could not
read them, PostgreSQL read them as other years

Revision ID: 0005
Revises: 0004
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_SORTED = (("tardies", "occurred_at"), ("entries", "sort_at"))


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for table, column in _SORTED:
            op.execute(
                f"UPDATE {table} SET {column} = substr('000' || {column}, -27) WHERE length({column}) < 27"
            )
        return
    for table, column in _SORTED:
        op.execute(
            f"UPDATE {table} SET {column} = (v.document::json ->> 'occurred_at')::timestamptz"
            " FROM tardy_versions v"
            f" WHERE v.district_id = {table}.district_id AND v.tardy_id = {table}.tardy_id"
            f" AND v.version = {table}.version AND v.type <> 'tardy.voided'"
            ' AND v.document LIKE \'%"occurred_at":"0%\''
        )


def downgrade() -> None:
    pass
