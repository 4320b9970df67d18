"""Ctrl-C ends what waits, also when it fell into a moment in which Python forgets it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from worker.cli import interrupts


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    kept = signal.getsignal(signal.SIGINT)
    interrupts.heed()
    yield
    interrupts.heed()
    signal.signal(signal.SIGINT, kept)


class Finalized:
    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_that_a_finalizer_swallowed_ends_the_next_pause() -> None:
    Finalized()
    with pytest.raises(KeyboardInterrupt):
        interrupts.pause(60)


def test_a_pause_without_an_interrupt_ends_by_itself() -> None:
    interrupts.pause(0)
