"""Where files go: never to the program's own, never to another export's, never to another machine's folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import RowMapping, update

from tests.builders import command, definition, save, tardy
from tests.integration.delivering import ask, crash_at
from tests.program import SteppedProgram
from worker.actions.adopting import adopt_folder
from worker.destinations.file_port import Installation
from worker.destinations.files.directory import Directory
from worker.destinations.files.marks import MARK
from worker.destinations.placing import place_name
from worker.errors import ElsewhereError, RefusedError
from worker.failpoints import Arrow
from worker.store.audit.auditing import audit
from worker.store.audit.findings import Scope
from worker.store.database.tables import catalogue, definition_revisions

FILE = {"format": "csv", "name": "upload.csv", "header": False, "line_ending": "lf"}
REPLACED = {**FILE, "if_exists": "replace"}


@pytest.fixture
def program(database_url: str, tmp_path: Path) -> SteppedProgram:
    return SteppedProgram(database_url, tmp_path / "home")


def folder(path: str | Path, **options: str) -> dict[str, str]:
    return {"type": "directory", "path": str(path), **options}


def refused(program: SteppedProgram, document: dict[str, Any]) -> str:
    answer = program.command(save(document))
    assert answer is not None and answer.refused is not None
    return answer.refused


def saved(program: SteppedProgram, export_id: str, **changes: Any) -> None:
    answer = program.command(save(definition(export_id, **changes)))
    assert answer is not None and answer.refused is None, answer


def sent(program: SteppedProgram, export_id: str, tardy_id: str) -> str:
    """Sends one tardy; the run's error, or ''."""
    program.receive(tardy(tardy_id))
    ask(program, export_id)
    program.work()
    return str(last_run(program, export_id)["error"] or "")


def last_run(program: SteppedProgram, export_id: str = "daily") -> RowMapping:
    return max(program.runs(export_id), key=lambda run: int(run["sequence"]))


def failed_checks(program: SteppedProgram) -> list[str]:
    report = audit(
        program.database,
        Scope(),
        program.now,
        lambda *_: None,
        place_name=lambda destination: place_name(destination, program.places),
    )
    return [one.check.name for one in report.failed(strict=False)]


def overruled(program: SteppedProgram, export_id: str, **changes: Any) -> None:
    """Puts a definition into the database as an earlier version would have accepted it."""
    document = definition(export_id, **changes)
    with program.database.write() as connection:
        connection.execute(
            update(definition_revisions)
            .where(definition_revisions.c.export_id == export_id)
            .values(document=document)
        )


def has_attributes(path: Path) -> bool:
    """Whether the file system keeps attributes of folders (a tmpfs does since Linux 6.6)."""
    try:
        os.setxattr(path, "user.tests", b"1")
    except OSError:
        return False
    return True


# attacks: from a message alone


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (".", "writeback.sqlite3"),
        ("./", "writeback.sqlite3"),
        ("claims", "x"),
        ("writeback.sqlite3-wal", "x"),
        ("../home", "writeback.sqlite3"),
        ("outbox", "writeback.sqlite3"),
        (".ssh", "authorized_keys"),
        ("{home}", "writeback.sqlite3"),
        ("{home}/claims", "x"),
    ],
)
def test_no_message_has_a_file_written_over_the_program_s_own(
    program: SteppedProgram, path: str, name: str
) -> None:
    destination = folder(path.format(home=program.home))
    attack = definition(destination=destination, file={**REPLACED, "name": name}, fields=[{"constant": "x"}])
    assert refused(program, attack)
    with program.database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM definitions").scalar_one() == 0


def test_what_an_earlier_version_accepted_is_refused_when_it_is_to_be_sent(program: SteppedProgram) -> None:
    saved(program, "daily")
    for path in (".", "claims", ".hidden"):
        overruled(program, "daily", destination=folder(path))
        error = sent(program, "daily", f"t{path}")
        assert "WRITEBACK_HOME itself" in error or "of its own" in error or "hidden" in error
    assert list(program.home.rglob("*.csv")) == []


