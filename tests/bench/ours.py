"""`python -m tests.bench.ours`: the consumer as `writeback run consumer` runs it."""

from __future__ import annotations

import os

from worker.bootstrap import Program
from worker.ops.logs import configure_logs
from worker.service import Service
from worker.settings import read_settings


def main() -> None:
    """Consumes until SIGTERM."""
    settings = read_settings(os.environ)
    configure_logs("json", settings.log_level)
    Service(Program(settings), ["consumer"]).run()


if __name__ == "__main__":
    main()
