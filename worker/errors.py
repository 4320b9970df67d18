"""Errors named by what happens next. Each one's text is a single line for a person, without student data."""

from __future__ import annotations


class WritebackError(Exception):
    """Something a person or the program can act on; `str(error)` says what, where and what to do."""


class ConfigurationError(WritebackError):
    """A setting is wrong: the program stops at start (exit status 78)."""


class RefusedError(WritebackError):
    """What was asked for cannot be carried out; nothing has changed."""


class UnavailableError(WritebackError):
    """The broker or the database does not answer or cannot do what is asked: wait and try again, nothing is lost.

    `kind` is one word for the reason (`worker.store.database.database_errors` has the database's).
    """

    def __init__(self, message: str, *, kind: str = "gone") -> None:
        super().__init__(message)
        self.kind = kind


class RowError(WritebackError):
    """The database cannot store a row for what is in it: whoever brought that row is at fault, nobody else."""


class UnreadableError(WritebackError):
    """What is stored belongs to another version of the program: this one leaves it to a worker that knows it."""


class UndeliverableError(UnavailableError):
    """The broker has answered, and does not take this very message: others may well go."""


class DeliveryError(WritebackError):
    """A delivery did not succeed; the subclass says what happens next."""


class TransientError(DeliveryError):
    """It may work later: the run waits and is tried again by itself.

    `retry_after` is what the other side asked for, in seconds, or None.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class StoppedError(TransientError):
    """The program was told to stop in the middle of it: another worker goes on at once."""


class ElsewhereError(TransientError):
    """This worker does not see the place that the others write to: another may, so the run is left to it."""


class DestinationError(DeliveryError):
    """A person must act (login, folder, permission, full disk): the export stops sending until then."""


class PlugInError(WritebackError):
    """A destination of another package did what its port rules out: nobody knows what became of it."""


class StaleLeaseError(WritebackError):
    """Another worker has taken the run over: stop, and change nothing."""
