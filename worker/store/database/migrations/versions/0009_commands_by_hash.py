"""Commands are known by a hash of their source and id: both together may be too long for an index

Revision ID: 0009
Revises: 0008
"""

import hashlib
import json

import sqlalchemy as sa
from alembic import op

from worker.store.database.column_types import Instant

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_PAGE = 1000
_COLUMNS = ("source", "command_id", "type", "received_at", "reply_to", "correlation_id")


def upgrade() -> None:
    op.drop_index("ix_commands_received", table_name="commands")
    op.rename_table("commands", "commands_by_name")
    op.create_table(
        "commands",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("reply_to", sa.Text(), nullable=True),
        sa.Column("correlation_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("key", name="commands_key_pkey"),
    )
    _copy_commands()
    op.drop_table("commands_by_name")
    op.create_index("ix_commands_received", "commands", ["received_at"], unique=False)
    op.drop_index("ix_outbox_command", table_name="outbox")
    op.add_column("outbox", sa.Column("command_key", sa.String(length=64), nullable=True))
    _fill_outbox()
    op.create_index("ix_outbox_command", "outbox", ["command_key"], unique=False)


def _copy_commands() -> None:
    """Instants go over as they are stored, so their columns have no type here."""
    bind = op.get_bind()
    old = sa.table("commands_by_name", *map(sa.column, _COLUMNS))
    new = sa.table("commands", *map(sa.column, ("key", *_COLUMNS)))
    rows = bind.execute(sa.select(old), execution_options={"yield_per": _PAGE})
    for page in rows.mappings().partitions():
        bind.execute(
            sa.insert(new), [{**row, "key": _hash(row["source"], row["command_id"])} for row in page]
        )


def _fill_outbox() -> None:
    bind = op.get_bind()
    outbox = sa.table("outbox", *map(sa.column, ("outbox_id", "command_key", "command_source", "command_id")))
    c = outbox.c
    fill = (
        sa.update(outbox)
        .where(c.outbox_id == sa.bindparam("number"))
        .values(command_key=sa.bindparam("hash"))
    )
    last = -1
    while True:
        of_commands = (c.outbox_id > last, c.command_id.is_not(None))
        wanted = sa.select(c.outbox_id, c.command_source, c.command_id).where(*of_commands)
        page = bind.execute(wanted.order_by(c.outbox_id).limit(_PAGE)).all()
        if not page:
            return
        last = page[-1][0]
        bind.execute(fill, [{"number": row[0], "hash": _hash(row[1], row[2])} for row in page])


def _hash(source: str, command_id: str) -> str:
    return hashlib.sha256(json.dumps([source, command_id]).encode()).hexdigest()


def downgrade() -> None:
    op.drop_index("ix_outbox_command", table_name="outbox")
    op.drop_column("outbox", "command_key")
    op.create_index("ix_outbox_command", "outbox", ["command_source", "command_id"], unique=False)
    with op.batch_alter_table("commands") as commands:
        commands.drop_constraint("commands_key_pkey", type_="primary")
        commands.drop_column("key")
        commands.create_primary_key("commands_pkey", ["source", "command_id"])
