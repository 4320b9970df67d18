"""What `writeback demo` prints."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Mapping
from io import BytesIO, TextIOWrapper
from pathlib import Path

from rich.console import Console

from worker.cli.printing.output import on_terminal
from worker.demo.demo_report import show
from worker.demo.demo_run import DemoResult, as_seen_here

_PIPED_WIDTH = 110  # of the report where no terminal tells its own
_OTHER_SERVERS = ("BROKER_URL", "DATABASE_URL")


def report(result: DemoResult, commands: list[str]) -> bytes:
    """The report as it suits standard output: its encoding, a terminal's width and colours, or neither."""
    paper = TextIOWrapper(BytesIO(), encoding=sys.stdout.encoding, errors="backslashreplace")
    width = None if on_terminal() else _PIPED_WIDTH
    show(
        Console(file=paper, force_terminal=on_terminal(), width=width, highlight=False, markup=False),
        result,
        commands,
    )
    paper.seek(0)
    return paper.buffer.read()


def what_next(result: DemoResult, environment: Mapping[str, str]) -> list[str]:
    """Commands that look into the demo's folder, as they can be typed here."""
    unset = [f"-u {name}" for name in _OTHER_SERVERS if environment.get(name, "").strip()]
    home = f"WRITEBACK_HOME={shlex.quote(result.summary.home)}"
    start = " ".join([*(["env", *unset] if unset else []), home, _program()])
    return [f"{start} {command}" for command in ("status", "held list", f"trace {result.telling}")]


def _program() -> str:
    """How this program is called here."""
    started, found = Path(sys.argv[0]), shutil.which("writeback")
    if started.name != "writeback":
        return f"{shlex.quote(str(as_seen_here(Path(sys.executable))))} -m worker"
    if found is not None and Path(found).samefile(started):
        return "writeback"
    return shlex.quote(str(as_seen_here(started)))
