"""`python -m tests.bench.plain`: the opponent, a consumer as one writes it with kombu, marshmallow and SQLAlchemy.

It does the same work into the same tables with the same durability: batches of 500 in one transaction, then
one acknowledgement for all. Each library is used as its manual shows it. It may do less than ours (no retries,
no metrics, no heartbeat in the database, no run-now, definitions read once): whatever it leaves out is to its
advantage.
"""

# kombu has no types
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import hashlib
import json
import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from kombu.connection import Connection
from kombu.entity import Queue
from kombu.message import Message
from kombu.messaging import Consumer, Producer
from marshmallow import INCLUDE, Schema, ValidationError, fields, validate
from sqlalchemy import Engine, bindparam, create_engine, select, update
from sqlalchemy.dialects.postgresql import insert

from worker.store.database.tables import (
    UNSEALED,
    definition_revisions,
    definitions,
    entries,
    reference_versions,
    tardies,
    tardy_versions,
)

BATCH = 500
PREFETCH = 2000
LINGER = 0.02
MAX_BODY = 256 * 1024
LARGEST = 2**53 - 1


# validating


def _scalar(value: object) -> None:
    if isinstance(value, str) and len(value) > 1000:
        raise ValidationError("must have at most 1000 characters")
    if not isinstance(value, (str, int, float, bool, type(None))):
        raise ValidationError("must be text, a number, true, false or null")


class StudentSchema(Schema):
    id = fields.String(required=True, validate=validate.Length(1, 256))
    local_id = fields.String(validate=validate.Length(0, 256))
    state_id = fields.String(validate=validate.Length(0, 256))
    first_name = fields.String(validate=validate.Length(0, 256))
    last_name = fields.String(validate=validate.Length(0, 256))
    grade = fields.String(validate=validate.Length(0, 256))


class StaffSchema(Schema):
    id = fields.String(validate=validate.Length(0, 256))
    name = fields.String(validate=validate.Length(0, 256))


class VoidSchema(Schema):
    tardy_id = fields.String(required=True, validate=validate.Length(1, 64))
    version = fields.Integer(strict=True, required=True, validate=validate.Range(1, LARGEST))
    school_id = fields.String(required=True, validate=validate.Length(1, 64))
    district_id = fields.String(load_default="default", validate=validate.Length(1, 64))
    occurred_at = fields.AwareDateTime(format="iso")
    behavior_code = fields.String(validate=validate.Length(1, 64))
    student = fields.Nested(StudentSchema)
    recorded_at = fields.AwareDateTime(format="iso")
    period = fields.String(allow_none=True, validate=validate.Length(1, 64))
    minutes_late = fields.Integer(strict=True, allow_none=True, validate=validate.Range(0, 1440))
    staff = fields.Nested(StaffSchema, allow_none=True)
    comment = fields.String(validate=validate.Length(0, 1000))
    attributes = fields.Dict(
        keys=fields.String(validate=validate.Length(1, 128)),
        values=fields.Raw(allow_none=True, validate=_scalar),
    )


class TardySchema(VoidSchema):
    occurred_at = fields.AwareDateTime(format="iso", required=True)
    behavior_code = fields.String(required=True, validate=validate.Length(1, 64))
    student = fields.Nested(StudentSchema, required=True)


SCHEMAS = {"tardy.recorded": TardySchema(), "tardy.amended": TardySchema(), "tardy.voided": VoidSchema()}


class EnvelopeSchema(Schema):
    class Meta:
        unknown = INCLUDE

    specversion = fields.String(required=True, validate=validate.Equal("1.0"))
    id = fields.String(required=True, validate=validate.Length(1, 512))
    source = fields.String(required=True, validate=validate.Length(1, 512))
    type = fields.String(required=True, validate=validate.OneOf(list(SCHEMAS)))
    time = fields.AwareDateTime(format="iso")
    data = fields.Raw(required=True)


ENVELOPE = EnvelopeSchema()


