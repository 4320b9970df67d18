"""The tables. `docs/design.md` tells what each is for; migrations under `migrations/` create them."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from worker.store.database.column_types import Instant

metadata = MetaData()
_Number = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by INTEGER alone

ID = 64  # the contract's longest id
KEY = 63  # of an export
# Predicates of partial indexes. A query that is to use one says the same in literals: a bound parameter proves
# nothing to the planner.
_UNSEALED = text("state IN ('buffered', 'held')")
IS_UNSEALED = text("entries.state IN ('buffered', 'held')")

_IN_A_RUN = text("run_id IS NOT NULL")
_KEPT = text("document IS NOT NULL")
_HAD_A_FILE = "finished_at IS NOT NULL AND file_name IS NOT NULL AND attempts > 0"
IS_UNSWEPT = text("runs.finished_at IS NOT NULL AND runs.file_name IS NOT NULL AND runs.attempts > 0")
_FILELESS = text("sequence IS NULL")
_COMPETING = text("collapse_key IS NOT NULL")
_IN_FORCE = text("ended_at IS NULL")

catalogue = Table(
    "catalogue",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("generation", BigInteger, nullable=False),
    Column("barrier", BigInteger, nullable=False),
    Column("installation", String(32)),  # its random id, which stands in the folders it writes to
)

marked_places = Table(
    "marked_places",
    metadata,
    Column("place_hash", String(64), primary_key=True),
    Column("place", Text, nullable=False),  # as every machine writes it: `directory:outbox`
    Column("token", String(32), nullable=False),  # stands in the mark of the one folder that is meant
    Column("marked_at", Instant, nullable=False),
)

program_versions = Table(
    "program_versions",
    metadata,
    Column("version", String(32), primary_key=True),  # that has done here what a version does once
)

reference_versions = Table(
    "reference_versions",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("district_id", String(ID), primary_key=True),
    Column("school_id", String(ID), primary_key=True),  # "": every school
    Column("item_id", String(ID), primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("document", Text, nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("received_at", Instant, nullable=False),
    Index("ix_reference_versions_generation", "generation"),
    Index("ix_reference_versions_school", "district_id", "school_id", "kind"),
)

code_mappings = Table(
    "code_mappings",
    metadata,
    Column("mapping_id", _Number, primary_key=True),
    Column("district_id", String(ID), nullable=False),
    Column("school_id", String(ID), nullable=False),  # "": every school
    Column("code", String(ID), nullable=False),
    Column("external_reference_code", Text),  # None: never sent
    Column("mapped_at", Instant, nullable=False),
    Column("mapped_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    # When, by whom and why it was unmapped, or replaced by another word; None: in force.
    Column("ended_at", Instant),
    Column("ended_by", Text),
    Column("end_reason", Text),
    # One word on a code of a school at a time.
    Index(
        "ux_code_mappings_in_force",
        "district_id",
        "school_id",
        "code",
        unique=True,
        sqlite_where=_IN_FORCE,
        postgresql_where=_IN_FORCE,
    ),
)

tardy_versions = Table(
    "tardy_versions",
    metadata,
    Column("district_id", String(ID), primary_key=True),
    Column("tardy_id", String(ID), primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("type", String(32), nullable=False),
    Column("document", Text),  # None once purged
    Column("content_hash", String(64), nullable=False),
    Column("message_id", Text),
    Column("source", Text),
    Column("traceparent", Text),
    Column("received_at", Instant, nullable=False),
    # When, by whom and why a person took it back; None: it counts. The highest that counts is the tardy's newest.
    Column("taken_back_at", Instant),
    Column("taken_back_by", Text),
    Column("take_back_reason", Text),
    # What the purge walks: the oldest whose data is still there.
    Index(
        "ix_tardy_versions_kept",
        "received_at",
        "district_id",
        "tardy_id",
        "version",
        sqlite_where=_KEPT,
        postgresql_where=_KEPT,
    ),
)

tardies = Table(
    "tardies",
    metadata,
    Column("district_id", String(ID), primary_key=True),
    Column("tardy_id", String(ID), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("voided", Boolean, nullable=False),
    Column("school_id", String(ID), nullable=False),
    Column("behavior_code", String(ID)),
    Column("occurred_at", Instant),
    Column("student_id", Text),
    Column("changes", Integer, nullable=False),  # how often another version replaced the head
    Column("first_received_at", Instant, nullable=False),
    Index("ix_tardies_routing", "district_id", "school_id", "occurred_at"),
)

definitions = Table(
    "definitions",
    metadata,
    Column("export_id", String(KEY), primary_key=True),
    Column("district_id", String(ID), nullable=False),
    Column("state", String(16), nullable=False),  # active | retired
    Column("frequency", String(16), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("command_version", BigInteger),
    Column("backfill_from", Date, nullable=False),
    Column("first_saved_at", Instant, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("schedule_saved_at", Instant, nullable=False),
    Column("last_slot", Instant),
    Column("next_due_at", Instant),
    Column("next_sequence", Integer, nullable=False),
    Column("paused_at", Instant),
    Column("paused_by", Text),
    Column("pause_reason", Text),
    Column("last_delivered_at", Instant),
    Index("ix_definitions_due", "next_due_at"),
    Index("ix_definitions_generation", "generation"),
)

definition_revisions = Table(
    "definition_revisions",
    metadata,
    Column("export_id", String(KEY), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("document", JSON, nullable=False),
    Column("saved_at", Instant, nullable=False),
    Column("saved_by", Text, nullable=False),
    Column("reason", Text),
)

entries = Table(
    "entries",
    metadata,
    Column("export_id", String(KEY), primary_key=True),
    Column("district_id", String(ID), primary_key=True),
    Column("tardy_id", String(ID), primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),  # a version may come to matter twice
    Column("state", String(16), nullable=False),
    Column("reason_code", String(32)),
    Column("reason", Text),
    Column("sort_at", Instant),  # occurred_at of the version: the order of rows in a file
    Column("action", String(8)),
    Column("run_id", String(32)),
    Column("line", Integer),
    Column("row_values", Text),  # JSON list, one value a field of the pinned revision; None once purged
    Column("judged", Boolean, nullable=False),  # False: the state says nothing yet of what a seal would do
    Column("buffered_at", Instant, nullable=False),
    Column("settled_at", Instant),
    # A person has decided: it may go; or, of a refused row, what becomes of it.
    Column("released", Boolean, nullable=False, server_default=false()),
    # What it competes under where the definition collapses; None: not judged yet.
    Column("collapse_key", String(32)),
    Index("ix_entries_state", "export_id", "state"),
    Index(
        "ix_entries_collapse",
        "export_id",
        "collapse_key",
        sqlite_where=_COMPETING,
        postgresql_where=_COMPETING,
    ),
    Index(
        "ix_entries_unsealed",
        "export_id",
        "sort_at",
        "tardy_id",
        "version",
        "ordinal",
        sqlite_where=_UNSEALED,
        postgresql_where=_UNSEALED,
    ),
    Index("ix_entries_tardy", "district_id", "tardy_id"),
    Index("ix_entries_run", "run_id", "line", sqlite_where=_IN_A_RUN, postgresql_where=_IN_A_RUN),
    # What is not judged is unsealed. (SQLAlchemy writes `judged = 0` on SQLite, `NOT judged` on PostgreSQL.)
    Index(
        "ix_entries_unjudged",
        "export_id",
        sqlite_where=text("judged = 0"),
        postgresql_where=text("NOT judged"),
    ),
)

run_requests = Table(
    "run_requests",
    metadata,
    Column("request_id", _Number, primary_key=True),
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
    # Closed, and what its attempts left at the destination has been removed.
    Column("swept", Boolean, nullable=False, server_default=false()),
    Column("sealed_at", Instant),  # when sealing it was last done: a million rows take minutes
    Column("finished_at", Instant),
    Index("ix_runs_export", "export_id", "started_at"),
    Index("ix_runs_open", "state", "next_attempt_at"),
    # Closed runs that nobody has swept after: a handful, whatever the history.
    Index(
        "ix_runs_unswept",
        "export_id",
        "finished_at",
        sqlite_where=text(f"swept = 0 AND {_HAD_A_FILE}"),
        postgresql_where=text(f"NOT swept AND {_HAD_A_FILE}"),
    ),
    Index("ix_runs_fileless", "finished_at", sqlite_where=_FILELESS, postgresql_where=_FILELESS),
    # At most one open run a definition.
    Index(
        "ux_runs_one_open",
        "export_id",
        unique=True,
        sqlite_where=text("finished_at IS NULL"),
        postgresql_where=text("finished_at IS NULL"),
    ),
)

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

commands = Table(
    "commands",
    metadata,
    # A hash of source and id (`CommandKey.hash`): both together may be too long for an index.
    Column("key", String(64), primary_key=True),
    Column("source", Text, nullable=False),
    Column("command_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("reply_to", Text),
    Column("correlation_id", Text),
    Index("ix_commands_received", "received_at"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("outbox_id", _Number, primary_key=True),
    Column("outcome_id", String(32), nullable=False),
    Column("type", String(32), nullable=False),
    Column("body", Text, nullable=False),
    Column("command_key", String(64)),
    Column("command_source", Text),
    Column("command_id", Text),
    Column("reply_to", Text),
    Column("correlation_id", Text),
    Column("created_at", Instant, nullable=False),
    Column("claimed_until", Instant),
    Column("published_at", Instant),
    Index("ix_outbox_unpublished", "published_at", "outbox_id"),
    Index("ix_outbox_command", "command_key"),
)

# Answers to commands that are still to go to the queue that the command named: apart from the outcome itself, which
# does not wait for them. A row ends once its queue has it, is gone, or has been given up.
replies = Table(
    "replies",
    metadata,
    Column("outbox_id", _Number, primary_key=True, autoincrement=False),
    Column("queue_key", String(64), nullable=False),  # a hash of its name, which a stranger chose
    Column("tries", Integer, nullable=False),  # how often the broker has refused it
    Column("due_at", Instant, nullable=False),  # in hand, or to be tried again, until then
    Index("ix_replies_queue", "queue_key", "outbox_id"),
)

consumers = Table(
    "consumers",
    metadata,
    Column("token", String(32), primary_key=True),
    Column("worker", Text, nullable=False),
    Column("heartbeat_at", Instant, nullable=False),
    Column("drained_barrier", BigInteger, nullable=False),
    Column("in_hand", Integer, nullable=False),  # events received and not acknowledged, at the last heartbeat
)

flushers = Table(
    "flushers",
    metadata,
    Column("worker", String(300), primary_key=True),
    Column("heartbeat_at", Instant, nullable=False),
)

actions = Table(
    "actions",
    metadata,
    Column("action_id", _Number, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("who", Text, nullable=False),
    Column("action", String(32), nullable=False),
    Column("export_id", String(KEY)),
    Column("run_id", String(32)),
    Column("reason", Text),
    Index("ix_actions_export", "export_id", "at"),
)

decisions = Table(
    "decisions",
    metadata,
    Column("decision_id", _Number, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("who", Text, nullable=False),
    Column("decision", String(16), nullable=False),  # release | dismiss
    Column("reason", Text, nullable=False),
    Column("export_id", String(KEY), nullable=False),
    Column("district_id", String(ID), nullable=False),
    Column("tardy_id", String(ID), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("was", Text),  # why the entry was held or refused
    Index("ix_decisions_tardy", "district_id", "tardy_id"),
)

quiet_days = Table(
    "quiet_days",
    metadata,
    Column("export_id", String(KEY), primary_key=True),
    Column("day", Date, primary_key=True),  # local, of the schedule's zone: in session, and no tardy at all
    Column("noticed_at", Instant, nullable=False),
)

asides = Table(
    "asides",
    metadata,
    Column("version", String(32), primary_key=True),  # of the program whose workers pass it over
    Column("kind", String(16), primary_key=True),  # export | outcome | task
    Column("thing", String(128), primary_key=True),
    Column("step", String(32), nullable=False),
    Column("reference", String(32), nullable=False),
    Column("error", Text, nullable=False),  # its class; of what this version cannot read, what that is
    Column("since", Instant, nullable=False),
    Column("times", Integer, nullable=False),
    Column("again_at", Instant, nullable=False),
)

ENTRY_STATES = (
    "buffered",
    "held",
    "sealed",
    "delivered",
    "refused",
    "cancelled",
    "superseded",
    "ignored",
    "dismissed",
    "collapsed",
    "not_required",
)
UNSEALED = ("buffered", "held")
