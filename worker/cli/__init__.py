"""The command line: one file for each command or group of commands; what they do in earnest lies beside them."""

from __future__ import annotations

import os
import sys

import click

from schemas.fields.zones import source
from worker import __version__
from worker.cli.app import Cli
from worker.cli.exports.exports_group import exports
from worker.cli.exports.resync_command import resync
from worker.cli.exports.revisions_commands import (
    copy,
    diff,
    history,
    restore,
)
from worker.cli.held.held_group import held
from worker.cli.known.codes_group import codes
from worker.cli.known.destinations_group import destinations
from worker.cli.known.reference_groups import bells, days, schools
from worker.cli.layouts.layouts_group import layouts
from worker.cli.layouts.new_command import new
from worker.cli.messages.publish_command import publish
from worker.cli.messages.rejected_group import rejected
from worker.cli.operations.audit_command import audit
from worker.cli.operations.check_command import check
from worker.cli.operations.db_command import db
from worker.cli.operations.demo_command import demo
from worker.cli.operations.run_command import run
from worker.cli.operations.secrets_group import secrets
from worker.cli.operations.status_command import status
from worker.cli.printing.output import note
from worker.cli.report.report_command import report
from worker.cli.runs.runs_group import runs
from worker.cli.student.student_group import student
from worker.cli.tardies.tardies_group import tardies
from worker.cli.tardies.trace_command import trace


@click.group(cls=Cli, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(
    __version__, prog_name="writeback", message=f"%(prog)s, version %(version)s, {source()}"
)
@click.option(
    "--env-file",
    metavar="FILE",
    help="Take variables from this file, the service's (NAME=value lines, as systemd reads them); what the environment"
    " sets wins. Also named by WRITEBACK_ENV_FILE.",
)
def cli(env_file: str | None) -> None:
    """Tardy Write-Back: tardies from the behavior system into the SIS, once, right, and provably.

    Configured by the environment (BROKER_URL, DATABASE_URL, WRITEBACK_HOME …); with none of it set everything
    lives in the folder `var`. Exit status: 0 done; 1 it failed; 2 wrong usage; 78 wrong configuration.
    """
    from worker.env_file import env_file_of, take_env_file

    if (named := env_file_of(env_file)) is not None:
        for line in take_env_file(*named, os.environ):
            note(f"writeback: warning: {line}")
        os.environ["WRITEBACK_ENV_FILE"] = named[0]  # whose secrets are looked up anew when it changes


cli.add_command(demo)
cli.add_command(run)
cli.add_command(exports)
cli.add_command(layouts)
cli.add_command(runs)
cli.add_command(trace)
cli.add_command(tardies)
cli.add_command(held)
cli.add_command(codes)
cli.add_command(schools)
cli.add_command(bells)
cli.add_command(days)
cli.add_command(destinations)
cli.add_command(rejected)
cli.add_command(publish)
cli.add_command(check)
cli.add_command(secrets)
cli.add_command(audit)
cli.add_command(status)
cli.add_command(report)
cli.add_command(student)
cli.add_command(db)
for more in (new, diff, history, restore, copy, resync):
    exports.add_command(more)


def main() -> None:
    """The console script `writeback`: runs the command line and ends the process."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(
                errors="backslashreplace"
            )  # a terminal that knows few characters still shows all
    cli(prog_name="writeback")
