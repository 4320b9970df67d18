"""A command imports what it needs: what a person waits for at each start is mostly imports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

#: What takes long to import, or brings much with it.
HEAVY = {
    "alembic",
    "amqp",
    "kombu",
    "marshmallow",
    "paramiko",
    "pika",
    "prometheus_client",
    "psycopg",
    "requests",
    "rich",
    "sqlalchemy",
    "structlog",
    "urllib3",
    "yaml",
}
_RUN = """
import sys
from worker.cli import main
try:
    main()
finally:
    print(*(name for name in sys.modules if "." not in name or name.startswith("worker.")), file=sys.stderr)
"""


def imported(home: Path, *arguments: str) -> set[str]:
    """The modules of the program, and the packages of others, that a command imports."""
    done = subprocess.run(
        [sys.executable, "-c", _RUN, *arguments],
        env={"WRITEBACK_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return set(done.stderr.split())


def test_help_imports_nothing_that_takes_long(tmp_path: Path) -> None:
    found = imported(tmp_path, "--help")
    assert "worker.cli.operations.status_command" in found
    assert not found & (HEAVY | {"email", "pathlib", "worker.bootstrap", "worker.env_file"})


def test_a_question_about_an_embedded_installation_imports_no_part_of_a_worker(tmp_path: Path) -> None:
    found = imported(tmp_path, "status")
    assert {"sqlalchemy", "worker.bootstrap", "worker.destinations.kinds"} <= found
    assert not found & {"amqp", "kombu", "paramiko", "pika", "psycopg", "requests", "urllib3", "yaml"}
    rooms = ("worker.delivery", "worker.intake", "worker.outbox", "worker.service", "worker.testing")
    assert [name for name in found if name.startswith(rooms)] == []
