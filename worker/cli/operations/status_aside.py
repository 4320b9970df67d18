"""What `writeback status` says of what stands aside: where the program met an error of its own and goes on without."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from worker.cli.printing.output import counted, instant, when
from worker.store.asides import Aside
from worker.store.queries.standing import Status


def aside_shape(one: Aside) -> dict[str, Any]:
    """One thing that stands aside, as JSON."""
    return {
        "kind": one.kind,
        "thing": one.thing,
        "export_id": one.thing if one.kind == "export" else None,
        "step": one.step,
        "reference": one.reference or None,
        "error": one.error,
        "version": one.version,
        "since": instant(one.since),
        "times": one.times,
        "again_at": instant(one.again_at),
    }


def aside_shapes(status: Status) -> list[dict[str, Any]]:
    """What stands aside, the entries that defects hold and the runs that they failed, one object a thing."""
    shapes = [aside_shape(one) for one in status.aside]
    for export_id, count in status.held_by_defects.items():
        shapes.append(_counted("entry", export_id, export_id, entries=count))
    for export_id, run_id in status.failed_by_defects.items():
        shapes.append(_counted("run", run_id, export_id))
    return shapes


def _counted(kind: str, thing: str, export_id: str, **more: Any) -> dict[str, Any]:
    nothing = ("step", "reference", "error", "version", "since", "times", "again_at")
    return {"kind": kind, "thing": thing, "export_id": export_id, **dict.fromkeys(nothing), **more}


def aside_lines(status: Status, zones: Mapping[str, str]) -> Iterator[str]:
    """A line for each thing."""
    yield from _lines(status.aside, zones)
    for export_id, count in status.held_by_defects.items():
        yield (
            f"{export_id}: {counted(count, 'entry', 'entries')} held by an error of the program; `writeback held list"
            f" --export {export_id}` names the reference in the log"
        )


def _lines(aside: Sequence[Aside], zones: Mapping[str, str]) -> Iterator[str]:
    for one in aside:
        zone = zones.get(one.thing, "UTC")
        if one.step == "read":
            yield f"{one.thing} stands aside for workers of version {one.version}: {one.error}"
            continue
        what = one.thing if one.kind == "export" else f"{one.kind} {one.thing}"
        again = f"; tried again {when(one.again_at, zone)}"
        now = f", or at once by `writeback exports retry {one.thing}`" if one.kind == "export" else ""
        yield (
            f"{what} stands aside since {when(one.since, zone)}: {one.error} at the step {one.step} (version"
            f" {one.version}), reference {one.reference} in the log{again}{now}"
        )