# one file, one export


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("outbox", "./outbox"),
        ("outbox", "outbox/"),
        ("outbox", "{home}/outbox"),
        ("outbox", "{home}/link"),
        ("link", "outbox"),
        ("outbox", "Outbox"),
    ],
)
def test_two_definitions_whose_files_could_meet_are_refused(
    program: SteppedProgram, one: str, other: str
) -> None:
    program.home.mkdir(exist_ok=True)
    (program.home / "link").symlink_to("outbox")
    saved(program, "one", destination=folder(one), file=FILE)
    destination = folder(other.format(home=program.home))
    said = refused(program, definition("two", destination=destination, file={**FILE, "name": "UPLOAD.csv"}))
    assert "export one has the same destination and file name, or one that could come to be the same" in said
    saved(program, "two", destination=destination, file={**FILE, "name": "{export}.csv"})


def test_replace_replaces_what_this_export_wrote_and_no_other_s(program: SteppedProgram) -> None:
    """The two folders become one only after both definitions have been accepted."""
    saved(program, "one", destination=folder("one"), file=REPLACED, fields=[{"field": "tardy_id"}])
    saved(program, "two", destination=folder("two"), file=REPLACED, fields=[{"field": "version"}])
    (program.home).mkdir(exist_ok=True)
    (program.home / "two").mkdir()
    (program.home / "one").symlink_to("two")
    assert sent(program, "one", "a") == ""
    assert "only its own file is replaced" in sent(program, "two", "b")
    assert program.files("two") == {"upload.csv": ["a"]}
    assert sent(program, "one", "c") == ""
    assert program.files("two") == {"upload.csv": ["b", "c"]}
    (program.home / "two" / "upload.csv").write_text("the SIS's own")
    assert "only its own file is replaced" in sent(program, "one", "d")
    (program.home / "two" / "upload.csv").unlink()
    program.command(command("export.retry", {"export_id": "one"}))
    program.work()
    assert program.files("two") == {"upload.csv": ["d"]}


def test_the_audit_does_not_add_up_where_one_export_could_replace_another_s_file(
    program: SteppedProgram,
) -> None:
    """As an earlier version let it happen: `outbox` and `./outbox` were two places to it."""
    saved(program, "one", destination=folder("outbox"), file=REPLACED)
    saved(program, "two", destination=folder("elsewhere"), file=REPLACED)
    assert sent(program, "one", "a") == ""
    (program.home / "outbox" / "upload.csv").unlink()  # collected
    assert failed_checks(program) == []
    program.pass_time(minutes=1)
    overruled(program, "two", destination=folder("./outbox"), file=REPLACED)
    assert sent(program, "two", "b") == ""
    assert failed_checks(program) == ["file-of-two"]


def test_a_name_may_pass_from_one_export_to_another(program: SteppedProgram) -> None:
    saved(program, "one", file=REPLACED)
    assert sent(program, "one", "a") == ""
    (program.home / "outbox" / "upload.csv").unlink()  # collected
    program.pass_time(minutes=1)
    program.command(command("export.delete", {"export_id": "one"}))
    program.pass_time(minutes=1)
    saved(program, "two", file=REPLACED)
    assert sent(program, "two", "b") == ""
    assert failed_checks(program) == []


# one folder, whichever machine


@pytest.fixture
def elsewhere(program: SteppedProgram, database_url: str, tmp_path: Path) -> SteppedProgram:
    """A worker on another machine, on the same database."""
    return SteppedProgram(database_url, tmp_path / "other-home")


def test_a_worker_that_sees_another_folder_of_that_path_leaves_the_run_to_one_that_sees_the_right_one(
    program: SteppedProgram, elsewhere: SteppedProgram
) -> None:
    saved(program, "daily")
    assert sent(program, "daily", "a") == ""
    assert (program.home / "outbox" / MARK).is_file()
    error = sent(elsewhere, "daily", "b")
    assert "there is no such folder here any more; bring that one back" in error
    assert not (elsewhere.home / "outbox").exists()
    (elsewhere.home / "outbox").mkdir(parents=True)
    elsewhere.work()  # it has just looked
    assert last_run(elsewhere)["error"] == error
    elsewhere.pass_time(minutes=1)
    elsewhere.work()
    run = last_run(elsewhere)
    assert "this is not the folder that was written to before: it has no mark" in run["error"]
    assert (run["state"], run["attempts"]) == ("waiting", 0)
    assert elsewhere.files() == {} and elsewhere.leftovers() == []
    program.pass_time(minutes=1)
    program.work()
    assert program.files() == {"daily_0001.csv": ["a,1,"], "daily_0002.csv": ["b,1,"]}
    assert program.outcome_types()["run.waiting"] == 0


