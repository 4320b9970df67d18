"""Whatever is typed or configured wrong ends with the contract's exit status and one clear line; nothing changes."""

from __future__ import annotations

import json

import pytest

from tests.builders import definition, tardy
from tests.unit.cli.workplace import Workplace
from worker.cli.operations.run_command import ROLES as TYPED_ROLES
from worker.service import ROLES

EVENT = "EVENT.json"  # stands for a file with a tardy
USAGE = [
    ("exprts list", "No such command 'exprts'"),
    ("exports lst", "No such command 'lst'"),
    ("--nonsense", "No such option"),
    ("exports list --nonsense", "No such option"),
    ("exports list more", "unexpected extra argument"),
    ("exports apply", "Missing argument 'FILE…'"),
    ("exports show", "Missing argument 'ID'"),
    ("exports show --yaml --json daily", "give one of --yaml and --json"),
    ("exports preview daily --rows -1", "-1 is not in the range"),
    ("exports preview daily --rows some", "'some' is not a valid integer"),
    ("exports run-now daily --wait soon", "'soon' is not a valid float"),
    ("exports pause daily --reason=", "must not be empty"),
    ("exports pause daily --reason " + "x" * 501, "more than 500 characters"),
    ("exports run-now daily --wait nan", "--wait takes a number of seconds"),
    ("runs list --limit 0", "0 is not in the range"),
    ("runs list --state lost", "'lost' is not one of"),
    ("runs show", "Missing argument 'RUN'"),
    ("runs resend 12", "Missing option '--reason'"),
    ("runs approve 12", "Missing option '--reason'"),
    ("trace", "give a TARDY_ID or --student LOCAL_ID"),
    ("trace t-1 --student L-1", "give a TARDY_ID or --student LOCAL_ID"),
    ("held release --reason agreed", "Missing argument 'ID…'"),
    ("held release daily/t-1", "Missing option '--reason'"),
    ("held dismiss daily/t-1", "Missing option '--reason'"),
    ("exports explain daily", "Missing argument 'EVENT.json'"),
    ("publish", "Missing argument 'FILE'"),
    ("rejected replay", "say which"),
    ("rejected replay abc --all", "say which"),
    ("rejected replay --all --code invalid", "say which"),
    ("rejected drop", "say which"),
    ("rejected drop abc --all", "say which"),
    ("run console", "this version has no console yet"),
    ("run cook", "no role 'cook'; the roles are consumer and flusher"),
]

CONFIGURATION = [
    ("BROKER_URL", "redis://somewhere", "amqp://… or amqps://… is"),
    ("BROKER_URL", "rabbit", "amqp://… or amqps://… is"),
    ("BROKER_URL", "amqp://host:99999//", "BROKER_URL"),
    ("BROKER_URL", "amqp://host//?speed=9", "unknown option 'speed'"),
    ("DATABASE_URL", "nonsense", "not a database URL"),
    ("DATABASE_URL", "mysql://somewhere/base", "'mysql' is not accepted"),
    ("DATABASE_URL", "sqlite://", "in memory is not accepted"),
    ("WRITEBACK_SECRETS_DIR", "/nowhere/at/all", "is not a folder"),
    ("WRITEBACK_OPS_ADDRESS", "here", "HOST:PORT is"),
    ("WRITEBACK_CONSOLE_ADDRESS", "localhost:99999", "HOST:PORT is"),
    ("WRITEBACK_BATCH_SIZE", "0", "a whole number from 1 to 10000 is"),
    ("WRITEBACK_LINGER_MS", "soon", "a whole number from 0 to 60000 is"),
    ("WRITEBACK_LOG_FORMAT", "xml", "one of console, json is"),
    ("WRITEBACK_LOG_LEVEL", "loud", "one of debug, info, warning, error is"),
    ("WRITEBACK_HOME", __file__, "is not a folder"),
]

