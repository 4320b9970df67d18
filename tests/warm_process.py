"""The program, imported once: each start that it is asked for is a fork of it (`warm_starts.py` asks).

It is asked by messages of JSON on its standard input, a socket: to start a module, whose three standard streams come
along, or for the exit status of a process that has ended. It ends with the socket.
"""

from __future__ import annotations

import gc
import json
import os
import pkgutil
import runpy
import socket
import sys
import time
from importlib import import_module
from typing import Any

import worker

LARGEST = 1 << 20  # bytes of a message
_STREAMS = 3
# What runs when it is imported, or serves tests alone.
_LEFT_OUT = ("worker.store.database.migrations", "worker.testing", "worker.__main__")
# What the program imports by a URL, or where it is first used.
_BY_NAME = (
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "kombu.transport.pyamqp",
    "alembic.command",
    "alembic.runtime.environment",
)


def main() -> None:
    _import_all()
    gc.freeze()  # forks share these pages as long as nobody counts what lies in them
    asked = socket.socket(fileno=os.dup(0))
    while True:
        message, streams, _, _ = socket.recv_fds(asked, LARGEST, _STREAMS)
        if not message:
            return
        request = json.loads(message)
        if "ended" in request:
            _, status = os.waitpid(request["ended"], 0)
            asked.send(json.dumps(os.waitstatus_to_exitcode(status)).encode())
        elif (pid := os.fork()) == 0:
            asked.close()
            break
        else:
            for stream in streams:
                os.close(stream)
            asked.send(json.dumps(pid).encode())
    _become(request, streams)
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


def _import_all() -> None:
    for found in pkgutil.walk_packages(worker.__path__, "worker."):
        if not found.name.startswith(_LEFT_OUT):
            import_module(found.name)
    for name in _BY_NAME:
        import_module(name)


def _become(request: dict[str, Any], streams: list[int]) -> None:
    """What a process that was just started is given."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    os.chdir(request["folder"])
    sys.argv = [request["module"], *request["arguments"]]


if __name__ == "__main__":
    main()
