"""What the log looks like: one event a line, no secret and no student in it, whoever logs."""

from __future__ import annotations

import logging
import os
import sys
import threading
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Literal, TextIO

import structlog
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.types import EventDict, Processor, WrappedLogger

from schemas.shown import mask_passwords, plain
from worker.destinations.masking import masked_in_log
from worker.errors import WritebackError

LogFormat = Literal["console", "json"]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]

_OURS = "writeback"
# pika logs a lost connection as an error with two stack traces; urllib3's warnings repeat a request's address, which
# may hold a student's id. Whoever uses them says so in a line of its own.
_TALKATIVE = ("pika", "urllib3")
_FIRST_KEYS = ("timestamp", "level", "logger", "event")


class _LogHandler(logging.StreamHandler[TextIO]):
    """The one handler that `configure_logs` puts in place, and finds again."""


def configure_logs(format: LogFormat, level: str, stream: TextIO | None = None) -> None:
    """Sends every event from `level` up to `stream` (standard error), one line each.

    `json`: the keys timestamp (UTC), level, logger, event, then the event's own, a traceback as `exception`;
    `console`: for people. Libraries are heard from warning up only, some when all is lost. May be called again.
    """
    stream = stream or sys.stderr
    logging.getLogger(_OURS).setLevel(level.upper())
    for library in _TALKATIVE:
        logging.getLogger(library).setLevel(logging.CRITICAL)
    root = logging.getLogger()
    root.setLevel(max(logging.WARNING, logging.getLogger(_OURS).level))
    root.handlers[:] = [handler for handler in root.handlers if not isinstance(handler, _LogHandler)]
    handler = _LogHandler(stream)
    handler.setFormatter(_formatter(format, stream))
    root.addHandler(handler)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            *_DESCRIBED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=lambda *names: logging.getLogger(".".join((_OURS, *names))),
        cache_logger_on_first_use=False,  # modules make their loggers at import, before this is called
    )


def log_uncaught() -> None:
    """Has errors that nobody caught, in any thread, logged like the others instead of printed as they are."""
    log = structlog.get_logger("process")

    def ended(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
            return
        log.critical("an error of the program ended it", exc_info=(kind, error, trace))

    def thread_ended(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and args.exc_type is not SystemExit:
            name = args.thread.name if args.thread is not None else None
            info = (args.exc_type, args.exc_value, args.exc_traceback)
            log.critical("an error of the program ended a thread", thread=name, exc_info=info)

    sys.excepthook = ended
    threading.excepthook = thread_ended


def _formatter(format: LogFormat, stream: TextIO) -> logging.Formatter:
    in_json: list[Processor] = [_in_order, structlog.processors.JSONRenderer()]
    for_people: list[Processor] = [_plain, _console(stream)]
    rendered = in_json if format == "json" else for_people
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_DESCRIBED,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendered, _masked],
    )


def _console(stream: TextIO) -> ConsoleRenderer:
    colours = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return ConsoleRenderer(colors=colours, repr_native_str=True, exception_formatter=plain_traceback)


def _traceback(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """`exc_info` → `exception`, as Python prints it but for the messages of others' errors."""
    given = event.pop("exc_info", None)
    if isinstance(given, BaseException):
        given = (type(given), given, given.__traceback__)
    elif given and not isinstance(given, tuple):
        given = sys.exc_info()
    if given and given[1] is not None:
        event["exception"] = "".join(_traceback_lines(given)).rstrip()
    return event


def _traceback_lines(info: ExcInfo) -> Iterator[str]:
    for position, (kind, error, trace) in enumerate(reversed(_chain(info))):
        if position:
            yield "\nwhich led to:\n\n"
        yield "Traceback (most recent call last):\n"
        yield from traceback.format_tb(trace)
        # A library's message may quote a row's values, that of one of ours never does.
        message = f": {error}" if isinstance(error, WritebackError) else ""
        yield f"{kind.__qualname__}{message}\n"


def _chain(info: ExcInfo) -> list[ExcInfo]:
    """The error, what caused it, what caused that …"""
    chain = [info]
    while (cause := _cause(chain[-1][1])) is not None and all(cause is not link[1] for link in chain):
        chain.append((type(cause), cause, cause.__traceback__))
    return chain


def _cause(error: BaseException) -> BaseException | None:
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _in_order(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    first = {key: event[key] for key in _FIRST_KEYS if key in event}
    return first | {key: value for key, value in event.items() if key not in first}


def _plain(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """No part of the event commands the terminal; none but a traceback ends the line."""
    return {name: _fit(name, value) for name, value in event.items()}


def _fit(name: str, value: Any) -> Any:
    """Numbers and the like stay what they are: a terminal shows them in their colours."""
    if value is None or isinstance(value, bool | int | float):
        return value
    return plain(value if isinstance(value, str) else repr(value), keep="\n" if name == "exception" else "")


def _masked(_logger: WrappedLogger, _method: str, line: Any) -> Any:
    """Over the finished line, so that no nested value and no object's repr slips past. A DEL is none of what JSON
    escapes."""
    return masked_in_log(mask_passwords(line)).replace("\x7f", "\\u007f")


_DESCRIBED: tuple[Processor, ...] = (
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    _traceback,
)