@dataclass
class Event:
    """A tardy message as it was read."""

    envelope: dict[str, Any]
    tardy: dict[str, Any]

    @property
    def voided(self) -> bool:
        return bool(self.envelope["type"] == "tardy.voided")


def read(message: Message) -> Event:
    """The event in a message. Raises ValidationError or ValueError."""
    if len(message.body) > MAX_BODY:
        raise ValueError("the body is too long")
    body = message.body.decode() if isinstance(message.body, bytes) else message.body
    if "\\u0000" in body:
        raise ValueError("PostgreSQL takes no NUL")
    envelope = ENVELOPE.load(json.loads(body))
    return Event(envelope, SCHEMAS[envelope["type"]].load(envelope["data"]))


# storing


class Matcher:
    """Which definitions a tardy belongs to."""

    def __init__(self, engine: Engine) -> None:
        with engine.connect() as connection:
            joined = definitions.join(
                definition_revisions,
                (definition_revisions.c.export_id == definitions.c.export_id)
                & (definition_revisions.c.revision == definitions.c.revision),
            )
            wanted = select(
                definitions.c.export_id,
                definitions.c.district_id,
                definitions.c.backfill_from,
                definition_revisions.c.document,
            )
            active = wanted.select_from(joined).where(definitions.c.state == "active")
            self._definitions = list(connection.execute(active))
            schools = select(reference_versions).where(reference_versions.c.kind == "school")
            found = connection.execute(schools.order_by(reference_versions.c.version))
            self._zones = {
                (row.district_id, row.school_id): ZoneInfo(json.loads(row.document)["time_zone"])
                for row in found
            }

    def matches(self, tardy: dict[str, Any]) -> Iterator[str]:
        """The exports that the tardy belongs to."""
        for export_id, district_id, first_day, document in self._definitions:
            schools, codes = document["schools"], document["codes"]
            if (
                tardy["district_id"] == district_id
                and (schools == "all" or tardy["school_id"] in schools)
                and (codes == "all" or tardy["behavior_code"] in codes)
                and self._day(tardy, document["schedule"]["time_zone"]) >= first_day
            ):
                yield export_id

    def _day(self, tardy: dict[str, Any], default: str) -> date:
        zone = self._zones.get((tardy["district_id"], tardy["school_id"])) or ZoneInfo(default)
        day: date = tardy["occurred_at"].astimezone(zone).date()
        return day


ADD_VERSION = insert(tardy_versions).on_conflict_do_nothing()
_head = insert(tardies)
_moved = ("version", "voided", "school_id", "behavior_code", "occurred_at", "student_id")
MOVE_HEAD = _head.on_conflict_do_update(
    index_elements=["district_id", "tardy_id"],
    set_={**{name: _head.excluded[name] for name in _moved}, "changes": tardies.c.changes + 1},
    where=_head.excluded.version > tardies.c.version,
)
ADD_ENTRY = insert(entries).on_conflict_do_nothing()
SUPERSEDE = (
    update(entries)
    .where(
        entries.c.district_id == bindparam("of_district"),
        entries.c.tardy_id == bindparam("of_tardy"),
        entries.c.version < bindparam("by_version"),
        entries.c.state.in_(UNSEALED),
    )
    .values(state="superseded", judged=True)
)


