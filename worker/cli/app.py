"""The root command: every error becomes one line on standard error and the exit status of the contract."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn
from uuid import uuid4

import click

from worker.cli.interrupts import heed
from worker.cli.printing.output import UnreadError, note
from worker.errors import ConfigurationError, WritebackError

FAILED = 1
WRONG_USAGE = 2
WRONG_CONFIGURATION = 78
INTERRUPTED = 130  # as a shell shows a process that SIGINT ended
NOBODY_READS = 141  # and one that SIGPIPE ended


class Cli(click.Group):
    """A group whose `main` ends the process as the contract says."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        heed()
        try:
            status = super().main(
                args, prog_name, complete_var, standalone_mode=False, windows_expand_args=False, **extra
            )
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(WRONG_USAGE)
        except click.UsageError as error:
            _end(WRONG_USAGE, f"{error.format_message()} ({_help_of(error)})")
        except click.Abort:
            sys.exit(INTERRUPTED)
        except click.ClickException as error:
            _end(FAILED, error.format_message())
        except ConfigurationError as error:
            _end(WRONG_CONFIGURATION, str(error))
        except WritebackError as error:
            _end(FAILED, str(error))
        except UnreadError:
            sys.exit(NOBODY_READS)
        except Exception as error:  # noqa: BLE001 - a person at a terminal gets a line, not a traceback
            _end(FAILED, _described(error))
        sys.exit(status if isinstance(status, int) else 0)


def _help_of(error: click.UsageError) -> str:
    path = error.ctx.command_path if error.ctx is not None else "writeback"
    return f"see `{path} --help`"


def _end(status: int, reason: str) -> NoReturn:
    note(f"writeback: {' '.join(reason.split())}")
    sys.exit(status)


def _described(error: Exception) -> str:
    reference = uuid4().hex[:12]
    if os.environ.get("WRITEBACK_LOG_LEVEL", "").strip().lower() == "debug":
        _show_traceback(error, reference)
        return f"an error of the program ({type(error).__name__}), reference {reference}"
    return (
        f"an error of the program ({type(error).__name__}), reference {reference};"
        " WRITEBACK_LOG_LEVEL=debug shows where"
    )


def _show_traceback(error: Exception, reference: str) -> None:
    """By way of the log, which leaves out the texts of others' errors: they may quote a row's values."""
    import structlog

    from worker.ops.logs import configure_logs

    configure_logs("console", "debug")
    structlog.get_logger("cli").debug("an error of the program", reference=reference, exc_info=error)
