"""What is known of a request that got no answer."""

from __future__ import annotations

from worker.errors import TransientError, WritebackError


class NothingSentError(TransientError):
    """Nothing of the request has left: the server cannot have carried it out."""


class LostAnswerError(WritebackError):
    """The server may have carried the request out: its answer was lost, or cannot be read.

    No DeliveryError: whoever sends what must not be done twice has to say what follows from it.
    """
