"""A database of a whole country's size, made by the server itself: 50,000 definitions of 13,000 districts, their
runs, trails and buffers, on a bad morning: the vendor of many SISs has been silent for half an hour."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from sqlalchemy.engine import make_url

from tests.builders import definition, save
from tests.program import SteppedProgram
from worker.clock import system_clock

DEFINITIONS = 50_000
DISTRICTS = 13_000
_SILENT = 5_000  # continuous exports whose rows have waited too long
_SEEDS = {
    "seed-daily": {"frequency": "daily", "at": ["15:10"], "time_zone": "America/Chicago"},
    "seed-continuous": {"frequency": "continuous", "linger_seconds": 5, "time_zone": "America/Chicago"},
}
# One in five is continuous. Each copy is its seed under another name, in another district.
_COPIES = """
CREATE TEMPORARY TABLE copies AS
SELECT n, 'export-' || n AS export_id, 'district-' || n % {districts} AS district_id,
       CASE WHEN n % 5 = 0 THEN 'seed-continuous' ELSE 'seed-daily' END AS seed
FROM generate_series(1, {definitions}) AS n"""
_REVISIONS = """
INSERT INTO definition_revisions (export_id, revision, document, saved_at, saved_by, reason)
SELECT c.export_id, r.revision,
       (r.document::jsonb || jsonb_build_object('export_id', c.export_id, 'district_id', c.district_id))::json,
       r.saved_at, r.saved_by, r.reason
FROM copies AS c JOIN definition_revisions AS r ON r.export_id = c.seed"""
_STATEMENTS = (
    """
INSERT INTO runs (run_id, export_id, revision, trigger, due_at, state, sequence, file_name, rows, refused_rows,
                  held_rows, attempts, started_at, finished_at, swept)
SELECT md5(c.export_id || day), c.export_id, 1, 'schedule', now() - day * interval '1 day', 'delivered', day,
       'file', 10, 0, 0, 1, now() - day * interval '1 day', now() - day * interval '1 day', true
FROM copies AS c, generate_series(1, 3) AS day""",
    # What a vendor's silence leaves: a run of each that waits for its next attempt.
    """
INSERT INTO runs (run_id, export_id, revision, trigger, due_at, state, sequence, rows, refused_rows, held_rows,
                  attempts, next_attempt_at, started_at, swept)
SELECT md5(c.export_id || 'open'), c.export_id, 1, 'schedule', now() - interval '40 minutes', 'waiting', 4, 10, 0, 0,
       3, now() + interval '10 minutes', now() - interval '40 minutes', false
FROM copies AS c WHERE n % 5 = 1 AND n <= 5 * {silent}""",
    """
INSERT INTO entry_rows (tardy, export, version, ordinal, state, judged, sort_at, buffered_at, settled_at)
SELECT d.export * 100::bigint + number, d.export, 1, 0,
       CASE WHEN number > 5 THEN 'delivered' WHEN number = 5 THEN 'held' ELSE 'buffered' END, true,
       now() - interval '30 minutes', now() - interval '30 minutes', now()
FROM copies AS c JOIN definitions AS d ON d.export_id = c.export_id, generate_series(1, 20) AS number
WHERE n % 5 <> 0 OR n <= 5 * {silent}""",
    """
INSERT INTO actions (at, who, action, export_id)
SELECT now() - number * interval '1 day', 'a person', 'save', c.export_id
FROM copies AS c, generate_series(1, 10) AS number""",
    """
INSERT INTO quiet_days (export_id, day, noticed_at)
SELECT c.export_id, (now() - number * interval '30 days')::date, now() - number * interval '30 days'
FROM copies AS c, generate_series(1, 4) AS number""",
)


def furnish_nation(database_url: str) -> None:
    """Fills a database that has the program's tables."""
    columns = _save_seeds(database_url)
    url = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        connection.execute(_COPIES.format(definitions=DEFINITIONS, districts=DISTRICTS).encode())
        connection.execute(_definitions(columns).encode())
        connection.execute(_REVISIONS.encode())
        for statement in _STATEMENTS:
            connection.execute(statement.format(silent=_SILENT).encode())
        connection.execute(b"DELETE FROM definitions WHERE export_id LIKE 'seed-%'")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(b"VACUUM ANALYZE")


def _definitions(columns: list[str]) -> str:
    own = ("export", "export_id", "district_id", "last_delivered_at", "next_due_at")
    kept = ", ".join(column for column in columns if column not in own)
    return f"""
INSERT INTO definitions (export_id, district_id, last_delivered_at, next_due_at, {kept})
SELECT c.export_id, c.district_id, now() - interval '1 day',
       CASE WHEN s.frequency = 'daily' THEN now() + interval '3 hours' END, {kept}
FROM copies AS c JOIN (SELECT export_id AS seed, {kept}, next_due_at FROM definitions) AS s USING (seed)"""


def _save_seeds(database_url: str) -> list[str]:
    with TemporaryDirectory() as home:
        program = SteppedProgram(database_url, Path(home), system_clock())
        for name, schedule in _SEEDS.items():
            answer = program.command(save(definition(name, schedule=schedule)))
            assert answer is not None and answer.refused is None, answer
        with program.database.read() as connection:
            columns = list(connection.exec_driver_sql("SELECT * FROM definitions").keys())
        program.database.close()
    return columns
