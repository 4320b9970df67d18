"""No default of the server, the database or the user matters, and nothing of ours stays behind on a connection."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from tests.builders import command, definition, save, school, tardy
from tests.conftest import SERVERS
from tests.hostile import connected, make_hostile
from tests.program import SteppedProgram
from tests.servers import PostgreSQL, ServerError
from tests.servers.pgbouncer import PgBouncer, start_pgbouncer
from worker.errors import ConfigurationError
from worker.store.database import migrate
from worker.store.database.engine import Database

RELIED_ON = {
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "search_path": '"$user", public',
    "standard_conforming_strings": "on",
    "client_encoding": "UTF8",
    "transaction_isolation": "read committed",
    "lock_timeout": "5min",
}


@pytest.fixture
def pgbouncer(request: pytest.FixtureRequest, postgres: PostgreSQL) -> Iterator[PgBouncer]:
    """One with a single connection for each database and user."""
    janitor = request.config.stash[SERVERS].janitor
    try:
        server = start_pgbouncer(janitor, postgres.url("postgres"), 1)
    except ServerError as error:
        pytest.fail(str(error), pytrace=False)
    yield server
    server.engine.kill()


def with_search_path(url: str, options: str) -> str:
    return make_url(url).update_query_dict({"options": options}).render_as_string(hide_password=False)


@pytest.mark.bare
@pytest.mark.parametrize("way", ["directly", "by PgBouncer"])
def test_what_we_rely_on_holds_in_every_transaction(
    way: str, postgres_url: str, pgbouncer: PgBouncer
) -> None:
    make_hostile(postgres_url)
    database = Database(postgres_url if way == "directly" else pgbouncer.url(postgres_url))
    migrate.upgrade(database)
    for _ in range(8):  # past the use of a statement at which it would be prepared on the server
        for transaction, idle in ((database.read, "0"), (database.write, "20s")):
            with transaction() as connection:
                shown = {name: connection.execute(text(f"SHOW {name}")).scalar_one() for name in RELIED_ON}
                assert shown == RELIED_ON
                assert connection.execute(text(r"SELECT '\'")).scalar_one() == "\\"
                asked = "SHOW idle_in_transaction_session_timeout"
                assert connection.execute(text(asked)).scalar_one() == idle
                moment = connection.execute(text("SELECT timestamptz '2026-02-01 10:00+09'")).scalar_one()
                assert moment == datetime(2026, 2, 1, 1, tzinfo=UTC)
    database.close()


@pytest.mark.bare
@pytest.mark.parametrize("way", ["directly", "by PgBouncer"])
def test_the_whole_main_job_goes_on_among_hostile_defaults(
    way: str, postgres_url: str, pgbouncer: PgBouncer, tmp_path: Path
) -> None:
    make_hostile(postgres_url)
    program = SteppedProgram(postgres_url if way == "directly" else pgbouncer.url(postgres_url), tmp_path)
    fields = [{"field": "tardy_id"}, {"field": "occurred_at"}]
    program.receive(school())
    program.command(save(definition(fields=fields)))
    for number in range(20):
        program.receive(tardy(f"t{number}", student={"id": "ś\\'"}))
    answer = program.command(command("export.run_now", {"export_id": "daily"}))
    assert answer is not None and answer.refused is None
    program.work()
    [rows] = program.files().values()
    assert len(rows) == 20
    assert rows[0] == "t0,2026-10-06T08:07:00-05:00"
    program.database.close()


def test_nothing_of_ours_stays_on_a_connection_that_the_next_one_gets(
    postgres_url: str, pgbouncer: PgBouncer
) -> None:
    """Two programs and a stranger take turns on the one connection that there is."""
    make_hostile(postgres_url)
    url = pgbouncer.url(postgres_url)
    ours, other = Database(url), Database(with_search_path(url, "-csearch_path=elsewhere,Public"))
    with connected(url) as stranger:
        for _ in range(3):
            with ours.write() as connection:
                assert connection.execute(text("SHOW search_path")).scalar_one() == '"$user", public'
            with other.read() as connection:
                assert connection.execute(text("SHOW search_path")).scalar_one() == "elsewhere, public"
            for name, shown in {"search_path": "nowhere", "lock_timeout": "1ms"}.items():
                assert stranger.execute(f"SHOW {name}".encode()).fetchone() == (shown,)
    ours.close()
    other.close()


@pytest.mark.bare
@pytest.mark.parametrize("way", ["directly", "by PgBouncer"])
def test_a_schema_that_database_url_names_is_where_the_tables_are(
    way: str, postgres_url: str, pgbouncer: PgBouncer, tmp_path: Path
) -> None:
    with connected(postgres_url) as connection:
        connection.execute(b'CREATE SCHEMA "Write Back"')
    url = postgres_url if way == "directly" else pgbouncer.url(postgres_url)
    program = SteppedProgram(with_search_path(url, '-c search_path="Write\\ Back"'), tmp_path)
    assert program.receive(tardy("a")) == ["new"]
    with connected(postgres_url) as connection:
        assert connection.execute(b'SELECT tardy_id FROM "Write Back".tardies').fetchall() == [("a",)]
    program.database.close()


def test_other_options_stay_as_they_were_given(postgres_url: str) -> None:
    database = Database(with_search_path(postgres_url, "-c work_mem=7MB --search-path=public -cgeqo=off"))
    with database.read() as connection:
        shown = [
            connection.execute(text(f"SHOW {name}")).scalar_one()
            for name in ("work_mem", "geqo", "search_path")
        ]
    assert shown == ["7MB", "off", "public"]
    database.close()


@pytest.mark.parametrize("path", ["a b", "a,,b", "", "a; DROP TABLE tardies", "'a'", "a,", "50%"])
def test_a_search_path_that_is_no_list_of_schemas_is_a_wrong_value(path: str) -> None:
    given = path.replace(" ", "\\ ")
    url = make_url("postgresql+psycopg://user@host/name").update_query_dict(
        {"options": f"-csearch_path={given}"}
    )
    with pytest.raises(ConfigurationError, match="DATABASE_URL"):
        Database(url.render_as_string(hide_password=False))
