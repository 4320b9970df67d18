"""The program with less patience, for tests of what it does once that is used up: `python -m …hurried run`."""

from __future__ import annotations

from worker import service
from worker.broker.embedded import inbox
from worker.cli import main
from worker.store.database import engine

MODULE = "tests.acceptance.hurried"
BUSY_SECONDS = 1.0  # instead of 30: how long one SQLite statement waits for another process's lock
STOP_SECONDS = 4.0  # instead of 28: how long after SIGTERM its threads may take to end

if __name__ == "__main__":
    engine._BUSY_TIMEOUT_MS = int(BUSY_SECONDS * 1000)
    inbox.BUSY_TIMEOUT = BUSY_SECONDS
    service._LAST_WAIT = STOP_SECONDS
    main()