class Store:
    """Puts batches into the database."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url)
        self._matcher = Matcher(self._engine)

    def put(self, events: Sequence[Event]) -> None:
        """Stores them in one transaction: versions, heads, entries."""
        now = datetime.now(UTC)
        exports = [(event, export_id) for event in events for export_id in self._exports(event)]
        corrections = [_correction(event) for event in events if event.tardy["version"] > 1]
        with self._engine.begin() as connection:
            connection.execute(ADD_VERSION, [version_row(event, now) for event in events])
            connection.execute(MOVE_HEAD, [_head_row(event, now) for event in events])
            if exports:
                rows = [_entry_row(event, export_id, now) for event, export_id in exports]
                connection.execute(ADD_ENTRY, rows)
            if corrections:
                connection.execute(SUPERSEDE, corrections)

    def _exports(self, event: Event) -> Iterator[str]:
        return iter(()) if event.voided else self._matcher.matches(event.tardy)


def version_row(event: Event, now: datetime) -> dict[str, Any]:
    """The row of `tardy_versions`."""
    tardy = event.tardy
    data = {name: value for name, value in event.envelope["data"].items() if value is not None}
    moments = {name: _utc(tardy[name]) for name in ("occurred_at", "recorded_at") if name in data}
    document = json.dumps({**data, **moments, "district_id": tardy["district_id"]}, sort_keys=True)
    return {
        "district_id": tardy["district_id"],
        "tardy_id": tardy["tardy_id"],
        "version": tardy["version"],
        "type": event.envelope["type"],
        "document": document,
        "content_hash": hashlib.sha256(document.encode()).hexdigest(),
        "message_id": event.envelope["id"],
        "source": event.envelope["source"],
        "traceparent": event.envelope.get("traceparent"),
        "received_at": now,
    }


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def _head_row(event: Event, now: datetime) -> dict[str, Any]:
    tardy = event.tardy
    return {
        "district_id": tardy["district_id"],
        "tardy_id": tardy["tardy_id"],
        "version": tardy["version"],
        "voided": event.voided,
        "school_id": tardy["school_id"],
        "behavior_code": tardy.get("behavior_code"),
        "occurred_at": tardy.get("occurred_at"),
        "student_id": tardy.get("student", {}).get("id"),
        "changes": 0,
        "first_received_at": now,
    }


def _entry_row(event: Event, export_id: str, now: datetime) -> dict[str, Any]:
    return {
        "export_id": export_id,
        "district_id": event.tardy["district_id"],
        "tardy_id": event.tardy["tardy_id"],
        "version": event.tardy["version"],
        "ordinal": 0,
        "state": "buffered",
        "sort_at": event.tardy["occurred_at"],
        "judged": False,
        "buffered_at": now,
    }


def _correction(event: Event) -> dict[str, Any]:
    tardy = event.tardy
    return {
        "of_district": tardy["district_id"],
        "of_tardy": tardy["tardy_id"],
        "by_version": tardy["version"],
    }


# consuming


class Program:
    """One connection to the broker, one to the database, one thread."""

    def __init__(self, broker_url: str, database_url: str) -> None:
        self._connection = Connection(broker_url, heartbeat=30, transport_options={"confirm_publish": True})
        self._store = Store(database_url)
        self._arrived: list[Message] = []
        self._stopping = False

    def stop(self, *_: object) -> None:
        """Ends `run` after the batch in hand."""
        self._stopping = True

    def run(self) -> None:
        """Consumes until `stop` is called."""
        queue = Queue("writeback.events", no_declare=True)
        with self._connection, self._connection.channel() as channel:
            producer = Producer(self._connection.channel())
            with Consumer(channel, [queue], prefetch_count=PREFETCH, on_message=self._arrived.append):
                while not self._stopping:
                    self._gather()
                    batch, self._arrived[:] = self._arrived[:BATCH], self._arrived[BATCH:]
                    if batch:
                        self._handle(batch, producer)
                    self._connection.heartbeat_check()

    def _gather(self) -> None:
        while len(self._arrived) < BATCH and not self._stopping:
            try:
                self._connection.drain_events(timeout=LINGER)
            except TimeoutError:
                return

    def _handle(self, batch: Sequence[Message], producer: Producer) -> None:
        events = []
        for message in batch:
            try:
                events.append(read(message))
            except (ValidationError, ValueError) as error:
                reason = {"x-writeback-reason": type(error).__name__}
                producer.publish(message.body, exchange="writeback.rejected", headers=reason)
        if events:
            self._store.put(events)
        batch[-1].ack(multiple=True)


def main() -> None:
    """Consumes until SIGTERM."""
    program = Program(os.environ["BROKER_URL"], os.environ["DATABASE_URL"])
    signal.signal(signal.SIGTERM, program.stop)
    program.run()


if __name__ == "__main__":
    main()
