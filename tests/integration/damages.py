"""A history with a bit of everything, and every kind of damage that may be done to the database it leaves."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, insert, select, text

from tests.builders import code, command, definition, save, school, tardy, void
from tests.program import SteppedProgram
from worker.store.database.tables import metadata
from worker.store.runs import starting

WITH_ACTION = [{"field": "tardy_id"}, {"field": "version"}, {"field": "action"}, {"field": "comment"}]
LATE = "2026-10-06T23:30:00-05:00"  # the next day already in UTC


def run_now(program: SteppedProgram, *export_ids: str) -> None:
    for export_id in export_ids:
        program.command(command("export.run_now", {"export_id": export_id}))
    program.work()


def live(program: SteppedProgram) -> None:
    """A history with a bit of everything.

    daily holds corrections: a, b and c delivered, a corrected twice since, b voided, d buffered, late held.
    sending sends them: two runs, the first one sent once more. broken has an open run that failed. deleted was
    retired after a delivery. west is another district's, with a tardy of the same id.
    """
    program.command(save(definition()))
    program.command(save(definition("sending", corrections="send", fields=WITH_ACTION)))
    program.command(
        save(definition("broken", codes=["OTHER"], destination={"type": "directory", "path": "/nowhere/x"}))
    )
    program.command(save(definition("deleted")))
    program.command(save(definition("west", district_id="west")))
    program.receive(school(), code())
    program.receive(tardy("a"), tardy("b"), tardy("c"), void("never"), tardy("o", behavior_code="OTHER"))
    program.receive(tardy("a", district_id="west"), tardy("elsewhere", school_id="0077"))
    run_now(program, "daily", "sending", "broken", "deleted", "west")
    program.command(command("export.delete", {"export_id": "deleted"}))
    program.receive(tardy("a", 2, comment="later"), void("b"))
    run_now(program, "sending")
    program.pass_time(hours=2)
    program.receive(tardy("a", 3, comment="later still"), tardy("a", 2, comment="later"))
    program.receive(tardy("d"), tardy("late", occurred_at=LATE), tardy("moved"))
    program.receive(tardy("moved", 2, school_id="0077"))
    resend(program, "sending")
    program.command(save(definition(codes=["TARDY"], name="Narrower")))
    program.tick()


def resend(program: SteppedProgram, export_id: str) -> None:
    with program.database.write() as connection:
        first = min(program.runs(export_id), key=lambda run: run["sequence"])
        starting.resend(connection, first, who="tests", reason="lost", now=program.now)
    for name in program.files():
        (program.home / "outbox" / name).unlink()  # the SIS has collected them
    program.work()


def damage(program: SteppedProgram, *statements: str) -> None:
    with program.database.write() as connection:
        for statement in statements:
            connection.execute(text(statement))


def of(tardy_id: str, export_id: str = "daily", version: int = 1) -> str:
    """SQL: one entry."""
    tardy = f"tardy IN (SELECT tardy FROM tardies WHERE tardy_id = '{tardy_id}')"
    return f"{of_export(export_id)} AND {tardy} AND version = {version}"


def of_export(export_id: str) -> str:
    """SQL: an export's entries."""
    return f"export = (SELECT export FROM definitions WHERE export_id = '{export_id}')"


def copy_of(where: str, line: str) -> str:
    """SQL: the same entry once more, on this line of its run."""
    same = "export, tardy, version, state, run_id, row_values, action, judged, buffered_at"
    return f"INSERT INTO entry_rows ({same}, ordinal, line) SELECT {same}, 1, {line} FROM entry_rows WHERE {where}"


