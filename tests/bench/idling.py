"""What a worker uses while nothing happens."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic

from tests.bench.process import running
from tests.bench.racers import WRITEBACK
from tests.bench.stage import new_stage
from tests.servers import Servers

SECONDS = 20.0
_SETTLING = 3.0


def measure(servers: Servers, say: Callable[[str], None]) -> float:
    """The part of a core that a whole `writeback run` uses, over 20 seconds."""
    with new_stage(servers) as stage, running("idle", WRITEBACK, stage) as worker:
        worker.wait_until(lambda: stage.consumers() == 1, every=0.05)
        say(f"an idle worker for {SECONDS:.0f} s")
        pause = threading.Event()
        pause.wait(_SETTLING)
        before, begun = worker.usage(), monotonic()
        pause.wait(SECONDS)
        used = (worker.usage().cpu - before.cpu) / (monotonic() - begun)
        worker.end()
    return used
