"""What asks for runs, runs, their attempts, and where their files may go."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from worker.store.database.column_types import Instant
from worker.store.database.tables.table_parts import ID, KEY, Number, metadata, partial_index

_HAD_A_FILE = "finished_at IS NOT NULL AND file_name IS NOT NULL AND attempts > 0"
IS_UNSWEPT = text("runs.finished_at IS NOT NULL AND runs.file_name IS NOT NULL AND runs.attempts > 0")
"""SQL, as the index says it; `runs.swept` is asked beside it."""

run_requests = Table(
    "run_requests",
    metadata,
    Column("request_id", Number, primary_key=True),
    Column("export_id", String(KEY), nullable=False),
    Column("trigger", String(16), nullable=False),  # schedule | run_now | continuous
    Column("slot", String(64), nullable=False),  # due time, or a hash of the command's source and id
    Column("due_at", Instant),
    Column("command_source", Text),
    Column("command_id", Text),
    Column("state", String(16), nullable=False),  # pending | sealed | merged | skipped | cancelled
    Column("barrier", BigInteger),  # None: need not wait for what consumers have in hand
    Column("requested_at", Instant, nullable=False),
    Column("run_id", String(32)),
    UniqueConstraint("export_id", "trigger", "slot"),
    Index("ix_run_requests_pending", "state", "export_id"),
    Index("ix_run_requests_last", "export_id", "request_id"),
)
"""What asks for a run: a due time, a run-now or a full buffer, each once."""

runs = Table(
    "runs",
    metadata,
    Column("run_id", String(32), primary_key=True),
    Column("export_id", String(KEY), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("trigger", String(16), nullable=False),
    Column("command_source", Text),
    Column("command_id", Text),
    Column("resend_of", String(32)),
    Column("due_at", Instant, nullable=False),
    Column("state", String(16), nullable=False),
    Column("sequence", Integer),
    Column("file_name", Text),
    Column("sha256", String(64)),
    Column("bytes", BigInteger),
    Column("rows", Integer, nullable=False),
    Column("refused_rows", Integer, nullable=False),
    Column("held_rows", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", Instant),
    Column("error", Text),
    Column("lease_token", String(32)),
    Column("lease_until", Instant),
    Column("departed_attempt", Integer),  # the last that may have renamed; None: nothing left
    Column("approved_revision", Integer),  # under which a person let it go though it is larger than the guard
    Column("approved_rows", Integer),
    # A person has given it up while its file may have left: the next attempt finds out and ends it.
    Column("abandon_by", Text),
    Column("abandon_reason", Text),
    Column("started_at", Instant, nullable=False),
    # It takes only what the SIS has put off and is looked at again.
    Column("only_later", Boolean, nullable=False, server_default=false()),
    # Closed, and what its attempts left at the destination has been removed.
    Column("swept", Boolean, nullable=False, server_default=false()),
    Column("sealed_at", Instant),  # when sealing it was last done: a million rows take minutes
    Column("finished_at", Instant),
    Index("ix_runs_export", "export_id", "started_at"),
    Index("ix_runs_open", "state", "next_attempt_at"),
    # Closed runs that nobody has swept after: a handful, whatever the history.
    partial_index(
        "ix_runs_unswept",
        "export_id",
        "finished_at",
        where=f"swept = 0 AND {_HAD_A_FILE}",
        postgresql=f"NOT swept AND {_HAD_A_FILE}",
    ),
    partial_index("ix_runs_fileless", "finished_at", where="sequence IS NULL"),
    # At most one open run a definition.
    partial_index("ux_runs_one_open", "export_id", where="finished_at IS NULL", unique=True),
)
"""A sealed set of entries with a number and a file name, and how far its delivery has come."""

attempts = Table(
    "attempts",
    metadata,
    Column("run_id", String(32), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("token", String(32), nullable=False),
    Column("revision", Integer, nullable=False),  # whose destination this attempt wrote to
    Column("worker", Text, nullable=False),
    Column("phase", String(16), nullable=False),  # uploading | departing
    Column("started_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("outcome", String(16)),  # delivered | waiting | failed
    Column("error", Text),
    Column("defect_version", String(32)),  # of the program that failed it by an error of its own
)
"""Each try at delivering a run."""

receipts = Table(
    "receipts",
    metadata,
    Column("run_id", String(32), primary_key=True),
    Column("line", Integer, primary_key=True, autoincrement=False),
    Column("district_id", String(ID), nullable=False),
    Column("tardy_id", String(ID), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("action", String(8), nullable=False),
    Column("step", Integer, nullable=False),  # which deed of its course, from 0
    Column("deed", String(8), nullable=False),  # create | update | delete
    Column("place", String(64), nullable=False),  # a hash of which SIS that is
    Column("batch", Integer, nullable=False),  # the first line of the request that asked for it
    # done | accepted | refused | later | held | unknown (its answer was lost); None: asked, or between two deeds
    Column("outcome", String(8)),
    Column("sis_id", Text),
    Column("sis_version", Text),
    Column("words", Text),  # the SIS's own, which may quote a student; None once purged
    Column("tries", Integer, nullable=False),  # how often its answer was lost
    Column("asked_at", Instant),  # None: the deed of this step has not been asked for
    Column("answered_at", Instant),
    Column("attempt", Integer, nullable=False),
    Index("ix_receipts_tardy", "district_id", "tardy_id"),
)
"""What an SIS that takes records said of each row of a run. A row comes to be before its first request goes."""

marked_places = Table(
    "marked_places",
    metadata,
    Column("place_hash", String(64), primary_key=True),
    Column("place", Text, nullable=False),  # as every machine writes it: `directory:outbox`
    Column("token", String(32), nullable=False),  # stands in the mark of the one folder that is meant
    Column("marked_at", Instant, nullable=False),
)
"""What stands in the mark of the folder that a destination's path, as it is written, leads to."""