WESTERN = "(SELECT max(tardy) FROM tardies WHERE district_id = 'west')"
FIRST_RUN = "sequence = 1 AND resend_of IS NULL AND export_id ="
DAMAGES = [
    (
        "a delivered entry is deleted",
        f"DELETE FROM entry_rows WHERE {of('c')}",
        {"entry-missing", "day-unbalanced", "run-rows", "run-lines", "run-file"},
    ),
    (
        "an older delivered entry is deleted",
        f"DELETE FROM entry_rows WHERE {of('b')}",
        {"run-rows", "run-lines", "run-file"},
    ),
    (
        "a buffered entry is deleted",
        f"DELETE FROM entry_rows WHERE {of('d')}",
        {"entry-missing", "day-unbalanced"},
    ),
    ("a void reached no entry", f"DELETE FROM entry_rows WHERE {of('b', version=2)}", {"correction-missing"}),
    (
        "a version in between has none",
        f"DELETE FROM entry_rows WHERE {of('a', version=2)}",
        {"correction-missing"},
    ),
    (
        "a value in a row is another",
        f"""UPDATE entry_rows SET row_values = '["c",1,"x"]' WHERE {of("c")}""",
        {"run-file"},
    ),
    ("a row is no row", f"UPDATE entry_rows SET row_values = '[\"c\"]' WHERE {of('c')}", {"run-file"}),
    (
        "a receipt's SHA-256 is another",
        f"UPDATE runs SET sha256 = 'ab' WHERE {FIRST_RUN} 'daily'",
        {"run-file"},
    ),
    ("a receipt's size is another", f"UPDATE runs SET bytes = 1 WHERE {FIRST_RUN} 'daily'", {"run-file"}),
    ("a receipt is gone", f"UPDATE runs SET sha256 = NULL WHERE {FIRST_RUN} 'daily'", {"run-file"}),
    (
        "the pinned revision is gone",
        "DELETE FROM definition_revisions WHERE export_id = 'daily' AND revision = 1",
        {"run-file"},
    ),
    ("a delivered run's count is wrong", f"UPDATE runs SET rows = 9 WHERE {FIRST_RUN} 'daily'", {"run-rows"}),
    ("an open run's count is wrong", "UPDATE runs SET rows = 9 WHERE export_id = 'broken'", {"run-rows"}),
    (
        "refused rows are not there",
        f"UPDATE runs SET refused_rows = 1 WHERE {FIRST_RUN} 'daily'",
        {"run-rows"},
    ),
    ("the lines have a gap", f"UPDATE entry_rows SET line = 9 WHERE {of('o')}", {"run-lines"}),
    (
        "a sealed entry is in no run",
        f"UPDATE entry_rows SET run_id = NULL WHERE {of_export('broken')}",
        {"entry-without-run", "run-rows"},
    ),
    ("an open run is gone", "DELETE FROM runs WHERE export_id = 'broken'", {"entry-without-run"}),
    (
        "a sealed entry's run has ended",
        "UPDATE runs SET state = 'abandoned', finished_at = started_at WHERE export_id = 'broken'",
        {"entry-without-run"},
    ),
    (
        "a delivered entry's run was abandoned",
        f"UPDATE runs SET state = 'abandoned' WHERE {FIRST_RUN} 'daily'",
        {"entry-without-run"},
    ),
    (
        "an entry is in another export's run",
        f"UPDATE entry_rows SET run_id = (SELECT run_id FROM runs WHERE {FIRST_RUN} 'west') WHERE {of('o')}",
        {"entry-without-run", "run-rows", "run-lines", "run-file"},
    ),
    (
        "a delivered entry is there twice",
        copy_of(of("c"), "line"),
        {"sent-twice", "run-rows", "run-lines", "run-file"},
    ),
    ("a buffered entry is there twice", copy_of(of("d"), "NULL"), {"waits-twice"}),
    (
        "an older version waits as well",
        f"UPDATE entry_rows SET state = 'buffered' WHERE {of('a', version=2)}",
        {"waits-twice"},
    ),
    ("a tardy was voided unsent", f"UPDATE entry_rows SET action = 'void' WHERE {of('c')}", {"sent-twice"}),
    (
        "a tardy was added twice",
        f"UPDATE entry_rows SET action = 'add' WHERE {of('a', 'sending', 2)}",
        {"sent-twice"},
    ),
    (
        "a later version went in an earlier run",
        "UPDATE runs SET sequence = 3 - sequence WHERE export_id = 'sending' AND resend_of IS NULL",
        {"out-of-order", "resend-differs"},
    ),
    (
        "two files have one number",
        "UPDATE runs SET sequence = 1 WHERE export_id = 'sending'",
        {"number-twice"},
    ),
    (
        "a number is to be used again",
        "UPDATE definitions SET next_sequence = 1 WHERE export_id = 'daily'",
        {"number-twice"},
    ),
    (
        "a resend is of another file",
        "UPDATE runs SET sha256 = 'ab' WHERE resend_of IS NOT NULL",
        {"resend-differs"},
    ),
    (
        "a resend is of no file",
        "UPDATE runs SET resend_of = 'none' WHERE resend_of IS NOT NULL",
        {"resend-differs"},
    ),
    (
        "a state is none",
        f"UPDATE entry_rows SET state = 'lost' WHERE {of('d')}",
        {"state-unknown", "day-unbalanced"},
    ),
    (
        "a version never arrived",
        "DELETE FROM tardy_versions WHERE tardy_id = 'd'",
        {"entry-without-version", "newest-version-wrong"},
    ),
    (
        "a tardy is gone",
        "DELETE FROM tardies WHERE tardy_id = 'd'",
        {"entry-without-version", "newest-version-wrong", "day-unbalanced"},
    ),
    (
        "a tardy fell behind its versions",
        "UPDATE tardies SET version = 2 WHERE tardy_id = 'a' AND district_id = 'default'",
        {"newest-version-wrong"},
    ),
    (
        "an entry is of no definition",
        f"UPDATE entry_rows SET export = 999 WHERE {of('d')}",
        {"definition-missing", "entry-missing", "day-unbalanced"},
    ),
    (
        "an entry is of another district",
        f"UPDATE entry_rows SET tardy = {WESTERN} WHERE {of('a', version=3)}",
        {"definition-missing", "entry-missing", "entry-without-version"},
    ),
]


Dump = dict[str, list[dict[str, Any]]]


def dump(program: SteppedProgram) -> Dump:
    """Every row of every table."""
    with program.database.read() as connection:
        return {
            table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
            for table in metadata.sorted_tables
        }


def restore(program: SteppedProgram, whole: Dump) -> None:
    """Every table as it was."""
    with program.database.write() as connection:
        for table in metadata.sorted_tables:
            connection.execute(delete(table))
            if whole[table.name]:
                connection.execute(insert(table), whole[table.name])