FAILURES = [
    ("exports show nothing", "no export 'nothing'"),
    ("exports preview nothing", "no export 'nothing'"),
    ("exports run-now nothing", "no export 'nothing'"),
    ("exports pause nothing --reason upgrade", "no export 'nothing'"),
    ("exports resume nothing", "no export 'nothing'"),
    ("exports retry nothing", "no export 'nothing'"),
    ("exports retry daily", "has no run that waits or has failed"),
    ("exports delete nothing", "no export 'nothing'"),
    ("exports delete No_Such_Id", "export_id: must be 1 to 63 of a-z, 0-9 and -"),
    ("runs list --export nothing", "no export 'nothing'"),
    ("held list --export nothing", "no export 'nothing'"),
    ("runs show 0123", "no run '0123'"),
    ("runs show %", "no run '%'"),
    ("runs resend 0123 --reason lost", "no run '0123'"),
    ("runs abandon 0123", "no run '0123'"),
    ("runs approve 0123 --reason agreed", "no run '0123'"),
    ("held release nothing --reason agreed", "nothing: nothing of that name is held"),
    ("held dismiss daily/t-1 --reason agreed", "daily/t-1: nothing of that name is held"),
    ("exports explain nothing nowhere.json", "nowhere.json: it cannot be read: No such file"),
    (f"exports explain nothing {EVENT}", "no export 'nothing'"),
    ("trace --student L-none", "no tardy of a student with this local_id has been buffered, or"),
    ("trace --student L-t-1 --district north", "has been buffered in district 'north'"),
    ("trace nothing", "no tardy 'nothing' has been buffered"),
    ("trace t-1 --district elsewhere", "no tardy 't-1' of district 'elsewhere'"),
    ("rejected show 0123", "not parked: 0123"),
    ("rejected replay 0123", "not parked: 0123"),
    ("rejected drop 0123 --yes", "not parked: 0123"),
    ("publish nowhere.jsonl", "nowhere.jsonl: it cannot be read: No such file"),
]


@pytest.mark.parametrize(("typed", "said"), USAGE, ids=[typed[:40] for typed, _ in USAGE])
def test_wrong_usage_is_status_2_and_one_line_and_not_even_a_folder_is_made(
    place: Workplace, typed: str, said: str
) -> None:
    ended = place.run(*typed.split(" "))
    assert (ended.status, ended.out, len(ended.errors)) == (2, "", 1), ended
    assert ended.err.startswith("writeback: ")
    assert said in ended.err
    assert "--help`" in ended.err
    assert not place.home.exists()


@pytest.mark.parametrize(("name", "value", "said"), CONFIGURATION)
def test_a_wrong_environment_is_status_78_and_one_line_that_names_the_variable(
    place: Workplace, name: str, value: str, said: str
) -> None:
    for command in (["exports", "list"], ["run"], ["publish", "-"], ["exports", "fields"]):
        ended = place.run(*command, **{name: value})
        assert (ended.status, ended.out, len(ended.errors)) == (78, "", 1), ended
        assert ended.err.startswith(f"writeback: {name}")
        assert said in ended.err
    assert not place.home.exists()


def test_a_folder_that_cannot_be_made_is_wrong_configuration(place: Workplace) -> None:
    for command in (["status"], ["db", "upgrade"], ["run"]):
        ended = place.run(*command, WRITEBACK_HOME=f"{__file__}/home")
        assert ended.status == 78
        [line] = ended.errors
        assert line.startswith("writeback: WRITEBACK_HOME: ")


@pytest.mark.parametrize(("typed", "said"), FAILURES)
def test_what_cannot_be_done_is_status_1_and_one_line_and_no_definition_run_or_entry_changes(
    place: Workplace, typed: str, said: str
) -> None:
    place.apply(definition())
    place.receive(tardy())
    before = place.rows()
    event = place.file(EVENT, json.dumps(tardy("t-2")))
    ended = place.run(*(event if word == EVENT else word for word in typed.split(" ")))
    assert (ended.status, ended.out, len(ended.errors)) == (1, "", 1), ended
    assert ended.err.startswith("writeback: ")
    assert said in ended.err
    after = place.rows()
    # A refused command is remembered with its answer, as one that came as a message is.
    for table in ("commands", "outbox"):
        before.pop(table), after.pop(table)
    assert after == before


