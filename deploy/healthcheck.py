"""Asks the worker in this container for its /healthz; the container's HEALTHCHECK. Ends with 1 and what it says where a
loop of it makes no progress. A worker that waits for its broker or database is healthy."""

import os
import sys
import urllib.error
import urllib.request

_, _, port = os.environ.get("WRITEBACK_OPS_ADDRESS", "127.0.0.1:9464").rpartition(":")
try:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
        sys.exit(0 if answer.status == 200 else 1)
except urllib.error.HTTPError as error:
    sys.exit(error.read(2000).decode(errors="replace").strip())
except OSError as error:
    sys.exit(f"/healthz does not answer: {error}")
