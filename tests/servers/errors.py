"""What goes wrong with the servers of the tests."""

from __future__ import annotations


class ServerError(Exception):
    """A server of the tests cannot be had or does not do what was asked; one line: what, and what to do."""


class EndedEarlyError(ServerError):
    """The server's process ended while it was starting: worth another try on other ports."""
