"""How everything stands, in words: alarms, facts, and what a person has to see to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from worker.store.asides import Aside
from worker.store.queries.standing import ExportStatus
from worker.views.leaving import what_to_do
from worker.views.missed_collections_told import missed_told
from worker.views.operating.status import WholeStatus
from worker.views.words import counted, lasting, when

MOST = 200
"""So many exports, and lines of what a person has to see to, are read by a person at one look."""


def exports_to_show(exports: Sequence[ExportStatus]) -> Sequence[ExportStatus]:
    """All of them, or, of very many, those with something that is not as it should be, or is under way."""
    if len(exports) <= MOST:
        return exports
    return list(islice(filter(_stands_out, exports), MOST))


def _stands_out(one: ExportStatus) -> bool:
    return one.paused or one.open_run is not None or one.overdue_since is not None or one.buffer.refused > 0


def alarms(found: WholeStatus) -> Iterator[str]:
    """Why nothing is taken in or sent at all, first of everything."""
    if found.refusing is not None:
        yield f"NOTHING IS TAKEN IN OR SENT: {found.refusing}"
    heard = found.working.last_heard_of_at
    last = f"; the last was heard of {lasting(found.now - heard)} ago" if heard is not None else ""
    consumers, flushers = found.working.consumers, found.working.flushers
    if not consumers and not flushers:
        yield f"NO WORKER IS RUNNING: nothing is taken in, nothing is sent (`writeback run` starts one{last})"
    elif not flushers:
        yield "NO FLUSHER IS RUNNING: nothing is sent (`writeback run flusher` starts one)"
    elif not consumers:
        yield "NO CONSUMER IS RUNNING: nothing is taken in (`writeback run consumer` starts one)"


def status_facts(found: WholeStatus) -> Iterator[tuple[str, object]]:
    """What waits where, by name; None: there is nothing to say."""
    oldest, held, refused, spared = (
        found.oldest,
        found.count("held"),
        found.count("refused"),
        found.count("not_required"),
    )
    since = f", the oldest for {lasting(found.now - oldest)}" if oldest is not None else ""
    in_hand, unpublished = found.status.events_in_hand, found.status.unpublished_outcomes
    yield "buffered", f"{found.count('buffered')}{since}"
    yield "held", f"{held} (`writeback held list` says why)" if held else "0"
    yield "refused", f"{refused} by the SIS (`writeback held list` says why)" if refused else None
    yield "not required", f"{spared} (`writeback codes list` says why)" if spared else None
    yield "in hand", f"{in_hand} events taken and not stored yet" if in_hand else None
    yield "parked", _parked(found)
    yield "outcomes", f"{unpublished} wait for the broker" if unpublished else None


def _parked(found: WholeStatus) -> str | None:
    parked = found.parked
    if not parked.total:
        return None
    of = f"of the oldest {parked.looked_at}: " if parked.looked_at < parked.total else ""
    codes = f"{of}{', '.join(f'{count} {code}' for code, count in parked.codes.items())}; "
    return f"{parked.total} ({codes if parked.codes else ''}`writeback rejected list`)"


def to_see_to(found: WholeStatus) -> Iterator[str]:
    """What a person should look at, one line each."""
    for aside in found.status.aside:
        yield _aside(found, aside)
    for export_id, count in found.status.held_by_defects.items():
        yield (
            f"{export_id}: {counted(count, 'entry', 'entries')} held by an error of the program; `writeback held list"
            f" --export {export_id}` names the reference in the log"
        )
    for export in found.exports:
        yield from _troubles(found, export)
    for asked in found.run_nows:
        since = when(asked.since, found.zone(asked.export_id))
        yield f"{asked.export_id}: a run is asked for since {since}; it waits for {asked.waits_for}"
    for gone in found.status.codes_gone:
        yield f"{gone.export_id}: {gone.reason} (seen {when(gone.since, found.zone(gone.export_id))})"
    for one in found.status.missed:
        yield f"{one['export_id']}: {missed_told(one)}"
    for export_id, day in found.status.quiet:
        yield f"{export_id}: not one tardy on {day}, a day in session: is the behavior system publishing?"


def _aside(found: WholeStatus, one: Aside) -> str:
    zone = found.zone(one.thing)
    if one.step == "read":
        return f"{one.thing} stands aside for workers of version {one.version}: {one.error}"
    what = one.thing if one.kind == "export" else f"{one.kind} {one.thing}"
    again = f"; tried again {when(one.again_at, zone)}"
    now = f", or at once by `writeback exports retry {one.thing}`" if one.kind == "export" else ""
    return (
        f"{what} stands aside since {when(one.since, zone)}: {one.error} at the step {one.step} (version"
        f" {one.version}), reference {one.reference} in the log{again}{now}"
    )


def _troubles(found: WholeStatus, one: ExportStatus) -> Iterator[str]:
    zone, run = found.zone(one.export_id), one.open_run
    if one.paused:
        yield f"{one.export_id} is paused since {when(one.paused_at, zone)} by {one.paused_by}: {one.pause_reason}"
    if run is not None and run.error is not None:
        following = f"; next attempt {when(run.next_attempt_at, zone)}" if run.next_attempt_at else ""
        following += what_to_do(run.state, one.export_id, paused=one.paused)
        yield f"{one.export_id}: run {run.run_id[:8]} is {run.state}: {run.error}{following}"
