"""`writeback demo`."""

from __future__ import annotations

import os

import click

from worker.cli.printing.output import emit_object, emit_raw, json_option, note, spinning


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
    from worker.cli.operations.demo_shown import report, what_next
    from worker.demo.demo_run import run_demo

    with spinning("One school morning") as show_progress:
        result = run_demo(os.environ, lambda moment: show_progress(f"One school morning: {moment:%H:%M}"))
    commands = what_next(result, os.environ)
    if as_json:
        emit_object(result.as_json(commands))
    else:
        emit_raw(report(result, commands))
    for problem in result.problems:
        note(f"writeback: the demo does not add up: {problem}")
    ctx.exit(1 if result.problems else 0)
