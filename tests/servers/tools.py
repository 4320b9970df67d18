"""A program of Debian's that judges ours: found, or installed, or a line that says what to type."""

from __future__ import annotations

import shutil

from tests.servers.errors import ServerError
from tests.servers.resolve import install


def tool(program: str, package: str) -> str:
    """Where the program is; its package is installed if it is not here. Raises ServerError."""
    if found := shutil.which(program):
        return found
    trouble = install(package)
    if found := shutil.which(program):
        return found
    raise ServerError(f"{program} is not here ({trouble}): sudo apt-get install -y {package}")