def test_without_a_command_the_help_is_shown_as_wrong_usage(place: Workplace) -> None:
    ended = place.run()
    assert ended.status == 2
    assert "Usage: writeback" in ended.err


def test_help_is_given_whatever_the_environment_says(place: Workplace) -> None:
    assert "FILE" in place.ok("exports", "apply", "--help", WRITEBACK_LOG_LEVEL="loud").out


def test_a_database_of_ones_own_that_is_behind_is_upgraded_only_when_asked(place: Workplace) -> None:
    url = f"sqlite:///{place.folder / 'own.sqlite3'}"
    ended = place.run("exports", "list", DATABASE_URL=url)
    assert (ended.status, len(ended.errors)) == (1, 1)
    assert "run `writeback db upgrade` first" in ended.err
    assert not (place.folder / "own.sqlite3").exists()
    assert "upgraded from nothing to revision" in place.ok("db", "upgrade", DATABASE_URL=url).out
    assert "is up to date" in place.ok("db", "upgrade", DATABASE_URL=url).out
    assert "no exports" in place.ok("exports", "list", DATABASE_URL=url).out


def test_a_database_of_a_newer_version_is_left_alone(place: Workplace) -> None:
    with place.program() as program, program.database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'ffff'")
    for command in (["exports", "list"], ["db", "upgrade"], ["run"]):
        ended = place.run(*command)
        assert (ended.status, len(ended.errors)) == (1, 1)
        assert "install the newer version" in ended.err


def test_a_file_that_is_no_database_is_told_in_one_line(place: Workplace) -> None:
    file = place.file("no.sqlite3", "this is a letter, not a database " * 40)
    for command in (["exports", "list"], ["db", "upgrade"], ["status"], ["run"]):
        ended = place.run(*command, DATABASE_URL=f"sqlite:///{file}")
        assert (ended.status, len(ended.errors)) == (1, 1), ended
        assert "the database cannot be used: file is not a database" in ended.err


def test_a_broker_that_is_not_there_is_told_without_its_password(place: Workplace) -> None:
    ended = place.run("rejected", "list", BROKER_URL="amqp://user:hidden@127.0.0.1:1//")
    assert (ended.status, len(ended.errors)) == (1, 1)
    assert "hidden" not in ended.err


def test_an_error_of_the_program_is_one_line_with_a_reference_and_a_traceback_only_when_asked_for(
    place: Workplace,
) -> None:
    """A definition in the database that no version could have written."""
    place.apply(definition())
    with place.program() as program, program.database.write() as connection:
        connection.exec_driver_sql("UPDATE definition_revisions SET document = '{\"Ada\": 1}'")
    ended = place.run("exports", "list")
    assert (ended.status, len(ended.errors)) == (1, 1)
    assert "an error of the program (KeyError), reference " in ended.err
    told = place.run("exports", "list", WRITEBACK_LOG_LEVEL="debug")
    assert "Traceback" in told.err
    assert "Ada" not in told.err


def test_the_roles_of_run_are_those_of_the_service() -> None:
    assert TYPED_ROLES == ROLES


def test_every_command_explains_itself(place: Workplace) -> None:
    listed = [
        "audit",
        "bells",
        "check",
        "codes",
        "days",
        "db",
        "demo",
        "destinations",
        "exports",
        "held",
        "layouts",
        "publish",
        "rejected",
        "report",
        "run",
        "runs",
        "schools",
        "secrets",
        "status",
        "student",
        "tardies",
        "trace",
    ]
    assert [line.split()[0] for line in _commands(place)] == listed
    for group in (
        "exports",
        "runs",
        "rejected",
        "held",
        "codes",
        "schools",
        "bells",
        "days",
        "tardies",
        "db",
        "destinations",
        "layouts",
        "secrets",
    ):
        for line in _commands(place, group):
            name, about = line.split(maxsplit=1)
            assert not about.endswith("..."), line
            assert about.split()[0] in place.ok(group, name, "--help").out


def _commands(place: Workplace, *group: str) -> list[str]:
    *_, commands = place.ok(*group, "--help").out.partition("Commands:\n")
    return [line.strip() for line in commands.splitlines() if line.strip()]
