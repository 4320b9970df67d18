"""`writeback demo`."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

import click

from worker.cli.printing.output import (
    emit_object,
    emit_raw,
    json_option,
    note,
    on_terminal,
    spinning,
)

if TYPE_CHECKING:
    from worker.demo.demo_run import DemoResult

_PIPED_WIDTH = 110  # of the report where no terminal tells its own
_OTHER_SERVERS = ("BROKER_URL", "DATABASE_URL")


@click.command
@json_option
@click.pass_context
def demo(ctx: click.Context, as_json: bool) -> None:
    """One school morning, end to end, on the embedded default.

    Some 300 made-up tardies of three schools go from message to SIS: as files into folders, by schedule and
    when one is asked for; by SFTP, where sshd is installed; as records to an API. Both servers are the demo's own,
    on 127.0.0.1, and end with it. Some messages come twice, late or broken; what cannot go out is held with its
    reason.

    Everything happens in WRITEBACK_HOME/demo, which is emptied first; BROKER_URL and DATABASE_URL have no
    say. Exit status 1: the numbers did not add up.
    """
    from worker.demo.demo_run import run_demo

    with spinning("One school morning") as show_progress:
        result = run_demo(os.environ, lambda moment: show_progress(f"One school morning: {moment:%H:%M}"))
    commands = _what_next(result, os.environ)
    if as_json:
        emit_object(result.as_json(commands))
    else:
        emit_raw(_report(result, commands))
    for problem in result.problems:
        note(f"writeback: the demo does not add up: {problem}")
    ctx.exit(1 if result.problems else 0)


def _report(result: DemoResult, commands: list[str]) -> bytes:
    """The report as it suits standard output: its encoding, a terminal's width and colours, or neither."""
    from rich.console import Console

    from worker.demo.demo_report import show

    paper = TextIOWrapper(BytesIO(), encoding=sys.stdout.encoding, errors="backslashreplace")
    width = None if on_terminal() else _PIPED_WIDTH
    show(
        Console(file=paper, force_terminal=on_terminal(), width=width, highlight=False, markup=False),
        result,
        commands,
    )
    paper.seek(0)
    return paper.buffer.read()


def _what_next(result: DemoResult, environment: Mapping[str, str]) -> list[str]:
    """Commands that look into the demo's folder, as they can be typed here."""
    unset = [f"-u {name}" for name in _OTHER_SERVERS if environment.get(name, "").strip()]
    home = f"WRITEBACK_HOME={shlex.quote(result.summary.home)}"
    start = " ".join([*(["env", *unset] if unset else []), home, _program()])
    return [f"{start} {command}" for command in ("status", "held list", f"trace {result.telling}")]


def _program() -> str:
    """How this program is called here."""
    from worker.demo.demo_run import as_seen_here

    started, found = Path(sys.argv[0]), shutil.which("writeback")
    if started.name != "writeback":
        return f"{shlex.quote(str(as_seen_here(Path(sys.executable))))} -m worker"
    if found is not None and Path(found).samefile(started):
        return "writeback"
    return shlex.quote(str(as_seen_here(started)))
