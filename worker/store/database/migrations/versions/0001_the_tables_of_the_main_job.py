"""The tables of the main job

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

from worker.store.database.column_types import Instant

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "actions",
        sa.Column("action_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("export_id", sa.String(length=63), nullable=True),
        sa.Column("run_id", sa.String(length=32), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("action_id"),
    )
    with op.batch_alter_table("actions", schema=None) as batch_op:
        batch_op.create_index("ix_actions_export", ["export_id", "at"], unique=False)

    op.create_table(
        "attempts",
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(length=32), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("phase", sa.String(length=16), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("run_id", "number"),
    )
    op.create_table(
        "catalogue",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("barrier", sa.BigInteger(), nullable=False),
        sa.Column("program_version", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "commands",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("reply_to", sa.Text(), nullable=True),
        sa.Column("correlation_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("source", "command_id"),
    )
    with op.batch_alter_table("commands", schema=None) as batch_op:
        batch_op.create_index("ix_commands_received", ["received_at"], unique=False)

    op.create_table(
        "consumers",
        sa.Column("token", sa.String(length=32), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("heartbeat_at", Instant(), nullable=False),
        sa.Column("drained_barrier", sa.BigInteger(), nullable=False),
        sa.Column("in_hand", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("token"),
    )
    op.create_table(
        "definition_revisions",
        sa.Column("export_id", sa.String(length=63), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("saved_at", Instant(), nullable=False),
        sa.Column("saved_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("export_id", "revision"),
    )
    op.create_table(
        "definitions",
        sa.Column("export_id", sa.String(length=63), nullable=False),
        sa.Column("district_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("frequency", sa.String(length=16), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("command_version", sa.BigInteger(), nullable=True),
        sa.Column("backfill_from", sa.Date(), nullable=False),
        sa.Column("first_saved_at", Instant(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("schedule_saved_at", Instant(), nullable=False),
        sa.Column("last_slot", Instant(), nullable=True),
        sa.Column("next_due_at", Instant(), nullable=True),
        sa.Column("next_sequence", sa.Integer(), nullable=False),
        sa.Column("paused_at", Instant(), nullable=True),
        sa.Column("paused_by", sa.Text(), nullable=True),
        sa.Column("pause_reason", sa.Text(), nullable=True),
        sa.Column("last_delivered_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("export_id"),
    )
    with op.batch_alter_table("definitions", schema=None) as batch_op:
        batch_op.create_index("ix_definitions_due", ["next_due_at"], unique=False)
        batch_op.create_index("ix_definitions_generation", ["generation"], unique=False)

    op.create_table(
        "entries",
        sa.Column("export_id", sa.String(length=63), nullable=False),
        sa.Column("district_id", sa.String(length=64), nullable=False),
        sa.Column("tardy_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason_code", sa.String(length=32), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("sort_at", Instant(), nullable=True),
        sa.Column("action", sa.String(length=8), nullable=True),
        sa.Column("run_id", sa.String(length=32), nullable=True),
        sa.Column("line", sa.Integer(), nullable=True),
        sa.Column("row_values", sa.Text(), nullable=True),
        sa.Column("judged", sa.Boolean(), nullable=False),
        sa.Column("buffered_at", Instant(), nullable=False),
        sa.Column("settled_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("export_id", "district_id", "tardy_id", "version", "ordinal"),
    )
    with op.batch_alter_table("entries", schema=None) as batch_op:
        batch_op.create_index(
            "ix_entries_run",
            ["run_id", "line"],
            unique=False,
            sqlite_where=sa.text("run_id IS NOT NULL"),
            postgresql_where=sa.text("run_id IS NOT NULL"),
        )
        batch_op.create_index("ix_entries_state", ["export_id", "state"], unique=False)
        batch_op.create_index("ix_entries_tardy", ["district_id", "tardy_id"], unique=False)
        batch_op.create_index(
            "ix_entries_unjudged",
            ["export_id"],
            unique=False,
            sqlite_where=sa.text("judged = 0"),
            postgresql_where=sa.text("NOT judged"),
        )
        batch_op.create_index(
            "ix_entries_unsealed",
            ["export_id", "sort_at", "tardy_id", "version", "ordinal"],
            unique=False,
            sqlite_where=sa.text("state IN ('buffered', 'held')"),
            postgresql_where=sa.text("state IN ('buffered', 'held')"),
        )

    op.create_table(
        "outbox",
        sa.Column("outbox_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("outcome_id", sa.String(length=32), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("command_source", sa.Text(), nullable=True),
        sa.Column("command_id", sa.Text(), nullable=True),
        sa.Column("reply_to", sa.Text(), nullable=True),
        sa.Column("correlation_id", sa.Text(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("claimed_until", Instant(), nullable=True),
        sa.Column("published_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("outbox_id"),
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index("ix_outbox_command", ["command_source", "command_id"], unique=False)
        batch_op.create_index("ix_outbox_unpublished", ["published_at", "outbox_id"], unique=False)

    op.create_table(
        "reference_versions",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("district_id", sa.String(length=64), nullable=False),
        sa.Column("school_id", sa.String(length=64), nullable=False),
        sa.Column("item_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("received_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "district_id", "school_id", "item_id", "version"),
    )
    with op.batch_alter_table("reference_versions", schema=None) as batch_op:
        batch_op.create_index("ix_reference_versions_generation", ["generation"], unique=False)
        batch_op.create_index(
            "ix_reference_versions_school", ["district_id", "school_id", "kind"], unique=False
        )

    op.create_table(
        "run_requests",
        sa.Column("request_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("export_id", sa.String(length=63), nullable=False),
        sa.Column("trigger", sa.String(length=16), nullable=False),
        sa.Column("slot", sa.String(length=64), nullable=False),
        sa.Column("due_at", Instant(), nullable=True),
        sa.Column("command_source", sa.Text(), nullable=True),
        sa.Column("command_id", sa.Text(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("barrier", sa.BigInteger(), nullable=True),
        sa.Column("requested_at", Instant(), nullable=False),
        sa.Column("run_id", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("request_id"),
        sa.UniqueConstraint("export_id", "trigger", "slot"),
    )
    with op.batch_alter_table("run_requests", schema=None) as batch_op:
        batch_op.create_index("ix_run_requests_pending", ["state", "export_id"], unique=False)

    op.create_table(
        "runs",
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("export_id", sa.String(length=63), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("trigger", sa.String(length=16), nullable=False),
        sa.Column("command_source", sa.Text(), nullable=True),
        sa.Column("command_id", sa.Text(), nullable=True),
        sa.Column("resend_of", sa.String(length=32), nullable=True),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=True),
        sa.Column("file_name", sa.Text(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("bytes", sa.BigInteger(), nullable=True),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("refused_rows", sa.Integer(), nullable=False),
        sa.Column("held_rows", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", Instant(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("lease_token", sa.String(length=32), nullable=True),
        sa.Column("lease_until", Instant(), nullable=True),
        sa.Column("departed_attempt", sa.Integer(), nullable=True),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("run_id"),
    )
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.create_index("ix_runs_export", ["export_id", "started_at"], unique=False)
        batch_op.create_index("ix_runs_open", ["state", "next_attempt_at"], unique=False)
        batch_op.create_index(
            "ux_runs_one_open",
            ["export_id"],
            unique=True,
            sqlite_where=sa.text("finished_at IS NULL"),
            postgresql_where=sa.text("finished_at IS NULL"),
        )

    op.create_table(
        "tardies",
        sa.Column("district_id", sa.String(length=64), nullable=False),
        sa.Column("tardy_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("voided", sa.Boolean(), nullable=False),
        sa.Column("school_id", sa.String(length=64), nullable=False),
        sa.Column("behavior_code", sa.String(length=64), nullable=True),
        sa.Column("occurred_at", Instant(), nullable=True),
        sa.Column("student_id", sa.String(length=64), nullable=True),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.Column("first_received_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("district_id", "tardy_id"),
    )
    with op.batch_alter_table("tardies", schema=None) as batch_op:
        batch_op.create_index("ix_tardies_routing", ["district_id", "school_id", "occurred_at"], unique=False)

    op.create_table(
        "tardy_versions",
        sa.Column("district_id", sa.String(length=64), nullable=False),
        sa.Column("tardy_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("document", sa.Text(), nullable=True),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("traceparent", sa.Text(), nullable=True),
        sa.Column("received_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("district_id", "tardy_id", "version"),
    )
    op.execute("INSERT INTO catalogue (id, generation, barrier) VALUES (1, 0, 0)")
