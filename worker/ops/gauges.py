"""The gauges that tell how things stand, and the text of their samples in Prometheus's format (0.0.4)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

GAUGES: Mapping[str, str] = MappingProxyType(
    {
        "broker_up": "1 if the broker told its queues' depth, else 0.",
        "database_up": "1 if the database told how things stand and takes writes, else 0.",
        "queue_messages": "Messages in a queue, ready or handed out and not yet acknowledged.",
        "queue_consumers": "Consumers of a queue, as the broker counts them.",
        "workers": "Processes at work, by the signs of life of their roles in the database.",
        "stale_leases": "Runs under way whose lease ended a while ago and that nobody has taken over.",
        "clock_skew_seconds": "How far this process's clock is ahead of the database's.",
        "outbox_messages": "Outcomes that wait to be published.",
        "set_aside": "What the program goes on without because it met an error of its own there, by kind: exports,"
        " outcomes, tasks, entries that are held, runs that failed.",
        "exports": "Definitions in force, by whether they are paused.",
        "buffer_entries": "Entries that have not ended, and what is not required, by state.",
        "buffer_oldest_seconds": "Age of the oldest buffered entry, 0 if there is none.",
        "next_run_timestamp_seconds": "When the schedule runs next.",
        "last_delivered_timestamp_seconds": "When a run was last delivered.",
        "export_overdue_seconds": "For how long what the schedule or a run-now asked for has not been delivered, 0 if"
        " it is not late.",
        "export_paused": "1 if the export is paused, else 0.",
        "export_paused_timestamp_seconds": "Since when the export is paused.",
        "open_run": "1 for the state that the export's open run is in, else 0.",
        "open_run_started_timestamp_seconds": "When the export's open run began.",
        "sis_codes_gone": "1 if the dictionary of the export's SIS lacks a code that the export uses, else 0.",
        "missed_collections": "Collections of the last day that the export's file came too late for (late) or after"
        " which it still lay there (uncollected).",
        "export_quiet": "Days in session, of the last two that have ended, on which the export got nothing at all.",
    }
)


class GaugeLines:
    """Samples as lines of text, by gauge. Where there are exports by the ten thousand, a library's object for each
    sample would cost seconds at every scrape."""

    def __init__(self) -> None:
        self._lines: dict[str, list[str]] = {}

    def add(self, name: str, labels: str, value: float) -> None:
        """A sample; `labels` as they are written between the braces, such as `export="daily"`, or ""."""
        line = (
            f"writeback_{name}{{{labels}}} {float(value)}" if labels else f"writeback_{name} {float(value)}"
        )
        self._lines.setdefault(name, []).append(line)

    def add_moment(self, name: str, labels: str, seconds: float) -> None:
        """A timestamp, in seconds since 1970, to the thousandth."""
        self._lines.setdefault(name, []).append(f"writeback_{name}{{{labels}}} {seconds:.3f}")

    def unknown(self) -> GaugeLines:
        """The same samples, of which nobody knows how they stand now: each stays, and says so."""
        lines = GaugeLines()
        lines._lines = {
            name: [f"{line.rpartition(' ')[0]} NaN" for line in of_one]
            for name, of_one in self._lines.items()
        }
        return lines

    def text(self) -> str:
        """With what each gauge means before its samples."""
        return "".join(
            f"# HELP writeback_{name} {GAUGES[name]}\n# TYPE writeback_{name} gauge\n"
            + "\n".join(lines)
            + "\n"
            for name, lines in self._lines.items()
        )
