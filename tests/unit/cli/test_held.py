"""What people decide about entries that wait for them: all that an id names, or nothing."""

from __future__ import annotations

from typing import Any

from tests.builders import bell_schedule, code, definition, tardy, void
from tests.unit.cli.workplace import Workplace

FIELDS = [{"field": "tardy_id"}, {"field": "comment"}, {"field": "action"}]
REQUIRED = [{"field": "tardy_id"}, {"field": "behavior.external_reference_code", "required": True}]


def corrected(place: Workplace, **changes: Any) -> None:
    """A delivered tardy t-1 whose change is held as a correction."""
    place.apply(definition(**{"fields": FIELDS, **changes}))
    place.receive(tardy())
    send(place)
    place.receive(tardy(version=2, comment="changed"))


def send(place: Workplace, export_id: str = "daily") -> None:
    place.ok("exports", "run-now", export_id)
    with place.program() as program:
        program.pass_time(minutes=1)
        program.work()


def listed(place: Workplace) -> list[tuple[str, str, str, bool]]:
    """(id, state, action, releasable) of what `held list` shows."""
    shown = place.ok("held", "list", "--json").json
    return [(one["id"], one["state"], one["action"], one["releasable"]) for one in shown]


def test_a_held_correction_is_listed_by_the_id_that_releases_it_and_then_goes_as_a_change(
    place: Workplace,
) -> None:
    corrected(place)
    assert listed(place) == [("daily/t-1", "held", "change", True)]
    line = place.ok("held", "list", "--entries").out.splitlines()[1]
    assert line.split()[:4] == ["daily/t-1", "change", "when", "released"]
    told = place.ok("held", "release", "daily/t-1", "--reason", "the office agreed").out
    assert told == (
        "daily/t-1, version 2: released; no run is planned; `writeback exports run-now daily` sends it\n"
    )
    send(place)
    assert (place.outbox / "daily_0002.csv").read_text() == "t-1,changed,change\n"
    assert place.ok("held", "list").out == "nothing is held\n"


def test_a_decision_is_kept_with_who_when_and_why_and_what_it_waited_for(place: Workplace) -> None:
    corrected(place)
    told = place.ok("held", "dismiss", "t-1", "--reason", "typed in by hand", "--json").json
    assert told == {
        "decision": "dismiss",
        "entries": [
            {
                "id": "daily/t-1",
                "export_id": "daily",
                "district_id": "default",
                "tardy_id": "t-1",
                "version": 2,
                "action": "change",
                "was": "changed after it was delivered; the definition holds corrections for a person",
            }
        ],
    }
    [daily] = place.ok("trace", "t-1", "--json").json["exports"]
    [decision] = daily["decisions"]
    assert (decision["decision"], decision["version"], decision["reason"]) == (
        "dismiss",
        2,
        "typed in by hand",
    )
    assert "@" in decision["who"]
    assert decision["was"] == told["entries"][0]["was"]
    assert daily["summary"].startswith("dismissed: typed in by hand (")
    text = " ".join(place.ok("trace", "t-1").out.split())
    assert f"by {decision['who']}: typed in by hand (it waited because: changed after" in text


def test_a_tardy_id_alone_means_that_tardy_in_every_export_and_an_entry_named_twice_is_decided_once(
    place: Workplace,
) -> None:
    place.apply(definition(fields=FIELDS), definition("other", fields=FIELDS))
    place.receive(tardy())
    send(place)
    send(place, "other")
    place.receive(tardy(version=2, comment="changed"))
    told = place.ok("held", "release", "other/t-1", "t-1", "--reason", "agreed", "--json").json
    assert sorted(one["id"] for one in told["entries"]) == ["daily/t-1", "other/t-1"]
    traced = place.ok("trace", "t-1", "--json").json["exports"]
    assert [len(one["decisions"]) for one in traced] == [1, 1]


def test_where_one_of_several_cannot_be_released_none_is(place: Workplace) -> None:
    corrected(place)
    place.apply(definition("coded", fields=REQUIRED))
    place.receive(code(None, version=2), tardy("t-2"))
    before = listed(place)
    assert ("coded/t-2", "held", "add", False) in before
    ended = place.run("held", "release", "daily/t-1", "coded/t-2", "--reason", "please")
    assert (ended.status, len(ended.errors)) == (1, 1)
    assert "coded/t-2 cannot be released: behavior code TARDY has no External Reference Code" in ended.err
    assert ended.err.endswith("; nothing was decided\n")
    assert listed(place) == before
    ended = place.run("held", "dismiss", "daily/t-1", "daily/t-9", "--reason", "please")
    assert "daily/t-9: nothing of that name is held or was refused" in ended.err
    assert listed(place) == before


def test_a_void_that_the_file_cannot_tell_of_is_never_released_and_dismissed_it_counts_as_seen_to(
    place: Workplace,
) -> None:
    corrected(place, fields=[{"field": "tardy_id"}])
    place.receive(void(version=3))
    assert listed(place) == [("daily/t-1", "held", "void", False)]
    assert "never: dismiss it" in place.ok("held", "list").out
    [daily] = place.ok("trace", "t-1", "--json").json["exports"]
    assert daily["summary"].endswith("remove it in the SIS, then `writeback held dismiss daily/t-1`")
    assert "the file has no column" in place.run("held", "release", "t-1", "--reason", "go").err
    told = place.ok("held", "dismiss", "t-1", "--reason", "removed it there").out
    assert told == "daily/t-1, version 3: dismissed; its void counts as seen to in the SIS\n"


def test_a_row_the_sis_refused_is_listed_until_it_is_released_and_goes_once_more(place: Workplace) -> None:
    place.apply(definition(fields=FIELDS))
    place.receive(tardy())
    send(place)
    with place.program() as program, program.database.write() as connection:
        connection.exec_driver_sql("UPDATE entry_rows SET state = 'refused', reason = 'unknown student'")
    assert listed(place) == [("daily/t-1", "refused", "add", True)]
    assert place.ok("status", "--json").json["refused"] == 1
    assert "1 by the SIS" in place.ok("status").out
    assert "the SIS refused it: unknown student" in place.ok("held", "list").out
    assert "`writeback held list --export daily`" in place.ok("exports", "show", "daily").out
    [daily] = place.ok("trace", "t-1", "--json").json["exports"]
    assert daily["summary"].startswith(
        "refused by the SIS: unknown student; `writeback held release daily/t-1`"
    )
    place.ok("held", "release", "daily/t-1", "--reason", "the student is known now")
    assert listed(place) == []
    assert place.ok("status", "--json").json["refused"] == 0
    send(place)
    assert (place.outbox / "daily_0002.csv").read_text() == "t-1,,add\n"


def test_groups_tell_what_frees_them_and_how_to_see_each(place: Workplace) -> None:
    corrected(place)
    place.receive(bell_schedule())
    ended = place.ok("held", "list")
    assert ended.out.splitlines()[1].startswith("daily       1  change  when released  ")
    assert "`writeback held list --entries`" in ended.err


def test_a_dismissal_that_was_taken_back_is_traced_with_who_and_why(place: Workplace) -> None:
    corrected(place)
    place.ok("held", "dismiss", "daily/t-1", "--reason", "typed in by hand")
    place.ok("held", "undo", "daily/t-1", "--reason", "a slip")
    told = " ".join(place.ok("trace", "t-1").out.split())
    assert "dismissed 20" in told and ": typed in by hand (it waited because: changed after" in told
    assert "dismissal taken back 20" in told and ": a slip" in told
