"""Replies to commands are settled apart from outcomes; a long history of runs is not read for the few that matter

Revision ID: 0010
Revises: 0009
"""

import hashlib
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from worker.store.database.column_types import Instant

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    replies = op.create_table(
        "replies",
        sa.Column("outbox_id", number, autoincrement=False, nullable=False),
        sa.Column("queue_key", sa.String(length=64), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("outbox_id"),
    )
    op.create_index("ix_replies_queue", "replies", ["queue_key", "outbox_id"], unique=False)
    _queue_what_waits(replies)
    had_a_file = "finished_at IS NOT NULL AND file_name IS NOT NULL AND attempts > 0"
    op.create_index(
        "ix_runs_unswept",
        "runs",
        ["export_id", "finished_at"],
        unique=False,
        sqlite_where=sa.text(f"swept = 0 AND {had_a_file}"),
        postgresql_where=sa.text(f"NOT swept AND {had_a_file}"),
    )
    fileless = sa.text("sequence IS NULL")
    op.create_index(
        "ix_runs_fileless",
        "runs",
        ["finished_at"],
        unique=False,
        sqlite_where=fileless,
        postgresql_where=fileless,
    )
    op.create_index("ix_run_requests_last", "run_requests", ["export_id", "request_id"], unique=False)


def _queue_what_waits(replies: sa.Table) -> None:
    """What has not been published has not been answered with either."""
    outbox = sa.table(
        "outbox", sa.column("outbox_id"), sa.column("reply_to"), sa.column("published_at", Instant())
    )
    waiting = sa.select(outbox.c.outbox_id, outbox.c.reply_to).where(
        outbox.c.published_at.is_(None), outbox.c.reply_to.is_not(None)
    )
    rows = [
        {
            "outbox_id": outbox_id,
            "queue_key": hashlib.sha256(queue.encode()).hexdigest(),
            "tries": 0,
            "due_at": datetime.now(UTC),
        }
        for outbox_id, queue in op.get_bind().execute(waiting)
    ]
    if rows:
        op.bulk_insert(replies, rows)


def downgrade() -> None:
    op.drop_index("ix_run_requests_last", table_name="run_requests")
    op.drop_index("ix_runs_fileless", table_name="runs")
    op.drop_index("ix_runs_unswept", table_name="runs")
    op.drop_index("ix_replies_queue", table_name="replies")
    op.drop_table("replies")
