"""One table says what a database's error comes to: each class, by its SQLSTATE or its real result code."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from worker.errors import RowError, UnavailableError
from worker.store.database.database_errors import (
    Trouble,
    is_lost_race,
    own_rows,
    translated,
    trouble_of,
)

STATES = {
    Trouble.GONE: ["08006", "08P01", "25P03", "3D000", "40003", "57P01", "57P02", "57P03"],
    Trouble.BUSY: ["40001", "40P01", "55P03", "55006"],
    Trouble.READ_ONLY: ["25006"],
    Trouble.FULL: ["53100"],
    Trouble.LIMIT: ["53000", "53200", "53300", "53400", "57014"],
    Trouble.RIGHTS: ["28000", "28P01", "42501"],
    Trouble.OUTDATED: ["3F000", "42703", "42P01", "42P10"],
    Trouble.DAMAGED: ["58030", "58P01", "XX001", "XX002"],
    Trouble.DATA: ["22001", "22003", "22021", "22P02", "22P05", "23514"],
    Trouble.DEFECT: [
        "0A000",
        "23502",
        "23505",
        "25P02",
        "26000",
        "42601",
        "42804",
        "54000",
        "54001",
        "XX000",
    ],
}
EACH_STATE = [(state, trouble) for trouble, states in STATES.items() for state in states]


def wrapped(error: Exception, invalidated: bool = False) -> DBAPIError:
    return DBAPIError("SELECT 1", None, error, hide_parameters=True, connection_invalidated=invalidated)


@pytest.mark.parametrize(("state", "trouble"), EACH_STATE)
def test_a_sqlstate_says_what_the_trouble_is_whatever_class_the_driver_gives_it(
    state: str, trouble: Trouble
) -> None:
    bare = psycopg.errors.lookup(state)("no matter what it says")
    assert trouble_of(wrapped(bare)) is trouble
    assert trouble_of(bare) is trouble, "the driver's own, where SQLAlchemy did not look"


@pytest.mark.parametrize("trouble", [trouble for trouble in STATES if trouble is not Trouble.DATA])
def test_what_is_to_be_waited_for_is_told_in_one_line_with_its_kind(trouble: Trouble) -> None:
    error = psycopg.errors.lookup(STATES[trouble][0])("could not\nDETAIL:  Key (name)=(Ada) is secret")
    kind = DBAPIError if trouble is Trouble.DEFECT else UnavailableError
    with pytest.raises(kind) as raised, translated():
        raise wrapped(error)
    if isinstance(raised.value, UnavailableError):
        assert raised.value.kind == trouble
        assert "could not" in str(raised.value)
        assert "\n" not in str(raised.value)
        assert "Ada" not in str(raised.value)


def test_a_data_error_is_a_rows_fault_only_in_the_statement_that_inserts_it() -> None:
    error = wrapped(psycopg.errors.lookup("22P05")("untranslatable: Ada"))
    with pytest.raises(RowError) as raised, translated(), own_rows():
        raise error
    assert "Ada" not in str(raised.value)
    assert "22P05" in str(raised.value)
    with pytest.raises(DBAPIError), translated():
        raise error


def test_a_server_that_never_said_a_word_is_gone() -> None:
    assert trouble_of(psycopg.OperationalError("connection refused")) is Trouble.GONE
    assert trouble_of(wrapped(psycopg.InterfaceError("closed"), invalidated=True)) is Trouble.GONE
    assert trouble_of(psycopg.InterfaceError("the cursor is closed")) is Trouble.DEFECT
    assert trouble_of(psycopg.DataError("no such text")) is Trouble.DEFECT


def test_an_error_that_is_no_databases_goes_on_as_it_is() -> None:
    for error in (NotImplementedError("a DateStyle"), OSError("a folder"), UnavailableError("the broker")):
        with pytest.raises(type(error)) as raised, translated():
            raise error
        assert raised.value is error


def test_a_deadlock_is_a_race_that_was_lost_and_a_time_out_is_none() -> None:
    assert is_lost_race(wrapped(psycopg.errors.lookup("40P01")()))
    assert is_lost_race(UnavailableError("busy")) is False
    assert not is_lost_race(wrapped(psycopg.errors.lookup("55P03")()))
    assert not is_lost_race(RuntimeError())


def test_connections_that_are_all_in_use_are_waited_for() -> None:
    engine = create_engine("sqlite://", poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=0.01)
    with engine.connect(), pytest.raises(UnavailableError, match="in use"), translated():
        engine.connect()


# SQLite: each provoked


def locked(file: Path) -> None:
    with sqlite3.connect(file, isolation_level=None) as first, sqlite3.connect(file, timeout=0) as second:
        first.execute("BEGIN IMMEDIATE")
        second.execute("INSERT INTO rows VALUES (2, 'b')")


def read_only(file: Path) -> None:
    sqlite3.connect(f"file:{file}?mode=ro", uri=True).execute("INSERT INTO rows VALUES (2, 'b')")


def full(file: Path) -> None:
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA max_page_count = 3")
    connection.execute("CREATE TABLE others (name TEXT)")
    connection.execute("INSERT INTO others VALUES (?)", ("x" * 100_000,))


def damaged(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[1000:] = b"\xff" * (len(content) - 1000)
    file.write_bytes(bytes(content))
    sqlite3.connect(file).execute("SELECT * FROM rows").fetchall()


def no_database(file: Path) -> None:
    file.write_bytes(b"something else " * 500)
    sqlite3.connect(file).execute("SELECT * FROM rows")


def away(file: Path) -> None:
    sqlite3.connect(file.parent / "nowhere" / "file").execute("SELECT 1")


def without_table(file: Path) -> None:
    sqlite3.connect(file).execute("SELECT * FROM others")


def without_column(file: Path) -> None:
    sqlite3.connect(file).execute("SELECT others FROM rows")


def without_column_to_fill(file: Path) -> None:
    sqlite3.connect(file).execute("INSERT INTO rows (others) VALUES (1)")


def without_key(file: Path) -> None:
    sqlite3.connect(file).execute("INSERT INTO rows VALUES (2, 'b') ON CONFLICT (name) DO NOTHING")


def refused(file: Path) -> None:
    connection = sqlite3.connect(file)
    connection.set_authorizer(lambda *_: sqlite3.SQLITE_DENY)
    connection.execute("SELECT * FROM rows")


def interrupted(file: Path) -> None:
    connection = sqlite3.connect(file)
    connection.set_progress_handler(lambda: 1, 1)
    connection.execute("SELECT * FROM rows").fetchall()


def breaks_a_check(file: Path) -> None:
    sqlite3.connect(file).execute("INSERT INTO rows VALUES (2, 'too long for it')")


def of_another_type(file: Path) -> None:
    sqlite3.connect(file).execute("INSERT INTO rows VALUES ('two', 'b')")


def empty(file: Path) -> None:
    sqlite3.connect(file).execute("INSERT INTO rows VALUES (2, NULL)")


def twice(file: Path) -> None:
    sqlite3.connect(file).execute("INSERT INTO rows VALUES (1, 'b')")


def no_sql(file: Path) -> None:
    sqlite3.connect(file).execute("SELEKT 1")


def closed(file: Path) -> None:
    connection = sqlite3.connect(file)
    connection.close()
    connection.execute("SELECT 1")


PROVOKED = [
    (locked, Trouble.BUSY),
    (read_only, Trouble.READ_ONLY),
    (full, Trouble.FULL),
    (damaged, Trouble.DAMAGED),
    (no_database, Trouble.DEFECT),
    (away, Trouble.GONE),
    (interrupted, Trouble.GONE),
    (without_table, Trouble.OUTDATED),
    (without_column, Trouble.OUTDATED),
    (without_column_to_fill, Trouble.OUTDATED),
    (without_key, Trouble.OUTDATED),
    (refused, Trouble.RIGHTS),
    (breaks_a_check, Trouble.DATA),
    (of_another_type, Trouble.DATA),
    (empty, Trouble.DEFECT),
    (twice, Trouble.DEFECT),
    (no_sql, Trouble.DEFECT),
    (closed, Trouble.DEFECT),
]


@pytest.mark.parametrize(("provoke", "trouble"), PROVOKED)
def test_sqlites_result_code_says_what_the_trouble_is(
    provoke: Callable[[Path], None], trouble: Trouble, tmp_path: Path
) -> None:
    file = tmp_path / "rows.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute(
            "CREATE TABLE rows (id INTEGER PRIMARY KEY, name TEXT NOT NULL CHECK (length(name) < 9))"
        )
        connection.execute("INSERT INTO rows VALUES (1, 'a')")
    connection.close()
    with pytest.raises(sqlite3.Error) as raised:
        provoke(file)
    assert trouble_of(raised.value) is trouble, getattr(raised.value, "sqlite_errorname", raised.value)
    assert trouble_of(wrapped(raised.value)) is trouble


def test_sqlite_locked_is_a_race_that_was_lost(tmp_path: Path) -> None:
    file = tmp_path / "rows.sqlite"
    engine = create_engine(f"sqlite:///{file}", connect_args={"timeout": 0})
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE rows (id INTEGER)"))
    with sqlite3.connect(file, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(UnavailableError) as raised, translated(), engine.begin() as connection:
            connection.execute(text("INSERT INTO rows VALUES (1)"))
    assert is_lost_race(raised.value)
