"""Ctrl-C. An interrupt that falls into a finalizer is printed and forgotten by Python; whoever waits asks once more."""

from __future__ import annotations

import signal
import threading
from types import FrameType

_heard = threading.Event()


def heed() -> None:
    """From here on Ctrl-C is remembered. Only the main thread may be interrupted: no effect elsewhere."""
    if threading.current_thread() is threading.main_thread():
        _heard.clear()
        signal.signal(signal.SIGINT, _interrupted)


def pause(seconds: float) -> None:
    """Waits. Raises KeyboardInterrupt, also for an interrupt from before that got lost."""
    if _heard.wait(seconds):
        raise KeyboardInterrupt


def _interrupted(_number: int, _frame: FrameType | None) -> None:
    _heard.set()
    raise KeyboardInterrupt
