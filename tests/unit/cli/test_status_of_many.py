"""`writeback status` where there are exports by the ten thousand: what stands out is shown, and how many more there
are."""

from __future__ import annotations

from dataclasses import replace

from tests.builders import NOON
from worker.store.queries.standing import Buffer, ExportStatus
from worker.views.operating.status_told import MOST, exports_to_show


def export(number: int) -> ExportStatus:
    return ExportStatus(
        export_id=f"e-{number}",
        district_id="default",
        active=True,
        frequency="daily",
        next_due_at=NOON,
        last_delivered_at=None,
        paused_at=None,
        paused_by=None,
        pause_reason=None,
        buffer=Buffer(buffered=3),
        open_run=None,
    )


def test_all_are_shown_as_long_as_a_person_can_look_at_them() -> None:
    exports = [export(number) for number in range(MOST)]
    assert exports_to_show(exports) == exports


def test_of_very_many_those_are_shown_that_are_paused_late_refused_or_under_way() -> None:
    exports = [export(number) for number in range(MOST + 1)]
    odd = {
        3: replace(exports[3], paused_at=NOON),
        5: replace(exports[5], overdue_since=NOON),
        7: replace(exports[7], buffer=Buffer(refused=1)),
    }
    shown = exports_to_show([odd.get(number, one) for number, one in enumerate(exports)])
    assert shown == list(odd.values())


def test_no_more_are_shown_than_a_person_can_look_at() -> None:
    late = [replace(export(number), overdue_since=NOON) for number in range(3 * MOST)]
    assert exports_to_show(late) == late[:MOST]
