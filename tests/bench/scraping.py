"""What it costs to be watched at a whole country's size: the first scrape, those behind it, and all of it in CPU."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.bench.nation import DEFINITIONS, furnish_nation
from tests.bench.stage import new_stage
from tests.servers import Servers
from worker.clock import system_clock
from worker.instruments import Instruments
from worker.ops.metrics import StateGauges
from worker.store.database.engine import Database

_EVERY = 5.0
_SCRAPES = 13


@dataclass(frozen=True, slots=True)
class Scraped:
    """Seconds of the first scrape and of the slowest behind it, the size of one, and the part of a core that all of it
    took of this process."""

    definitions: int
    first: float
    slowest: float
    megabytes: float
    cores: float


def measure(servers: Servers, say: Callable[[str], None]) -> Scraped:
    """Scrapes for a minute, as Prometheus would do every 5 seconds."""
    with new_stage(servers, matching=0) as stage:
        say(f"making {DEFINITIONS:,} definitions")
        furnish_nation(stage.database_url)
        say(f"scraping {_SCRAPES} times")
        database, watch = Database(stage.database_url), stage.broker.queue_watch()
        gauges = StateGauges(database, watch, system_clock, Instruments())
        begun, used, took, text = time.monotonic(), time.process_time(), [], ""
        for _ in range(_SCRAPES):
            asked = time.monotonic()
            text = gauges.text()
            took.append(time.monotonic() - asked)
            threading.Event().wait(_EVERY)
        cores = (time.process_time() - used) / (time.monotonic() - begun)
        watch.close()
        database.close()
    return Scraped(DEFINITIONS, took[0], max(took[1:]), len(text) / 1e6, cores)
