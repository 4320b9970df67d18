"""A worker stopped by SIGSTOP until others have done its work, then SIGCONT; and many workers side by side."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from time import monotonic
from urllib.parse import quote, urlsplit

import pytest
from sqlalchemy import select, text, update

from tests.acceptance.arrows import SMALL_BATCHES, Site, check, leases_end, time_passes
from tests.acceptance.test_arrows import die_at, embedded_site, site
from tests.builders import code, definition, save, school, tardy
from tests.processes import Processes, Worker, wait_for
from tests.program import SteppedProgram
from tests.servers import RabbitMQ
from worker.failpoints import STOP_VARIABLE, Arrow
from worker.store.engine import Database
from worker.store.tables import attempts, definitions, run_requests, runs

__all__ = ["embedded_site", "site"]  # fixtures

TAKEOVER_SECONDS = 60.0  # guarantee: a dead worker's run is picked up within this
SCHEDULED = 12

_STALE = "another worker has taken the run over; nothing was changed"
_CUT_OFF = "the run is left for the next attempt"

_END_SLEEPING_SESSIONS = text(
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database()"
    " AND state LIKE 'idle in transaction%' AND state_change < clock_timestamp() - interval '1 second'"
)


@pytest.mark.parametrize(
    ("arrow", "says"), [(Arrow.DEPART_COMMITTED, _STALE), (Arrow.UPLOAD_HALF, _STALE), (Arrow.SETTLE_BEFORE_COMMIT, _CUT_OFF)]
)
def test_a_flusher_that_sleeps_in_mid_delivery_past_its_lease_changes_nothing_when_it_wakes(
    site: Site, arrow: Arrow, says: str
) -> None:
    """Another one delivers meanwhile, and the SIS collects at once."""
    consumer = site.processes.start("consumer", **SMALL_BATCHES)
    sleeper = fall_asleep(site, arrow, "flusher")
    if arrow is Arrow.SETTLE_BEFORE_COMMIT:
        end_sleeping_session(site.database)
    leases_end(site.database)
    taken_over(site, sleeper, says, "flusher")
    assert consumer.stop() == 0


def test_an_embedded_worker_that_sleeps_between_upload_and_rename_changes_nothing_when_it_wakes(
    embedded_site: Site,
) -> None:
    sleeper = fall_asleep(embedded_site, Arrow.DEPART_COMMITTED)
    leases_end(embedded_site.database)
    taken_over(embedded_site, sleeper, _STALE)
