"""A file system that does not answer holds up nobody but who asks it, and him not for long."""

from __future__ import annotations

import threading

import pytest

from worker.destinations.patience import Patience
from worker.errors import TransientError


def test_a_question_that_is_not_answered_in_time_is_given_up_and_not_asked_again_meanwhile() -> None:
    patience, server, asked = Patience(0.1), threading.Event(), []

    def hangs() -> str:
        asked.append(1)
        server.wait()
        return "here"

    for _ in range(3):
        with pytest.raises(TransientError, match="folder mnt: its file system does not answer"):
            patience.ask("mnt", hangs)
    assert len(asked) == 1
    assert patience.ask("other", lambda: "there") == "there"
    server.set()
    for thread in threading.enumerate():
        if thread.name == "asks mnt":
            thread.join()
    assert Patience(60).ask("mnt", hangs) == patience.ask("mnt", lambda: "here")


def test_what_the_question_raises_reaches_who_asks() -> None:
    def fails() -> None:
        raise FileNotFoundError("mnt")

    with pytest.raises(FileNotFoundError):
        Patience(60).ask("mnt", fails)