@pytest.mark.parametrize("arrow", [Arrow.RENAME_BEFORE, Arrow.RENAME_DONE])
def test_a_takeover_that_does_not_see_the_folder_concludes_nothing_of_it(
    program: SteppedProgram, elsewhere: SteppedProgram, arrow: Arrow
) -> None:
    """The first worker dies before or after the rename; who takes over sees a folder of its own."""
    saved(program, "daily")
    assert sent(program, "daily", "a") == ""
    program.receive(tardy("b"))
    ask(program)
    crash_at(program, arrow)
    elsewhere.now = program.now
    (elsewhere.home / "outbox").mkdir(parents=True)
    elsewhere.work()
    assert last_run(elsewhere)["state"] == "waiting" and elsewhere.files() == {}
    program.work()
    assert program.files() == {"daily_0001.csv": ["a,1,"], "daily_0002.csv": ["b,1,"]}
    assert program.states() == {"delivered": 2} and program.leftovers() == []


def test_a_collector_that_takes_dot_files_too_stops_nothing(program: SteppedProgram) -> None:
    saved(program, "daily")
    for number in (1, 2):
        assert sent(program, "daily", f"t{number}") == ""
        for path in (program.home / "outbox").iterdir():
            path.unlink()
    error = sent(program, "daily", "t3")
    if has_attributes(program.home):
        assert error == "" and (program.home / "outbox" / MARK).is_file()
    else:
        assert "it has no mark" in error


def test_a_folder_that_was_moved_is_adopted_by_a_person_and_recorded(
    program: SteppedProgram, elsewhere: SteppedProgram
) -> None:
    saved(program, "daily")
    assert sent(program, "daily", "a") == ""
    assert sent(elsewhere, "daily", "b") != ""
    where = adopt_folder(
        elsewhere.database,
        elsewhere.installation,
        "daily",
        who="me",
        reason="a new machine",
        now=elsewhere.now,
    )
    assert where == str(elsewhere.home / "outbox")
    elsewhere.pass_time(minutes=1)
    elsewhere.work()
    assert elsewhere.files() == {"daily_0002.csv": ["b,1,"]}
    assert "its mark is another's" in sent(program, "daily", "c")
    with program.database.read() as connection:
        actions = connection.exec_driver_sql("SELECT who, reason FROM actions WHERE action = 'adopt'").all()
    assert [tuple(row) for row in actions] == [("me", "a new machine")]
    with pytest.raises(RefusedError, match="no export 'other'"):
        adopt_folder(program.database, program.installation, "other", who="me", reason="", now=program.now)


def test_a_folder_with_another_installation_s_mark_takes_nothing_of_this_one(
    program: SteppedProgram, tmp_path: Path
) -> None:
    saved(program, "daily")
    assert sent(program, "daily", "a") == ""
    theirs = SteppedProgram(f"sqlite:///{tmp_path}/theirs.sqlite3", program.home)
    with theirs.database.write() as connection:
        connection.execute(update(catalogue).values(installation="feed"))
    saved(theirs, "daily")
    assert "another installation of this program writes there" in sent(theirs, "daily", "b")
    assert program.files() == {"daily_0001.csv": ["a,1,"]}


def test_of_two_machines_that_begin_at_once_one_has_the_place(
    program: SteppedProgram, elsewhere: SteppedProgram
) -> None:
    """Neither finds a mark remembered; both mark their own folder; the first that is remembered is the place."""
    saved(program, "daily")

    class Late:
        """Nothing is remembered when it asks; by the time it remembers, another has."""

        def __init__(self) -> None:
            self.marks = elsewhere.installation.marks

        def installation(self) -> str:
            return self.marks.installation()

        def token(self, place: str) -> str | None:
            return None

        def remember(self, place: str, token: str) -> str:
            assert sent(program, "daily", "a") == ""
            return self.marks.remember(place, token)

    late = Directory(folder("outbox"), Installation(elsewhere.places, Late()))
    with pytest.raises(ElsewhereError, match="not the folder that was written to before"):
        late.require_free("a.csv", replace=None)
    assert list((elsewhere.home / "outbox").iterdir()) == []
    assert program.files() == {"daily_0001.csv": ["a,1,"]}
